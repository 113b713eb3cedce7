# SPDX-License-Identifier: BSD-2-Clause
# Segments of ended processes: the newest 64 stay, older ones go when new ones are made, and none of a process that lives.
. "$(dirname "$0")/lib.sh"

kept=64 one_in=16 # DESIGN: they are looked for in one creation of 16
count() { find "$segments" -name '*.seg' | wc -l; }

"$heapray" run --dir "$segments" -- sleep 1000 &
living=$!
started+=("$living")
await 10 segment_of "$living"

watched -- sh -c 'for i in $(seq 300); do (:); done'
holds "300 forks of one process" test "$(count)" -le $((kept + one_in + 4))

watched -- "$programs/chain" 200 "$work/chained"
await 60 test -e "$work/chained"
holds "200 forks, each of the last one's child" test "$(count)" -le $((kept + 2 * one_in + 4))

# Which of the creations it is is drawn from the clock: 200 in a row without one are one of 400,000.
watched -- sh -c 'for i in $(seq 500); do /bin/true; done'
holds "500 execs" test "$(count)" -le $((kept + 200))
holds "the segment of a process that lives stays" await 1 segment_of "$living"

if unshare -p true 2>/dev/null; then
	mkfifo "$work/in"
	"$heapray" run --dir "$segments" -- "$programs/pidspace" <"$work/in" >"$work/pid" 2>"$work/errors" &
	started+=($!)
	exec 9>"$work/in"
	await 30 test -s "$work/pid"
	watched -- sh -c 'for i in $(seq 200); do (:); done'
	holds "one of another pid namespace stays, though nobody has its pid here" await 1 segment_of "$(cat "$work/pid")"
	exec 9>&-
else
	skip "another pid namespace" "unshare -p is not allowed"
fi
