#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# redis.sh [OPTION of heapray compare...] - which allocator for redis-server? Values are written, written again larger,
# and seven of eight are deleted: what the server then still holds is the allocator's doing.
set -eu
port=${PORT:-7411}
here=$(cd "$(dirname "$0")" && pwd)
exec "${HEAPRAY:-$here/../../build/heapray}" compare \
	--load "sh '$here/redis-load.sh' $port" --ready "$port" --settle 2s --metric 'SET: ([\d.]+) requests' "$@" -- \
	redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no
