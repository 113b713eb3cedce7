#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# growth_nginx.sh - nginx with a Lua handler and a C path that leak, churn and a cache that fills; then without.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_nginx.sh"
. "$(dirname "$0")/lib_growth.sh"

seconds=${SECONDS_OF_LOAD:-18}
rate=90
nginx_conf
sed -i 's/worker_processes 2/worker_processes 1/' "$prefix/conf/nginx.conf"
HEAPRAY_LUA_SAMPLE=256 nginx_start || { not_ok "nginx starts"; exit 1; }

# growth_under NAME PATH...: load on the paths in turn, sampled from a second after its start until it ends.
growth_under() {
	local name=$1
	shift
	"$programs/leakserver" load "$port" $rate $((seconds + 2)) "$@" >"$work/load" &
	local client=$!
	sleep 1
	"$heapray" growth --dir "$segments" "$master" --for ${seconds}s --json >"$work/$name.json" 2>"$work/$name.err"
	echo $? >"$work/$name.status"
	wait $client
}

growth_under calm /calm
is "no leak: exit status 0" "$(cat "$work/calm.status")" 0
is "no leak: no finding" "$(jq -c '[.findings[] | [.domain, .frames[0].function]]' "$work/calm.json")" "[]"

growth_under leak /lua /c /calm
wanted=$((rate * 1024 / 3))
is "leaks: exit status 1" "$(cat "$work/leak.status")" 1
in_c='[.findings[:2][] | select(.domain == "allocator" and any(.frames[]; .function == "leak_keep"))][0]'
in_lua='[.findings[:2][] | select((.domain | startswith("luajit:")) and any(.frames[]; .module == "lua"))][0]'
near "the leak in C is among the first two, its slope within 10 %" "$(jq "$in_c.bytes_per_second // 0" "$work/leak.json")" "$wanted" 10
if jq -e '[.findings[].frames[], .settled[].frames[] | select(.module == "lua")] | length > 0' "$work/leak.json" >/dev/null; then
	near "the leak in Lua is among the first two, its slope within 10 %" "$(jq "$in_lua.bytes_per_second // 0" "$work/leak.json")" \
		$((rate * 1033 / 3)) 10 # and the string's header, and its slot
	is "and nothing else" "$(jq -c '[.findings[2:][] | [.domain, .bytes_per_second, .trend, .readings_bytes, (.frames[:4] | map("\(.function) \(.file):\(.line)"))]]' "$work/leak.json")" "[]"
else
	skip "the leak in Lua is among the first two" "no Lua frames on the stacks"
fi
nginx_stop
