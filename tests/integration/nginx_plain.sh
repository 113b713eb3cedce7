# SPDX-License-Identifier: BSD-2-Clause
# nginx without the Lua module: the same commands, no Lua component. Under each allocator.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_nginx.sh"
without_lua=1

nginx_conf
for allocator in $allocators; do
	rm -rf "$segments"
	nginx_start --allocator "$allocator" || { not_ok "nginx starts under $allocator" "$(cat "$work/nginx.out")"; continue; }
	load /twenty.txt 1
	"$heapray" breakdown "$master" --dir "$segments" --json >"$work/breakdown" 2>"$work/errors"
	is "breakdown under $allocator: exit status" $? 0
	is "no Lua component under $allocator" "$(jq -c '[.processes[].components[].id | select(startswith("luajit"))]' "$work/breakdown")" '[]'
	is "no VM under $allocator" "$(jq -c '[.processes[].vms[]]' "$work/breakdown")" '[]'
	is "the allocator's books under $allocator" "$(jq '[.processes[].components[] | select(.id == "allocator") | .used_bytes > 0] | length >= 3 and all' "$work/breakdown")" true
	is "the allocator's name: $allocator" "$(jq -c '[.processes[].allocator.name] | unique' "$work/breakdown")" "[\"$allocator\"]"
	"$heapray" stacks "$master" --dir "$segments" --json >"$work/stacks" 2>"$work/errors"
	is "no unknown free under $allocator" "$(jq .quality.unknown_frees "$work/stacks")" 0
	is "owners under $allocator" "$("$heapray" stacks "$master" --group owner --dir "$segments" --json | jq '[.stacks[].frames[0].function | select(. == "ngx_create_pool" or . == "ngx_init_cycle" or . == "ngx_event_process_init")] | length > 0')" true
	holds "nginx stops under $allocator" nginx_stop
done
