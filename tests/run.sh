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
# Two programs run at a time; their lines appear when they end. With WORDs only those whose path has one of them run;
# --long adds tests/integration/long/. The last line is `N passed, N failed`, with `, N skipped` if any; exit 1 if one
# failed.
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

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0 skipped=0

wanted() {
	[ ${#words[@]} -eq 0 ] && return 0
	local word
	for word in "${words[@]}"; do
		case $1 in *"$word"*) return 0 ;; esac
	done
	return 1
}

# run DIRECTORY NAME SECONDS COMMAND...: runs it and gathers what it said, in its words or in Check's, in `results`.
run() {
	local to=$1 name=$2 limit=$3 status start=$EPOCHREALTIME
	shift 3
	CK_TAP_LOG_FILE_NAME=$to/tap CK_VERBOSITY=silent timeout -k 10 "$limit" "$@" >"$to/log" 2>&1 </dev/null
	status=$?
	{
		grep -E '^(ok|not ok|skip) ' "$to/log"
		[ -e "$to/tap" ] && sed -nE 's/^ok [0-9]+ - [^:]*:([^:]*):([^:]*): .*/ok \1: \2/p
			s/^not ok [0-9]+ - ([^:]*:[^:]*):([^:]*): (.*)/not ok \2: \1: \3/p' "$to/tap"
	} >"$to/results"
	if [ $status -eq 124 ] || [ $status -eq 137 ]; then
		echo "not ok $name: took more than $limit s" >>"$to/results"
	elif [ $status -ne 0 ] && ! grep -q '^not ok ' "$to/results"; then
		echo "not ok $name: exit status $status" >>"$to/results"
	elif [ ! -s "$to/results" ]; then
		echo "not ok $name: tested nothing" >>"$to/results"
	fi
	awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }' >"$to/took"
}

# report DIRECTORY NAME: prints and counts what run() gathered there.
report() {
	local p f s
	p=$(grep -c '^ok ' "$1/results") f=$(grep -c '^not ok ' "$1/results") s=$(grep -c '^skip ' "$1/results")
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	printf '%-44s %3d passed' "$2" "$p"
	[ "$f" -gt 0 ] && printf ', %d FAILED' "$f"
	[ "$s" -gt 0 ] && printf ', %d skipped' "$s"
	printf '  (%s)\n' "$(cat "$1/took")"
	grep '^skip ' "$1/results" | sed 's/^/    /'
	if [ "$f" -gt 0 ]; then
		grep '^not ok ' "$1/results" | sed 's/^/    /'
		grep -vE '^(ok|not ok|skip) ' "$1/log" | tail -n 60 | sed 's/^/    | /'
	fi
}

declare -A running=() # pid: slot and name
busy=(0 0)            # slots; a program knows its own as TEST_SLOT, and takes its ports by it

# queue NAME SECONDS COMMAND...: runs it as soon as a slot is free.
queue() {
	[ ${#running[@]} -lt 2 ] || reap
	local slot=$((busy[0] ? 1 : 0))
	busy[slot]=1
	rm -rf "${scratch:?}/$slot"
	mkdir "$scratch/$slot"
	TEST_SLOT=$slot run "$scratch/$slot" "$@" &
	running[$!]="$slot $1"
}

reap() {
	local pid slot name
	wait -n -p pid "${!running[@]}"
	read -r slot name <<<"${running[$pid]}"
	unset "running[$pid]"
	busy[slot]=0
	report "$scratch/$slot" "$name"
}

for test in build/tests/unit/test_*; do
	case $test in *.d | *'*') continue ;; esac
	[ -e "tests/unit/$(basename "$test").c" ] || continue # left over from a test that is gone
	wanted "$test" && queue "${test#build/tests/}" 60 "$test"
done
wanted tests/check-layers.sh && queue check-layers 60 sh -c 'tests/check-layers.sh build && echo ok layers, exports and imports'
for test in tests/integration/*.sh ${long:+tests/integration/long/*.sh}; do
	case $(basename "$test") in lib*.sh | '*.sh') continue ;; esac
	limit=300 # what hangs ends; a busy machine may need more than it takes alone
	case $test in */long/*) limit=900 ;; esac
	wanted "$test" && queue "${test#tests/}" $limit bash "$test"
done

while [ ${#running[@]} -gt 0 ]; do
	reap
done
printf '%d passed, %d failed' $passed $failed
[ $skipped -gt 0 ] && printf ', %d skipped' $skipped
printf '\n'
[ $failed -eq 0 ] && [ $passed -gt 0 ]
