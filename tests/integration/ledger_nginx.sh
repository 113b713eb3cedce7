# SPDX-License-Identifier: BSD-2-Clause
# `breakdown` of an nginx with Lua, zones and a thread pool, bare and under the shim.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_nginx.sh"
. "$(dirname "$0")/lib_ledger.sh"

file=$work/breakdown

# One 64 MiB dictionary, of which one worker writes 10 MiB; a file read through the pool's threads.
nginx_lua_http() {
	cat <<'END'
	lua_shared_dict big 64m;
	lua_shared_dict words 1m;
	init_by_lua_block { kept = {}; for i = 1, 20000 do kept[i] = { i, tostring(i) } end }
END
}
nginx_lua_locations() {
	cat <<'END'
		aio threads=pool;
		sendfile off;
		location = /fill { content_by_lua_block {
			local value = string.rep("x", 3500)
			for i = 1, 2560 do ngx.shared.big:set(i, value) end
			ngx.say(ngx.worker.pid())
		} }
		location = /grow { content_by_lua_block {
			for i = 1, 3000 do kept[#kept + 1] = { name = "n" .. i } end
			ngx.say(#kept)
		} }
		location = /wait { content_by_lua_block { ngx.sleep(30) } }
END
}

# zones NAME: each process's own Rss, the same loaded bytes in all, and those once in the sum.
zones() {
	local member want
	want=$("$programs/ledger_loaded" "$master") || { skip "$1: loaded bytes" "needs root"; return; }
	is "$1: loaded bytes are mincore's, the same in each member" "$(jq -c '[.processes[].components[]
		| select(.id == "nginx_shm") | .loaded_bytes] | unique' "$file")" "[$want]"
	holds "$1: of the dictionary 10 MiB and little else" test "$want" -ge $((10 << 20)) -a "$want" -lt $((11 << 20))
	is "$1: once in the sum" "$(jq -c '[.total.components[] | select(.id == "nginx_shm") | .loaded_bytes, .resident_bytes]' "$file")" "[$want,$want]"
	is "$1: mapped once in the sum" "$(jq '(.total.components[] | select(.id == "nginx_shm") | .virtual_bytes)
		== (.processes[0].components[] | select(.id == "nginx_shm") | .virtual_bytes)' "$file")" true
	for member in $(jq -r '.processes[].pid' "$file"); do
		agrees "$1, $member" "$member" "$file"
	done
}

pool_threads() {
	is "$1: the pool's 4 threads and their stacks, 8 MiB each" "$(jq -c --argjson worker "$worker" '[.processes[]
		| select(.pid == $worker) | .threads[] | select(.tid != $worker) | .virtual_bytes]' "$file")" \
		'[8388608,8388608,8388608,8388608]'
}

family() {
	breakdown_of "$file" "$master" || { not_ok "$1" "breakdown fails"; return; }
	is "$1: master, workers, cache manager" "$(jq -c '[.processes[].role | select(. != "cache loader")] | sort' "$file")" \
		'["cache manager","master","worker","worker"]'
	closes "$1" "$file"
	explained "$1" "$file"
	zones "$1"
	pool_threads "$1"
	is "$1: the family's components sum to its figures" "$(jq '.total
		| (.system.resident_bytes - .unexplained.resident_bytes) == ([.components[].resident_bytes] | add)' "$file")" true
	is "$1: which are less than the members' together" "$(jq '.total.system.resident_bytes < ([.processes[].system.resident_bytes] | add)' "$file")" true
}

load_it() {
	for _ in {1..20}; do get /grow; get /twenty.txt; done >/dev/null
	worker=$(get /fill)
	# the file through that worker's pool
	for _ in {1..40}; do get /twenty.txt; done >/dev/null
}

nginx_conf 'thread_pool pool threads=4;'

# ---- not preloaded ----

"$nginx" -p "$prefix" -c conf/nginx.conf 2>"$work/nginx.out" || { not_ok "nginx starts" "$(cat "$work/nginx.out")"; exit; }
await 10 test -s "$prefix/logs/nginx.pid"
master=$(cat "$prefix/logs/nginx.pid")
started+=("$master")
await 10 get /index.html
load_it
family "bare nginx"
is "bare nginx: arenas of LuaJIT are told by what lies in them" "$(jq '[.processes[] | select(.role == "worker")
	| .components[] | select(.id == "luajit_http") | .resident_bytes > 2000000] | length == 2 and all' "$file")" true
nginx_stop

# ---- under the shim ----

nginx_start || { not_ok "nginx starts under the shim" "$(cat "$work/nginx.out" "$prefix/logs/error.log")"; exit; }
load_it
family "nginx"
is "nginx: the VM is in its component, exactly" "$(jq '[.processes[] | select(.role == "worker")
	| ([.components[] | select(.id == "luajit_http")][0].used_bytes) == ([.vms[].used_bytes] | add)] | all' "$file")" true
is "nginx: pools of the cycle, in each process" "$(jq '[.processes[] | [.pools[] | select(.kind == "cycle")] | length > 0] | all' "$file")" true
is "nginx: a pool's size is used and unused" "$(jq '[.processes[].pools[] | .size_bytes == .used_bytes + .unused_bytes] | all' "$file")" true
is "nginx: the allocator by owner sums to what it holds" "$(jq -c '[.processes[] | select(.modules | length > 0)
	| ([.modules[].live_bytes] | add) - ([.components[] | select(.id == "allocator")][0].used_bytes)] | unique' "$file")" '[0]'
is "nginx: OpenSSL, nginx and its Lua module are among them" "$(jq -c '[.processes[] | select(.role == "worker")][0].modules
	| map(.name) | map(select(. == "OpenSSL" or . == "nginx core" or . == "ngx_http_lua")) | sort' "$file")" \
	'["OpenSSL","nginx core","ngx_http_lua"]'

curl -s "http://127.0.0.1:$port/wait" >/dev/null &
sleep 0.5
"$heapray" breakdown "$master" --dir "$segments" --json >"$file"
is "nginx: a request that waits has its pools" "$(jq -c '[.processes[].pools[].kind | select(. == "request" or . == "connection")] | unique' "$file")" \
	'["connection","request"]'
kill -HUP "$master"
sleep 1
"$heapray" breakdown "$master" --dir "$segments" --json >"$file"
is "a worker that drains is marked" "$(jq '[.processes[] | select(.draining)] | length' "$file")" 1
closes "while one drains" "$file"
"$heapray" breakdown "$master" --dir "$segments" >"$work/text"
holds "the text marks it too" grep -q 'draining' "$work/text"
holds "the text names the rule of the sum" grep -q 'Pss' "$work/text"

# The time: the best of five, for the machine may be busy.
best=9999
for _ in 1 2 3 4 5; do
	start=${EPOCHREALTIME/./}
	"$heapray" breakdown "$master" --dir "$segments" >/dev/null
	took=$(((${EPOCHREALTIME/./} - start) / 1000))
	[ $took -lt $best ] && best=$took
done
if [ $best -ge 200 ] && awk '{ exit !($1 > 1.5) }' /proc/loadavg; then
	skip "breakdown of a live nginx takes under 200 ms" "took $best on a busy machine, load $(cut -d ' ' -f 1 /proc/loadavg)"
else
	holds "breakdown of a live nginx takes under 200 ms (took $best)" test $best -lt 200
fi
is "and nginx goes on answering" "$(get /index.html)" static
