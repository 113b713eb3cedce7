# SPDX-License-Identifier: BSD-2-Clause
# nginx with the Lua module under heapray run: daemon on, two workers, load; what ps, breakdown and stacks say;
# then a worker is killed, one crashes, and the configuration is reloaded.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_nginx.sh"

ps_json() { "$heapray" ps --all --dir "$segments" --json >"$work/ps" || not_ok "ps --json" "exit status $?"; }
live() { jq -r ".processes[] | select(.state == \"live\" and .role == \"$1\") | .pid" "$work/ps" | sort -n; }

nginx_conf
# What nginx answers without the shim.
"$nginx" -p "$prefix" -c conf/nginx.conf 2>"$work/nginx.out" || { not_ok "nginx starts" "$(cat "$work/nginx.out")"; exit; }
await 10 get /index.html
master=$(cat "$prefix/logs/nginx.pid")
started+=("$master")
for page in /index.html /twenty.txt /panic /tables /chained; do get $page; echo; done >"$work/bare"
nginx_stop

nginx_start || { not_ok "nginx starts under the shim" "$(cat "$work/nginx.out" "$prefix/logs/error.log")"; exit; }
ok "nginx starts under the shim"
for page in /index.html /twenty.txt /panic /tables /chained; do get $page; echo; done >"$work/watched"
same "nginx answers as without the shim" "$work/bare" "$work/watched"
# Asked once for each nginx: Debian's own crashes when one worker runs this twice, with and without the shim.
is "an error raised on a JIT trace is caught" "$(grep -c "^falsenot enough memory$" "$work/watched")" 1

load /tables 2
load /index.html 1
get "/keep?[1-400]" >/dev/null
is "under load no request failed" "$(grep -c 'Non-2xx\|Socket errors' "$work/load")" 0

ps_json
is "ps: the master" "$(live master)" "$master"
is "ps: its workers" "$(live worker)" "$(workers | sort -n)"
is "ps: the cache manager" "$(live "cache manager" | wc -l)" 1
is "ps: who forked whom" "$(jq "[.processes[] | select(.state == \"live\" and .role == \"worker\") | .parent_pid] | unique" -c "$work/ps")" "[$master]"
is "ps: allocator, preloaded" "$(jq -c '[.processes[] | select(.state == "live") | [.allocator, .preloaded]] | unique' "$work/ps")" '[["glibc",true]]'

"$heapray" breakdown "$master" --dir "$segments" --json >"$work/breakdown" 2>"$work/errors"
is "breakdown of the master's pid: exit status" $? 0
is "breakdown: all are preloaded" "$(jq '[.processes[].preloaded] | all' "$work/breakdown")" true
is "breakdown: master and workers are in it" "$(jq '[.processes[] | select(.role == "master" or .role == "worker")] | length' "$work/breakdown")" 3
is "breakdown: the allocator's used bytes" \
	"$(jq '[.processes[].components[] | select(.id == "allocator") | .used_bytes > 0] | length >= 3 and all' "$work/breakdown")" true
is "breakdown: no stream Lua" "$(jq '[.processes[].components[] | select(.id == "luajit_stream")] | length' "$work/breakdown")" 0
is "breakdown: components and the unexplained sum to the system's figures" \
	"$(jq -c '[.processes[] | .system.virtual_bytes - .unexplained.virtual_bytes - ([.components[].virtual_bytes] | add),
		.system.resident_bytes - .unexplained.resident_bytes - ([.components[].resident_bytes] | add)] | unique' "$work/breakdown")" '[0]'
# cats 40k, words 1m, visitors 1m, pages 2m
is "breakdown: the shared zones" \
	"$(jq '[.processes[] | .components[] | select(.id == "nginx_shm") | .virtual_bytes >= 4235264] | length >= 3 and all' "$work/breakdown")" true

