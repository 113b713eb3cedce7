#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# sanitize.sh [PART...] - the tests under tools that see what a test cannot: PARTs, else all in this order
#
#   address   the unit tests under the address and the undefined-behaviour sanitizer
#   thread    the unit tests of the shim's parts under the thread sanitizer
#   valgrind  the same under valgrind
#   reporter  the quick integration tests, with a reporter under the first two; ONLY=word: those whose name has it
#
# A line for each program, with what was found below it; exit 1 if something was found, or a check failed that has no
# business to. Builds are in build/address and build/thread.
#
# Not looked for: leaks of the reporter, which leaves its memory to exit, and what libheapray.so does inside a program:
# it would have to come before the sanitizer's own malloc, which must be first.
set -u
cd "$(dirname "$0")/.." || exit 2
export LC_ALL=C CK_TIMEOUT_MULTIPLIER=30
unset LD_PRELOAD ${!HEAPRAY_*}
parts=${*:-address thread valgrind reporter}
status=0
work=$(mktemp -d) found=$(mktemp -d)
chmod 1777 "$found" # some reporters run as nobody
trap 'rm -rf "$work" "$found"' EXIT

export ASAN_OPTIONS="detect_leaks=0 verify_asan_link_order=0 detect_stack_use_after_return=1 log_path=$found/log"
export UBSAN_OPTIONS="print_stacktrace=1 log_path=$found/log" TSAN_OPTIONS="log_path=$found/log"

# What cannot hold there, and why; by part, names as in the output.
declare -A not_there=(
	# glibc's malloc is not there; locals lie outside of stacks; everything is slower
	[address]='sizes_fold_to_classes|arenas_and_mapped_blocks_of_glibc|a_hundred_thousand_sites_take_a_second|stacks_of_threads|own_process'
	[thread]=''
	[valgrind]=''
	[reporter]='a page of 20,000 call paths takes under a second|listed in under 100 ms'
)

# under PART NAME COMMAND...: runs a test program and says what came of it.
under() {
	local part=$1 name=$2 result wrong held
	shift 2
	rm -rf "${found:?}"/* "$work/tap"
	CK_TAP_LOG_FILE_NAME=$work/tap CK_VERBOSITY=silent timeout -k 10 900 "$@" >"$work/log" 2>&1 </dev/null
	result=$?
	[ -e "$work/tap" ] && cat "$work/tap" >>"$work/log"
	held=$(grep -c '^ok ' "$work/log")
	grep '^not ok ' "$work/log" | grep -vE "(${not_there[$part]:-nothing at all})" >"$work/wrong"
	[ $result -ne 0 ] && ! grep -q '^not ok ' "$work/log" && echo "exit status $result" >>"$work/wrong"
	[ "$held" -eq 0 ] && echo "tested nothing" >>"$work/wrong"
	grep -hE 'runtime error|ERROR: |WARNING: Thread|SUMMARY|^==[0-9]+== ([A-Z]|   (at|by))' "$found"/* 2>/dev/null |
		sed -E 's/^=+[0-9]+=+ ?//; s/\(pid=[0-9]+\)//' | awk '!seen[$0]++' >"$work/findings"
	wrong=$(grep -c . "$work/wrong")
	printf '%-9s %-40s %3d held' "$part" "$name" "$held"
	[ "$wrong" -gt 0 ] && printf ', %d FAILED' "$wrong"
	if [ -s "$work/findings" ]; then printf ', FOUND:\n'; else printf ', nothing found\n'; fi
	head -n 30 "$work/wrong" "$work/findings" -q | sed 's/^/    /'
	[ ! -s "$work/findings" ] && [ "$wrong" -eq 0 ] || status=1
}

# build DIRECTORY COMPILER TARGET...: in build/DIRECTORY.
build() {
	local directory=build/$1 compiler=$2
	shift 2
	make -s -k DEPS=no "B=$directory" "CC=$compiler" "${@/#/$directory/}" >"$work/make" 2>&1 && return
	tail -n 20 "$work/make"
	echo "$directory: does not build"
	status=1
	return 1
}

# units PATTERN: the unit tests of that name.
units() {
	local file
	for file in tests/unit/test_$1.c; do
		echo "${file%.c}"
	done
}

address() { build address "gcc -fsanitize=address,undefined -fno-omit-frame-pointer" "$@"; }

for part in $parts; do
	case $part in
	address)
		address $(units '*') || continue
		for test in $(units '*'); do
			under address "${test#tests/}" "build/address/$test"
		done
		;;
	thread)
		build thread "gcc -fsanitize=thread" $(units 'shim_*') || continue
		for test in $(units 'shim_*'); do
			under thread "${test#tests/}" "build/thread/$test"
		done
		;;
	valgrind)
		make -s DEPS=no $(units 'shim_*' | sed 's,^,build/,') || { status=1; continue; }
		for test in $(units 'shim_*'); do
			under valgrind "${test#tests/}" valgrind -q --error-exitcode=9 --suppressions=tests/valgrind.supp \
				--log-file="$found/log.%p" "build/$test"
		done
		;;
	reporter)
		make -s DEPS=no all programs && address heapray || { status=1; continue; }
		mkdir -p build/address/tests
		ln -sfn ../libheapray.so build/address/libheapray.so
		ln -sfn ../../tests/programs build/address/tests/programs
		for test in tests/integration/*.sh; do
			case ${test##*/} in lib*) continue ;; *"${ONLY:-}"*) ;; *) continue ;; esac
			TEST_BUILD=$PWD/build/address under reporter "${test#tests/}" bash "$test"
		done
		;;
	*)
		echo "sanitize.sh: $part: not one of address, thread, valgrind, reporter" >&2
		exit 2
		;;
	esac
done
exit $status
