#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# growth_ages.sh - one look at a server that ran for more than a minute: when its survivors were born tells the leak.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../lib_growth.sh"

leaky=$(free_port)
calm=$((leaky + 1))
for where in $leaky $calm; do
	"$heapray" run --dir "$segments" -- "$programs/leakserver" serve "$where" >"$work/server.$where" 2>&1 &
	started+=($!) # it execs: the pid is the server's
	await 5 curl -s "http://127.0.0.1:$where/work" >/dev/null
done
"$programs/leakserver" load "$leaky" 100 70 /leak /work >/dev/null &
"$programs/leakserver" load "$calm" 100 70 /work >/dev/null &
sleep 67
"$heapray" growth --dir "$segments" "${started[0]}" --json >"$work/leaky.json" 2>/dev/null
is "a leak: exit status 1" $? 1
is "one finding, by ages" "$(jq -c '[.findings[].seen_by]' "$work/leaky.json")" '["ages"]'
holds "it is the leak" found "$work/leaky.json" 0 '.frames[0].function == "leak_path"'
near "its rate is the truth" "$(jq '.findings[0].bytes_per_second' "$work/leaky.json")" 51200 10
"$heapray" growth --dir "$segments" "${started[1]}" --json >"$work/calm.json" 2>/dev/null
is "no leak: exit status 0" $? 0
is "no leak: no finding" "$(jq '.findings | length' "$work/calm.json")" 0

# A snapshot keeps the ages.
holds "a snapshot is taken" quiet "$heapray" snapshot --dir "$segments" "${started[0]}" -o "$work/a.snap"
"$heapray" growth "$work/a.snap" --json >"$work/kept.json" 2>/dev/null
is "a snapshot: the same finding" "$(jq -r '.findings[0] | "\(.seen_by) \(.frames[0].function)"' "$work/kept.json")" "ages leak_path"
for job in $(jobs -p); do kill "$job" 2>/dev/null; done