# What the collector of each worker says, and what heapray says right after.
for _ in {1..20}; do
	answer=$(get /count)
	pid=${answer% *} count=${answer#* }
	[ -n "${seen[pid]:-}" ] && continue
	seen[pid]=1
	"$heapray" breakdown "$pid" --one --dir "$segments" --json >"$work/worker" 2>"$work/errors"
	is "luajit_http within 1 % of collectgarbage(\"count\")" "$(jq --argjson count "$count" \
		'.processes[0].components[] | select(.id == "luajit_http") | (.used_bytes - $count | fabs) < $count / 100' "$work/worker")" true
done

"$heapray" stacks "$master" --dir "$segments" --json >"$work/stacks" 2>"$work/errors"
is "stacks of the family: exit status" $? 0
sums_up "stacks of the family sum up" "$work/stacks"
is "stacks: nginx's configuration is there" \
	"$(jq '[.stacks[].frames[].function | select(. == "ngx_init_cycle" or . == "ngx_conf_parse")] | length > 0' "$work/stacks")" true
is "stacks: the Lua VM is a domain" "$(jq '[.stacks[].domain | select(. == "luajit:http:0")] | length > 0' "$work/stacks")" true
is "stacks: unknown frees" "$(jq .quality.unknown_frees "$work/stacks")" 0
is "stacks: every function has a name" "$(jq '[.stacks[].frames[] | select(.function == null and (.module | test("nginx")))] | length' "$work/stacks")" 0
"$heapray" stacks "$master" --group owner --dir "$segments" --json >"$work/owners"
is "owners: no wrapper owns" \
	"$(jq -c '[.stacks[] | .frames[0].function | select(. != null and test("^(ngx_alloc|ngx_calloc|ngx_memalign|ngx_p(c|n)?alloc|ngx_palloc_.*|ngx_array_.*|ngx_list_.*)$"))]' "$work/owners")" '[]'

# ---- a worker dies ----

victim=$(workers | head -1)
file=$(segment_of "$victim")
before=$("$heapray" stacks "$victim" --one --dir "$segments" --json | jq .total.allocated_count)
kill -9 "$victim"
await 10 gone "$victim"
"$heapray" stacks "$file" --one --json >"$work/dead" 2>"$work/errors"
is "a worker's segment is readable after kill -9" $? 0
is "and holds what it held" "$(jq ".total.allocated_count >= $before" "$work/dead")" true
two_workers() { [ "$(workers | wc -l)" = 2 ]; }
holds "nginx starts another worker" await 10 two_workers
is "which answers" "$(get /index.html)" static
ps_json
is "ps tells the dead worker from the new ones" "$(live worker)" "$(workers | sort -n)"
is "ps --all shows the dead worker" "$(jq -c "[.processes[] | select(.pid == $victim) | .state] | unique" "$work/ps")" '["ended"]'

get /crash >/dev/null
holds "a worker that crashes is replaced" await 10 grep -q 'exited on signal 11' "$prefix/logs/error.log"
await 10 two_workers
is "and nginx answers" "$(get /tables)" 300

# ---- reload ----

old=$(workers | sort -n)
kill -HUP "$master"
replaced() { two_workers && [ "$(workers | sort -n)" != "$old" ]; }
holds "HUP: new workers" await 10 replaced
old_gone() { for pid in $old; do gone "$pid" || return 1; done; }
holds "HUP: the old ones go" await 15 old_gone
is "HUP: nginx answers" "$(get /tables)" 300
ps_json
is "HUP: ps shows the new workers" "$(live worker)" "$(workers | sort -n)"
generation() { jq "[.processes[] | select($1) | .generation] | unique | .[]" "$work/ps"; }
first=$(generation ".pid == $victim") now=$(generation '.state == "live" and .role == "worker"')
is "HUP: ps tells the generations apart" "$(( ${now:-0} > ${first:-0} ))" 1

errors=$(grep -E '\[(emerg|crit)\]|PANIC' "$prefix/logs/error.log")
is "nginx's log has no trouble in it" "$errors" ""
holds "nginx stops" nginx_stop
