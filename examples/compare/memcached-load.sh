#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memcached-load.sh PORT - 20,000 keys of growing size, by the text protocol.
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
begun=$EPOCHREALTIME
awk 'BEGIN {
	for (i = 0; i < 20000; i++) {
		n = 10 + i % 2000
		printf "set key%d 0 0 %d noreply\r\n%0*d\r\n", i, n, n, 0
	}
	printf "version\r\n"
}' >&3
read -r answer <&3
awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f sets per second\n", 20000 / (b - a) }'
echo "$answer"
