#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# peak_exit.sh - what a program held when it held most, and what it still held when it ended.
. "$(dirname "$0")/lib.sh"

# A short peak, against a replay of the program's own books.
watched -- "$programs/shortpeak" >"$work/books.json" 2>"$work/run.err"
pid=$(jq .pid "$work/books.json")
"$heapray" stacks --dir "$segments" "$pid" --by peak --json >"$work/stacks.json" 2>"$work/stacks.err"
matches_books "a short peak: its composition by stack is exact" "$work/stacks.json" "$work/books.json" peak_bytes
sums_up "a short peak: the stacks sum to it" "$work/stacks.json"
peak=$(jq '[.sites[].peak_bytes] | add' "$work/books.json")
is "the peak is what the books had at most" "$(jq .total.peak_bytes "$work/stacks.json")" "$peak"
holds "it is a peak: at the end less than a quarter is live" [ "$(jq .total "$work/books.json")" -lt $((peak / 4)) ]
"$heapray" stacks --dir "$segments" "$pid" --by peak >"$work/text" 2>&1
holds "and its time is told" grep -Eq "peak .* at [0-9.]+ m?s" "$work/text"

# What a program ends with.
watched --report - -- "$programs/exitleak" >"$work/exit" 2>"$work/exit.err"
is "run --report gives back the status" $? 3
sed -n '/^Live at exit/,$p' "$work/exit" >"$work/end"
holds "what was made once is told apart" grep -q "97.7 KiB were there since the first half" "$work/end"
holds "what grew is named" grep -q "leaks_all_along" "$work/end"
holds "with all it holds" grep -q "390.6 KiB live in 2,000 blocks" "$work/end"
holds "and nothing else is" eval '! grep -q made_once "$work/end"'
watched --report - -- /bin/true >"$work/short" 2>"$work/short.err"
holds "a run too short to tell says so" grep -q "too short" "$work/short"
