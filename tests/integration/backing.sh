# SPDX-License-Identifier: BSD-2-Clause
# What allocators and LuaJIT map to hold blocks is backing: in the books as held, never as a block of mmap.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_nginx.sh"

# hold ALLOCATOR: 64 MB in blocks of 100; sets $pid
hold() {
	"$heapray" run --dir "$segments" --allocator "$1" -- "$programs/hold" 64000000 100 >"$work/pid" 2>"$work/errors" &
	started+=($!)
	await 20 test -s "$work/pid" || { not_ok "a program under $1" "$(cat "$work/errors")"; return 1; }
	pid=$(cat "$work/pid")
}

for allocator in $allocators; do
	rm -f "$work/pid"
	hold "$allocator" || continue
	told() { # what the allocator says of itself is as old as the last time it was asked
		"$heapray" breakdown "$pid" --dir "$segments" --json >"$work/breakdown" 2>"$work/errors"
		[ "$(jq '.processes[0].allocator.held_bytes >= 64000000' "$work/breakdown")" = true ]
	}
	await 3 told
	component() { jq "[.processes[0].components[] | select(.id == \"$1\") | .$2] | add // 0" "$work/breakdown"; }
	is "64 MB used under $allocator" "$(($(component allocator used_bytes) >= 64000000))" 1
	is "and held under $allocator" "$(jq '.processes[0].allocator.held_bytes >= 64000000' "$work/breakdown")" true
	is "and resident as the allocator's under $allocator" "$(($(component allocator resident_bytes) >= 60000000))" 1
	is "nothing of it is a direct mmap under $allocator" "$(($(component mmap virtual_bytes) < 4000000))" 1
	is "little is unexplained under $allocator" "$(jq '.processes[0].unexplained.resident_bytes < 1000000' "$work/breakdown")" true
	"$heapray" stacks "$pid" --domain mmap --dir "$segments" --json >"$work/stacks" 2>"$work/errors"
	is "no arena in domain mmap under $allocator" "$(jq '[.stacks[] | select(.domain == "mmap") | .live_bytes] | add // 0 | . < 4000000' "$work/stacks")" true
	kill "$pid"
	await 5 gone "$pid"
done

nginx_conf
if nginx_start; then
	get "/keep?[1-400]" >/dev/null
	load /tables 1
	"$heapray" breakdown "$master" --dir "$segments" --json >"$work/breakdown" 2>"$work/errors"
	is "LuaJIT holds more than it uses" "$(jq '[.processes[].vms[] | select(.domain == "luajit:http:0") | .held_bytes + .direct_bytes >= .used_bytes and .used_bytes > 1000000] | length >= 3 and all' "$work/breakdown")" true
	is "LuaJIT's machine code is in the books" "$(jq '[.processes[].vms[].machine_code_bytes] | max > 0' "$work/breakdown")" true
	"$heapray" stacks "$master" --domain mmap --dir "$segments" --json >"$work/stacks"
	is "no LuaJIT arena in domain mmap" "$(jq '[.stacks[] | select(any(.frames[:2][]; .module | test("luajit"))) | .live_bytes] | add // 0' "$work/stacks")" 0
	nginx_stop
else
	not_ok "nginx starts" "$(cat "$work/nginx.out")"
fi
