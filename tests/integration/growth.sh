#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# growth.sh - a server that leaks by the book beside one that does not, under the same load, churn and cache.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_growth.sh"

leaky=$(free_port)
calm=$((leaky + 1))
rate=120 seconds=12

serve() {
	"$heapray" run --dir "$segments" -- "$programs/leakserver" serve "$1" >"$work/server.$1" 2>&1 &
	started+=($!) # it execs: the pid is the server's
	await 5 ask "$1" /work
}

ask() {
	curl -s --max-time 5 "http://127.0.0.1:$1$2"
}

serve "$leaky" || not_ok "server starts"
serve "$calm" || not_ok "server starts"
leaky_pid=${started[0]} calm_pid=${started[1]}

# One has its cache filled before, the other fills it meanwhile.
"$programs/leakserver" load "$leaky" 2000 0.3 /work >/dev/null

# The allocator is left with 30 MB that nobody uses.
ask "$leaky" /burst >/dev/null
ask "$calm" /burst >/dev/null

"$programs/leakserver" load "$leaky" $rate $seconds /leak /work >"$work/load.leaky" &
first=$!
"$programs/leakserver" load "$calm" $rate $seconds /work >"$work/load.calm" &
second=$!
"$heapray" growth --dir "$segments" "$calm_pid" --for 10s --every 250ms --json >"$work/calm.json" 2>"$work/calm.err" &
third=$!
before=$(ask "$leaky" /truth) begun=$EPOCHREALTIME
"$heapray" growth --dir "$segments" "$leaky_pid" --for 10s --every 250ms --per request --until 2G --json >"$work/leaky.json" 2>"$work/leaky.err"
status=$?
after=$(ask "$leaky" /truth) ended=$EPOCHREALTIME
wait $third
calm_status=$?
wait $first $second

is "a leak: exit status 1" "$status" 1
is "a leak: one finding" "$(jq '.findings | length' "$work/leaky.json")" 1
holds "the finding is the leak, by its call path" found "$work/leaky.json" 0 '.domain == "allocator" and .frames[0].function == "leak_path"'
truth=$(jq -n --argjson a "$after" --argjson b "$before" --arg s "$begun" --arg e "$ended" \
	'($a.leaked_bytes - $b.leaked_bytes) / (($e | tonumber) - ($s | tonumber))')
near "its slope is the truth" "$(jq '.findings[0].bytes_per_second' "$work/leaky.json")" "$truth" 10
holds "the interval holds the slope" found "$work/leaky.json" 0 '.low <= .bytes_per_second and .bytes_per_second <= .high'
near "bytes for each request" "$(jq '.findings[0].bytes_per_event' "$work/leaky.json")" 512 10
near "it says when 2 GiB are reached" "$(jq '.now | .seconds_to_until * (.until_bytes - .resident_bytes) / (.until_bytes - .resident_bytes)' "$work/leaky.json")" \
	"$(jq '(.now.until_bytes - .now.resident_bytes) / .findings[0].bytes_per_second' "$work/leaky.json")" 1
holds "the cache that filled is no finding, and is named" quiet jq -e '[.settled[].frames[0].function] | index("cache_put")' "$work/calm.json"
holds "what the allocator keeps is told, and no finding" quiet jq -e '.now.retained_bytes > 10000000' "$work/leaky.json"
is "no leak: exit status 0" "$calm_status" 0
is "no leak: no finding" "$(jq '.findings | length' "$work/calm.json")" 0
holds "no leak: it says so" quiet jq -e '.verdict | startswith("nothing")' "$work/calm.json"
holds "the time line has every second" quiet jq -e '.timeline | (.seconds | length) >= 10 and (.seconds | length) == (.domains.allocator | length)' "$work/leaky.json"

# Text: the same figures, and what to do next.
"$heapray" growth --dir "$segments" "$leaky_pid" >"$work/text" 2>&1
holds "text: a chart with a legend" grep -q "allocator.*resident" "$work/text"
holds "text: the verdict" grep -Eq "grow|nothing|too little" "$work/text"

# Too little data is an answer.
"$heapray" growth --dir "$segments" "$calm_pid" --for 200ms --every 100ms --json >"$work/short.json" 2>/dev/null
is "too little data: exit status 0" $? 0
holds "too little data: it says so" quiet jq -e '.verdict | startswith("too little data")' "$work/short.json"

# Marks.
holds "mark sets a mark" quiet "$heapray" mark --dir "$segments" "$calm_pid" warm
holds "a report starts at it" quiet "$heapray" growth --dir "$segments" "$calm_pid" --since warm --json
"$heapray" growth --dir "$segments" "$calm_pid" --since nothing >"$work/unknown" 2>&1
is "an unknown mark: exit status 2" $? 2
is "the program's own mark counts its calls" \
	"$("$heapray" mark --dir "$segments" "$calm_pid" again --json | jq '.marks[] | select(.name == "request") | .count')" \
	"$(ask "$calm" /truth | jq '.requests - 1')"

# Unwatched, heapray_mark does nothing.
"$programs/leakserver" serve $((leaky + 2)) >"$work/server.plain" 2>&1 &
started+=($!)
holds "a program that sets marks runs without heapray" await 5 ask $((leaky + 2)) /work

# An ended process keeps its time line.
kill "$leaky_pid"
await 5 gone "$leaky_pid"
"$heapray" growth --dir "$segments" "$leaky_pid" --json >"$work/ended.json" 2>&1
is "an ended process: the heap is the finding" "$(jq -r '.findings[0] | "\(.domain) \(.seen_by)"' "$work/ended.json")" "allocator timeline"
