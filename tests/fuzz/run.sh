#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh [SECONDS] - builds the fuzz targets with clang's libFuzzer, address and undefined-behaviour sanitizers, and
# runs each for SECONDS (60) from its corpus here, `*_corpus`; new inputs go below build/fuzz. A line a target; exit 1
# if one crashed. FUZZ=WORD: those whose name has it.
set -u
cd "$(dirname "$0")/../.." || exit 2
seconds=${1:-60}
flags="-g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -std=gnu11 -D_GNU_SOURCE
	-DHEAPRAY_VERSION=\"fuzz\" -Iinclude"
reporter=$(ls report/*.c | grep -v -e /main.c)
libraries="-ldw -lelf -liberty -ljansson -lz -lncursesw -lmicrohttpd -lm"
status=0

# objects: the reporter's, each made again when it is older than its source or any header.
objects() {
	local file object header
	header=$(ls -t report/*.h include/*.h | head -1)
	mkdir -p build/fuzz/objects
	for file in $reporter; do
		object=build/fuzz/objects/${file##*/}.o
		[ "$object" -nt "$file" ] && [ "$object" -nt "$header" ] && continue
		clang ${flags/fuzzer,/fuzzer-no-link,} -w -Ireport -c -o "$object" "$file" || return
	done
}

build() {
	case $1 in
	cfi) clang $flags -Ishim -o "build/fuzz/$1" "tests/fuzz/fuzz_$1.c" shim/cfi.c ;;
	*)
		objects && clang $flags -w -Ireport -o "build/fuzz/$1" "tests/fuzz/fuzz_$1.c" build/fuzz/objects/*.o $libraries
		;;
	esac
}

for source in tests/fuzz/fuzz_*.c; do
	name=${source##*/fuzz_} name=${name%.c}
	case $name in *"${FUZZ:-}"*) ;; *) continue ;; esac
	mkdir -p "build/fuzz/$name.found"
	build "$name" || { status=1; continue; }
	corpus=
	[ -d "tests/fuzz/${name}_corpus" ] && corpus=tests/fuzz/${name}_corpus
	UBSAN_OPTIONS=print_stacktrace=1 "build/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
		-close_fd_mask=3 -print_final_stats=1 -artifact_prefix="build/fuzz/$name-" "build/fuzz/$name.found" $corpus >"build/fuzz/$name.log" 2>&1
	result=$?
	runs=$(sed -n 's/stat::number_of_executed_units: *//p' "build/fuzz/$name.log")
	if [ $result -eq 0 ]; then
		echo "$name: $runs executions in $seconds s, no crash"
	else
		status=1
		echo "$name: CRASHED after ${runs:-?} executions"
		grep -E -m 12 'ERROR|runtime error|SUMMARY|^    #[0-8] ' "build/fuzz/$name.log"
	fi
done
exit $status
