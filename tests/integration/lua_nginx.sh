# SPDX-License-Identifier: BSD-2-Clause
# nginx with Lua, JIT on, sampled as by default: which line of which handler the memory is from.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_nginx.sh"
. "$(dirname "$0")/lib_lua.sh"

books() { "$heapray" stacks "$(worker)" --one --dir "$segments" --json "$@" 2>>"$work/errors"; }
run_load() { wrk -t1 -c4 -d"${2:-2}" "http://127.0.0.1:$port$1" >"$work/load" 2>&1; }

# share NAME PAGE FIRST LAST: of the bytes that the VM allocates under this load, those from these lines: at least 90 %.
share() {
	get "$2" >"$work/answer"
	books --domain luajit:http:0 >"$work/before"
	run_load "$2"
	books --domain luajit:http:0 >"$work/after"
	local from all
	from=$(($(load_of "$3" "$4" allocated_bytes "$work/after") - $(load_of "$3" "$4" allocated_bytes "$work/before")))
	all=$(($(jq .total.allocated_bytes "$work/after") - $(jq .total.allocated_bytes "$work/before")))
	is "$1 ($((from / 1024)) of $((all / 1024)) KiB)" "$((all > 10000000 && from * 100 >= all * 90))" 1
}

lua_conf
nginx_start || { not_ok "nginx starts" "$(cat "$work/nginx.out" "$prefix/logs/error.log")"; exit; }
share "strings: 90 % at their lines" /strings 13 20
share "ngx.location.capture: 90 % at its lines" /capture 22 29

# ---- a leak of over 50 MB ----

before=$(get /collect)
until [ "$(get /count)" -gt $((before + 60000000)) ]; do
	run_load /leak 1
done
after=$(get /collect)
books >"$work/stacks"
is "the leak's live bytes within 10 % of the truth" "$(load_of 6 11 live_bytes "$work/stacks" |
	jq --argjson truth $((after - before)) '(. - $truth | fabs) < $truth / 10')" true
is "the leaking line is first by live bytes" "$(books --group lua | jq -c --arg app "$app" \
	'.stacks[0].frames[0] | [.module, .file == $app, .line >= 6 and .line <= 8]')" '["lua",true,true]'
is "the stack leads from nginx through the handler to the line" "$(books | jq -r --arg app "$app" \
	'.stacks[0].frames | [.[] | .function // .file] | [index("ngx_http_lua_run_thread"), index("main")] | map(. != null) | all')" true
is "the handler's own frame is between them" "$(books | jq -c --arg app "$app" \
	'.stacks[0].frames[1] | [.module, .line, (.file | startswith("content_by_lua(nginx.conf:"))]')" '["lua",1,true]'
error=$(books --group lua | jq '.stacks[0].live_error_bytes')
is "its error is stated" "$((error > 0 && error < (after - before) / 10))" 1

# ---- malloc through FFI: exact ----

until [ "$(get /blocks)" -gt 20000 ]; do
	run_load /blocks 1
done
blocks=$(get /blocks)
books >"$work/stacks"
is "malloc through FFI: every block at its line" "$(load_of 31 35 live_bytes "$work/stacks")" $((blocks * 1000))

# ---- the VM's own total ----

count=$(get /count)
used=$(books --domain luajit:http:0 | jq .total.live_bytes)
is "the VM's total within 1 % of its collector's count" "$((used > count * 99 / 100 && used < count * 101 / 100))" 1
is "by domain nothing of it is an estimate" "$(books --group domain | jq '[.stacks[].estimated] | any')" false
is "no Lua walk was dropped" "$(books | jq -c '.quality.lost.lua_walk // 0')" 0

# ---- reload: the new worker's books begin anew ----

old=$(worker)
kill -HUP "$master"
replaced() { [ "$(worker | wc -l)" = 1 ] && [ "$(worker)" != "$old" ]; }
await 30 replaced
told() { get /leak >/dev/null && books >"$work/stacks"; }
await 30 told # its rows come with its first event
is "after a reload the leak is gone" "$(jq '.total.live_bytes < 30000000' "$work/stacks")" true
run_load /leak 1
is "and found anew" "$(books --group lua | jq -c --arg app "$app" '.stacks[0].frames[0].file == $app')" true
is "nginx's log has no trouble in it" "$(grep -E '\[(emerg|crit|alert)\]|PANIC' "$prefix/logs/error.log")" ""
holds "nginx stops" nginx_stop
