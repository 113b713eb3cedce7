#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memcached.sh [OPTION of heapray compare...] - which allocator for memcached? It takes its memory from malloc by the
# megabyte and cuts it itself: hardly any allocations, and hardly any difference, which is an answer too.
set -eu
port=${PORT:-7413}
here=$(cd "$(dirname "$0")" && pwd)
exec "${HEAPRAY:-$here/../../build/heapray}" compare \
	--load "bash '$here/memcached-load.sh' $port" --ready "$port" --settle 1s --metric '([\d.]+) sets per second' "$@" -- \
	memcached -l 127.0.0.1 -p "$port" -U 0 -u nobody -m 64 -t 2
