#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# export_tools.sh - what real tools make of the exports: go tool pprof reads the profile and its totals are ours; promtool
# finds nothing to say about the metrics and the rules; a real Prometheus scrapes a real nginx and answers the queries
# of examples/fleet.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../lib_zones.sh"
export HEAPRAY_DIR=$segments HOME=$work GOFLAGS=-mod=mod GOTOOLCHAIN=local

conf 2 "lua_shared_dict cats 40k; server { listen 127.0.0.1:$port; location = /ready { return 200; }
	location = /fill { content_by_lua_block { for i = 1, 100 do ngx.shared.cats:safe_set('k' .. i, 'v') end } } }"
nginx_start shimmed || exit 1
get /fill

# ---- pprof -------------------------------------------------------------------------------------

"$heapray" export "$master" --format pprof -o "$work/heap.pb.gz"
"$heapray" stacks "$master" --json >"$work/stacks.json"
pprof() { go tool pprof -unit=b -nodecount=1000000 -nodefraction=0 "$@" "$work/heap.pb.gz" 2>"$work/said"; }
for pair in alloc_objects:allocated_count alloc_space:allocated_bytes inuse_objects:live_count inuse_space:live_bytes; do
	total=$(pprof -top -sample_index="${pair%%:*}" | sed -nE 's/.*Showing nodes accounting for ([0-9]+)[Bb]?, 100% of ([0-9]+)[Bb]? total.*/\1 \2/p')
	ours=$(jq "[.stacks[].${pair##*:}] | add" "$work/stacks.json")
	is "go tool pprof: the total of ${pair%%:*} is ours, to the unit" "$total" "$ours $ours"
done
is 'it knows the program and its build-id' "$(pprof -top | sed -n 's/^File: //p; s/^Build ID: //p' | paste -sd ' ')" \
	"nginx $(readelf -n /usr/sbin/nginx | sed -n 's/.*Build ID: //p')"
is 'a function has the flat bytes of stacks --group function' "$(pprof -top -sample_index=inuse_space | awk '$6 == "CRYPTO_zalloc" { print $1 }')" \
	"$("$heapray" stacks "$master" --group function --json | jq -r '[.stacks[] | select(.frames[0].function == "CRYPTO_zalloc").live_bytes] | add | "\(.)B"')"
pprof -raw >"$work/raw"
is 'each heap is a label' "$(grep -oE 'domain:\[[^]]*\]' "$work/raw" | sort -u | paste -sd ' ')" "$(jq -r '[.stacks[].domain] | unique | map("domain:[\(.)]") | join(" ")' "$work/stacks.json")"

# ---- Prometheus ----------------------------------------------------------------------------------

fleet=$root/examples/fleet
"$heapray" export "$master" --format prometheus >"$work/heapray.prom"
is 'promtool has nothing to say about the metrics' "$(promtool check metrics <"$work/heapray.prom" 2>&1)" ''
holds 'nor about the rules of the example' promtool check rules "$fleet/rules.yml"
listen=$((21870 + RANDOM % 20)) web=$((21840 + RANDOM % 20))
mkdir -p "$work/prometheus"
sed "s/127\.0\.0\.1:9464/127.0.0.1:$listen/; s/\(scrape_interval\|evaluation_interval\|scrape_timeout\): .*/\1: 5s/" \
	"$fleet/prometheus.yml" >"$work/prometheus/prometheus.yml"
sed 's/interval: .*/interval: 5s/' "$fleet/rules.yml" >"$work/prometheus/rules.yml"
holds 'nor about its configuration' promtool check config "$work/prometheus/prometheus.yml"
"$heapray" export "$master" --listen 127.0.0.1:$listen 2>"$work/said" &
started+=($!)
prometheus --config.file="$work/prometheus/prometheus.yml" --storage.tsdb.path="$work/prometheus/data" --web.listen-address=127.0.0.1:$web \
	>"$work/prometheus/log" 2>&1 &
started+=($!)
query() { curl -s --max-time 10 -G "http://127.0.0.1:$web/api/v1/query" --data-urlencode "query=$1"; }
answered() { [ "$(query "$1" | jq '.data.result | length')" -gt 0 ]; }
holds 'a real Prometheus scrapes it' await 90 answered 'heapray_zone_pages_free{zone="cats"}'
is 'and answers for a zone'\''s free pages' "$(query 'heapray_zone_pages_free{zone="cats"}' | jq -r '.data.result[0].value[1]')" \
	"$("$heapray" zones "$master" cats --json | jq '.zones[0].pages_free')"
while IFS= read -r panel; do
	holds "a panel of the example has an answer: $panel" await 60 answered "$panel" # rates need two scrapes
done < <(sed -n 's/^    query: //p' "$fleet/README.md")
await 30 answered 'heapray:family_resident_bytes'
is 'a recording rule has its series' "$(query heapray:family_resident_bytes | jq '.data.result | length')" 1
nginx_stop
down() { [ "$(query heapray_up | jq -r '.data.result[0].value[1]')" = 0 ]; }
holds 'when nginx has ended, heapray_up is 0' await 60 down
