#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# redis-load.sh PORT - what redis.sh asks of the server.
set -eu
redis-benchmark -p "$1" -q -t set -c 8 -n 20000 -r 20000 -d 64 >/dev/null
redis-benchmark -p "$1" -q -t set -c 8 -n 20000 -r 20000 -d 400
redis-cli -p "$1" eval "for i, k in ipairs(redis.call('keys', '*')) do if i % 8 > 0 then redis.call('del', k) end end" 0
