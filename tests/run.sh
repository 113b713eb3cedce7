#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh [--long] [WORD...] - runs the tests and counts them.
#
# A test program is a unit test (Check) or a script. It says one line for each thing it tests:
#
#   ok NAME
#   not ok NAME: why
#   skip NAME: why
#
# and may print what else it likes, which is shown only if something failed. One that exits with another
# status than 0 without having said `not ok`, says nothing at all, or takes too long, has failed as a whole.
# Programs run one after the other. With WORDs only those whose path has one of them run; --long adds
# tests/integration/long/. The last line is `N passed, N failed`, with `, N skipped` if any; exit 1 if one failed.
set -u
cd "$(dirname "$0")/.." || exit 2
export LC_ALL=C
unset LD_PRELOAD NO_COLOR MALLOC_ARENA_MAX ${!HEAPRAY_*}

long=
if [ "${1:-}" = --long ]; then
	long=1
	shift
fi
words=("$@")

log=$(mktemp) results=$(mktemp) tap=$(mktemp)
trap 'rm -f "$log" "$results" "$tap"' EXIT
passed=0 failed=0 skipped=0

wanted() {
	[ ${#words[@]} -eq 0 ] && return 0
	local word
	for word in "${words[@]}"; do
		case $1 in *"$word"*) return 0 ;; esac
	done
	return 1
}

# run NAME SECONDS COMMAND...: runs it and counts its lines, which it wrote to $log (or Check to $tap).
run() {
	local name=$1 limit=$2 status start=$EPOCHREALTIME
	shift 2
	: >"$tap"
	CK_TAP_LOG_FILE_NAME=$tap CK_VERBOSITY=silent timeout -k 10 "$limit" "$@" >"$log" 2>&1 </dev/null
	status=$?
	{
		grep -E '^(ok|not ok|skip) ' "$log"
		sed -nE 's/^ok [0-9]+ - [^:]*:([^:]*):([^:]*): .*/ok \1: \2/p
			s/^not ok [0-9]+ - ([^:]*:[^:]*):([^:]*): (.*)/not ok \2: \1: \3/p' "$tap"
	} >"$results"
	if [ $status -eq 124 ] || [ $status -eq 137 ]; then
		echo "not ok $name: took more than $limit s" >>"$results"
	elif [ $status -ne 0 ] && ! grep -q '^not ok ' "$results"; then
		echo "not ok $name: exit status $status" >>"$results"
	elif [ ! -s "$results" ]; then
		echo "not ok $name: tested nothing" >>"$results"
	fi
	report "$name" "$start"
}

report() {
	local p f s
	p=$(grep -c '^ok ' "$results") f=$(grep -c '^not ok ' "$results") s=$(grep -c '^skip ' "$results")
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	printf '%-44s %3d passed' "$1" "$p"
	[ "$f" -gt 0 ] && printf ', %d FAILED' "$f"
	[ "$s" -gt 0 ] && printf ', %d skipped' "$s"
	awk -v a="$2" -v b="$EPOCHREALTIME" 'BEGIN { printf "  (%.1f s)\n", b - a }'
	grep '^skip ' "$results" | sed 's/^/    /'
	if [ "$f" -gt 0 ]; then
		grep '^not ok ' "$results" | sed 's/^/    /'
		grep -vE '^(ok|not ok|skip) ' "$log" | tail -n 60 | sed 's/^/    | /'
	fi
}

for test in build/tests/unit/test_*; do
	case $test in *.d | *'*') continue ;; esac
	[ -e "tests/unit/$(basename "$test").c" ] || continue # left over from a test that is gone
	wanted "$test" && run "${test#build/tests/}" 60 "$test"
done
wanted tests/check-layers.sh && run check-layers 60 sh -c 'tests/check-layers.sh build && echo ok layers, exports and imports'
for test in tests/integration/*.sh ${long:+tests/integration/long/*.sh}; do
	case $(basename "$test") in lib*.sh | '*.sh') continue ;; esac
	limit=120
	case $test in */long/*) limit=900 ;; esac
	wanted "$test" && run "${test#tests/}" $limit bash "$test"
done

printf '%d passed, %d failed' $passed $failed
[ $skipped -gt 0 ] && printf ', %d skipped' $skipped
printf '\n'
[ $failed -eq 0 ] && [ $passed -gt 0 ]
