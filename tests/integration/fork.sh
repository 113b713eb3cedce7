# SPDX-License-Identifier: BSD-2-Clause
# Forked children keep books of their own from that instant; exec under the same pid is another program.
. "$(dirname "$0")/lib.sh"
fields="live_bytes live_count allocated_bytes allocated_count inherited_bytes"

for allocator in $allocators; do
	watched --allocator "$allocator" -- "$programs/forks" 3 >"$work/books" || not_ok "forks under $allocator" "exit status $?"
	while read -r line; do
		echo "$line" >"$work/line"
		pid=$(jq .pid "$work/line")
		segment=$(segment_of "$pid") || { not_ok "a segment of $pid under $allocator" "there is none"; continue; }
		"$heapray" stacks "$segment" --one --json >"$work/stacks" || { not_ok "stacks of $pid" "exit status $?"; continue; }
		who=child
		[ "$line" = "$(tail -n 1 "$work/books")" ] && who=parent
		# shellcheck disable=SC2086
		matches_books "books of a forked $who under $allocator" "$work/stacks" "$work/line" $fields
		sums_up "books of a forked $who under $allocator sum up" "$work/stacks"
		[ $who = parent ] || is "a child has no part in its parent's other thread under $allocator" \
			"$(jq '[.stacks[] | select(any(.frames[]; .function == "site_noise")) | .allocated_bytes - .inherited_bytes] | add' "$work/stacks")" 0
	done <"$work/books"
done

# The family counts what was inherited once: the parent's ten blocks, and each child's own.
"$heapray" stacks "$(segment_of "$(tail -n 1 "$work/books" | jq .pid)")" --json >"$work/stacks"
row() {
	jq -c "[.stacks[] | select(any(.frames[]; .function == \"$1\"))] | [(map(.allocated_bytes) | add), (map(.allocated_count) | add)]" "$work/stacks"
}
is "a family counts inherited blocks once" "$(row site_before_fork)" '[10000,10]'
is "a family sums what its members allocated" "$(row site_in_child)" '[1807,19]'
is "a family sums what its members resized" "$(row site_resize)" '[15000,3]'

rm -rf "$segments"
watched -- "$programs/execs" 2 >"$work/books"
is "each exec is a segment of its own" "$(ls "$segments" | wc -l)" 3
n=0
for segment in "$segments"/*.seg; do
	n=$((n + 1))
	sed -n ${n}p "$work/books" >"$work/line"
	"$heapray" stacks "$segment" --one --json >"$work/stacks"
	matches_books "books of life $n under one pid" "$work/stacks" "$work/line" live_bytes live_count allocated_bytes allocated_count
done

rm -rf "$segments"
HEAPRAY_FOLLOW_EXEC=0 watched -- sh -c '/bin/true; /bin/true; :'
"$heapray" ps --all --json --dir "$segments" >"$work/ps"
is "HEAPRAY_FOLLOW_EXEC=0: what it execs is not watched" "$(jq '[.processes[] | select(.exe | test("true$"))] | length' "$work/ps")" 0
is "HEAPRAY_FOLLOW_EXEC=0: the first program is" "$(jq '[.processes[] | select(.exe | test("sh$"))] | length > 0' "$work/ps")" true
