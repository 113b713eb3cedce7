# SPDX-License-Identifier: BSD-2-Clause
# A heap that the program announces is a domain: its blocks count there, its chunks nowhere as blocks.
. "$(dirname "$0")/lib.sh"

"$programs/heaps" >"$work/bare" </dev/null
is "the program runs without heapray" "$(cat "$work/bare")" ready

mkfifo "$work/hold"
"$heapray" run --dir "$segments" -- "$programs/heaps" >"$work/out" 2>"$work/errors" <"$work/hold" &
started+=($!)
exec 9>"$work/hold"
await 20 test -s "$work/out"
"$heapray" stacks $! --dir "$segments" --json >"$work/stacks" 2>"$work/errors"
of() { jq "[.stacks[] | select(.domain == \"$1\") | .$2] | add // 0" "$work/stacks"; }
is "live bytes of the heap" "$(of heap:pool live_bytes)" $((599 * 300 + 1000))
is "live blocks of the heap" "$(of heap:pool live_count)" 600
is "all it gave out" "$(of heap:pool allocated_bytes)" $((1000 * 300 + 1000))
is "a block's stack names who cut it" "$(jq '[.stacks[] | select(.domain == "heap:pool" and .frames[0].function == "cut") | .live_count] | add' "$work/stacks")" 599
is "a chunk from mmap is no block any more" "$(of mmap live_bytes)" 0
is "nor is one from malloc" "$(jq '[.stacks[] | select(.domain == "allocator") | .live_bytes] | add < 100000' "$work/stacks")" true
exec 9>&-
