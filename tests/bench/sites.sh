#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# sites.sh NAME CALLEE N - prints C: N functions NAME_0... that each call CALLEE(size_t) from a place, and with a
# frame, of its own; a table NAME_sites[] of them, and NAME_count.
awk -v name="$1" -v callee="$2" -v n="$3" 'BEGIN {
	for (i = 0; i < n; i++)
		printf "static void *%s_%d(size_t n) { volatile char pad[%d]; pad[0] = 1; return %s(n + (size_t)pad[0]); }\n", \
			name, i, 8 + i % 200, callee
	printf "static void *(*const %s_sites[])(size_t) = {\n", name
	for (i = 0; i < n; i++)
		printf "\t%s_%d,\n", name, i
	print "};"
	printf "enum { %s_count = %d };\n", name, n
}'
