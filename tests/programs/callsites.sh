#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# callsites.sh - prints a C header with 4,000 functions that each call allocate_here() from a place, and with
# a frame, of its own, and a table of them: more call sites than any unwinder's cache holds.
awk 'BEGIN {
	n = 4000
	for (i = 0; i < n; i++)
		printf "static void *call_%d(size_t n) { volatile char pad[%d]; pad[0] = 1; return allocate_here(n + (size_t)pad[0]); }\n", i, 8 + i % 200
	print "static void *(*const call_sites[])(size_t) = {"
	for (i = 0; i < n; i++)
		printf "\tcall_%d,\n", i
	print "};"
	printf "#define CALL_SITES %d\n", n
}'
