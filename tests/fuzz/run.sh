#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh [SECONDS] - builds the fuzz targets with clang's libFuzzer, address and undefined-behaviour sanitizers, and
# runs each for SECONDS (60) from its corpus here, `*_corpus`; new inputs go below build/fuzz. A line a target; exit 1
# if one crashed. FUZZ=WORD: those whose name has it.
set -u
cd "$(dirname "$0")/../.." || exit 2
seconds=${1:-60}
# Sums of what a file says may wrap: with -fwrapv that is no undefined behaviour, and not looked for.
flags="-g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -fwrapv -std=gnu11 -D_GNU_SOURCE
	-DHEAPRAY_VERSION=\"fuzz\" -Iinclude"
reporter=$(ls report/*.c | grep -v -e /main.c)
libraries="-ldw -lelf -liberty -ljansson -lz -lncursesw -lmicrohttpd -lm"
file="open close fstat read pread pwrite memfd_create" # tests/fuzz/memory_file.h
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

# wrapped FUNCTION...: the linker's options that turn calls of these to the target's own __wrap_FUNCTION.
wrapped() { [ $# -eq 0 ] || printf -- '-Wl,--wrap=%s ' "$@"; }

# replaced NAME PREFIX: the functions that a target has its own of.
replaced() { grep -o "\b$2[a-zA-Z_]*(" "tests/fuzz/fuzz_$1.c" | sed "s/^$2//; s/($//" | sort -u; }

# own NAME: copies of the objects in build/fuzz/NAME.objects, where calls of libc's X are calls of the target's own_X.
own() {
	local name names=
	for name in $(replaced "$1" own_); do
		names="$names --redefine-sym $name=own_$name"
	done
	rm -rf "build/fuzz/$1.objects"
	mkdir -p "build/fuzz/$1.objects"
	for name in build/fuzz/objects/*.o; do
		objcopy $names "$name" "build/fuzz/$1.objects/${name##*/}" || return
	done
}

build() {
	local wrap= from=build/fuzz/objects
	case $1 in
	arena) clang $flags -Ishim -o "build/fuzz/$1" "tests/fuzz/fuzz_$1.c" shim/lua_arena.c; return ;;
	cfi) clang $flags -Ishim -o "build/fuzz/$1" "tests/fuzz/fuzz_$1.c" shim/cfi.c; return ;;
	esac
	objects || return
	case $1 in
	segment | snapshot | command | proc) wrap=$(wrapped $file) ;;
	esac
	case $1 in
	command) clang ${flags/fuzzer,/fuzzer-no-link,} -w -Ireport -Dmain=heapray_main -c -o "$from/main.c.o" report/main.c || return ;;
	*) rm -f "$from/main.c.o" ;;
	esac
	case $1 in
	command | live | proc) own "$1" && from=build/fuzz/$1.objects || return ;;
	esac
	clang $flags -w -Ireport -o "build/fuzz/$1" "tests/fuzz/fuzz_$1.c" "$from"/*.o $wrap $(wrapped $(replaced "$1" __wrap_)) $libraries
}

for source in tests/fuzz/fuzz_*.c; do
	name=${source##*/fuzz_} name=${name%.c}
	case $name in *"${FUZZ:-}"*) ;; *) continue ;; esac
	mkdir -p "build/fuzz/$name.found"
	build "$name" || { status=1; continue; }
	corpus=
	[ -d "tests/fuzz/${name}_corpus" ] && corpus=tests/fuzz/${name}_corpus
	ASAN_OPTIONS=quarantine_size_mb=8:malloc_context_size=8:detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
		"build/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -detect_leaks=0 \
		-close_fd_mask=3 -print_final_stats=1 -artifact_prefix="build/fuzz/$name-" "build/fuzz/$name.found" $corpus >"build/fuzz/$name.log" 2>&1
	result=$?
	runs=$(sed -n 's/stat::number_of_executed_units: *//p' "build/fuzz/$name.log")
	branches=$(grep -a -o 'cov: [0-9]*' "build/fuzz/$name.log" | tail -1)
	if [ $result -eq 0 ]; then
		echo "$name: $runs executions in $seconds s, ${branches#cov: } branches, no crash"
	else
		status=1
		echo "$name: CRASHED after ${runs:-?} executions"
		grep -E -m 12 'ERROR|runtime error|SUMMARY|^    #[0-8] ' "build/fuzz/$name.log"
	fi
done
exit $status
