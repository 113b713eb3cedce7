#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# page_many.sh - the page of a snapshot, and that of 20,000 call paths: small, and quick.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_page.sh"
export HEAPRAY_DIR=$segments
page=$work/page.html
got() { jq -r "$1" "$work/saw"; }

# ---- a snapshot ------------------------------------------------------------------------------

hold "$programs/page_target"
"$heapray" snapshot "$pid" -o "$work/a.snap" 2>"$work/said" && "$heapray" report "$work/a.snap" -o "$page"
is 'a page of a snapshot is written' "$?" 0
kill "$pid"
await 5 gone "$pid"
browse "$page" "$work/saw" <<<"return { figures: $figures, maps: document.querySelectorAll('.heap .layer .cells').length };"
quiet 'a snapshot'\''s page: no error' "$work/saw"
figures_equal 'a snapshot'\''s page: every figure is that of --json, on any machine' "$work/saw" "$work/a.snap"
is 'the heap map is in the snapshot' "$(got '.result.maps')" 2

# ---- many call paths -------------------------------------------------------------------------

hold "$programs/page_target" 20000
TIMEFORMAT='%R %U %S'
{ time "$heapray" report "$pid" -o "$page"; } 2>"$work/time"
echo "20,000 call paths: made in $(cut -d ' ' -f 1 "$work/time") s, $(stat -c %s "$page") bytes"
# By the processor's time: others may be busy on this machine.
holds 'a page of 20,000 call paths takes under a second' awk '{ exit !($2 + $3 < 1) }' "$work/time"
browse "$page" "$work/saw" <<<"return { rows: heapray.stacks.rows.length, live: heapray.state.root.value };"
echo "first paint after $(got .paint_ms) ms"
is '20,000 call paths are all there' "$(got '.result | [.rows > 20000, .live] | join(" ")')" "true $("$heapray" stacks "$pid" --json | jq .total.live_bytes)"
quiet 'and no error' "$work/saw"
holds 'the page is under 1.5 MB' [ "$(stat -c %s "$page")" -lt 1500000 ]
