#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# export.sh - the figures for other tools: folded stacks, Prometheus' text by file and by scrape, JSON. What real pprof
# and Prometheus say of them: long/export_tools.sh.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_zones.sh"
export HEAPRAY_DIR=$segments

conf 2 "lua_shared_dict cats 40k; server { listen 127.0.0.1:$port; location = /ready { return 200; }
	location = /fill { content_by_lua_block { for i = 1, 100 do ngx.shared.cats:safe_set('k' .. i, 'v') end } } }"
nginx_start shimmed || exit 1
get /fill

# ---- folded ----------------------------------------------------------------------------------

"$heapray" stacks "$master" --json >"$work/stacks.json"
for by in live peak allocated count; do
	field=$(case $by in count) echo live_count ;; *) echo ${by}_bytes ;; esac)
	"$heapray" export "$master" --format folded --by $by >"$work/folded"
	is "folded by $by sums to what stacks --json has" "$(awk '{ sum += $NF } END { print sum }' "$work/folded")" \
		"$(jq "[.stacks[].$field] | add" "$work/stacks.json")"
done
# As flamegraph.pl takes a line apart.
is 'each line is frames by semicolons, a space, a number' "$(grep -vcE '^[^;]+(;[^;]+)+ [0-9]+$' "$work/folded")" 0
is 'the outermost frame comes first, after the heap' "$(cut -d ';' -f 1,2 "$work/folded" | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')" 'allocator;_start'

# ---- Prometheus' text --------------------------------------------------------------------------

prom=$work/heapray.prom
"$heapray" export "$master" --format prometheus -o "$prom"
is 'a file for the textfile collector, and nothing beside it' "$? $(ls "$work" | grep -c partial)" '0 0'
value() { sed -n "s/^$1 //p" "$prom"; }
is 'a zone'\''s free pages are those of zones --json' "$(value 'heapray_zone_pages_free{zone="cats",kind="lua_shared_dict",generation="1"}')" \
	"$("$heapray" zones "$master" cats --json | jq '.zones[0].pages_free')"
is 'each process by its role and place' "$(grep -c '^heapray_resident_bytes{process="\(master-0\|worker-0\|worker-1\)"} ' "$prom")" 3
for process in master-0 worker-0 worker-1; do
	is "$process: the components sum to its resident bytes" \
		"$(grep "^heapray_component_resident_bytes{process=\"$process\"" "$prom" | awk '{ sum += $NF } END { printf "%d", sum }')" \
		"$(value "heapray_resident_bytes{process=\"$process\"}")"
done
is 'no sample twice' "$(grep -v '^#' "$prom" | sed 's/ [^ ]*$//' | sort | uniq -d)" ''
is 'no pid in a label: a restart makes no new series' "$(grep -c "\"$master\"" "$prom")" 0
"$heapray" export "$master" --format prometheus -o /nonexistent/x 2>"$work/said"
is 'a file that cannot be written: status 2, and why' "$? $(grep -c 'No such file' "$work/said")" '2 1'

# ---- JSON --------------------------------------------------------------------------------------

"$heapray" export "$master" --format json >"$work/all.json"
is 'JSON has all reports' "$(jq -c '[.schema, (.breakdown.processes | length), (.stacks.stacks | length > 10), (.zones.zones | length), (.growth | has("timeline")), (.heap.maps | length)]' "$work/all.json")" \
	'[1,3,true,2,true,3]'
is 'blocks by size sum to blocks by age' "$(jq '[.heap.sizes[].bytes] | add' "$work/all.json")" "$(jq '[.heap.ages[].bytes] | add' "$work/all.json")"
is 'blocks by owner too' "$(jq '[.heap.owners[].bytes] | add' "$work/all.json")" "$(jq '[.heap.ages[].bytes] | add' "$work/all.json")"
is 'the master'\''s map holds the allocator'\''s live bytes' "$(jq '.heap.maps[0].used_bytes' "$work/all.json")" \
	"$("$heapray" stacks "$master" --one --domain allocator --json | jq .total.live_bytes)"

# ---- a scrape ----------------------------------------------------------------------------------

listen=$((21870 + RANDOM % 20))
"$heapray" export "$master" --listen 127.0.0.1:$listen 2>"$work/said" &
server=$!
started+=("$server")
await 5 curl -s "http://127.0.0.1:$listen/"
scrape() { curl -s --max-time 20 "$@" "http://127.0.0.1:$listen/metrics"; }
scrape -D "$work/head" >"$prom"
is 'a scrape is text of version 0.0.4' "$(grep -ci '^content-type: text/plain; version=0.0.4; charset=utf-8' "$work/head")" 1
is 'with the same series as the file' "$(value heapray_up) $(value heapray_processes) $(value 'heapray_zone_pages{zone="cats",kind="lua_shared_dict",generation="1"}')" '1 3 9'
for i in {1..20}; do scrape >/dev/null; done
# What a scrape leaves in memory went with its child.
is '20 scrapes later the server is as large as before' "$(($(awk '/^VmRSS/ { print $2 }' "/proc/$server/status") < 24000))" 1
is 'another path is not there, another method not allowed' \
	"$(curl -s -o /dev/null -w '%{http_code} ' "http://127.0.0.1:$listen/etc/passwd") $(scrape -o /dev/null -w '%{http_code}' -X POST -d x)" '404  405'
timeout 5 "$heapray" export "$master" --listen 127.0.0.1:$listen 2>"$work/taken"
is 'a port that is taken: status 2, and why' "$? $(grep -c 'Address already in use' "$work/taken")" '2 1'
nginx_stop
is 'when nginx has ended a scrape says so' "$(scrape | grep -c '^heapray_up 0$')" 1
kill "$server"
wait "$server"
is 'SIGTERM ends the server, with 0' "$?" 0
"$heapray" export 1 --listen 127.0.0.1:99999 2>"$work/said"
is 'an address that is none: status 2' "$?" 2
