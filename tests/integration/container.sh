# SPDX-License-Identifier: BSD-2-Clause
# A program in a pid namespace and with a /dev/shm of its own, as in a container, read from outside by the pid
# that it has there.
. "$(dirname "$0")/lib.sh"

unshare -m -p -f --mount-proc true 2>"$work/errors" || { skip "a container" "$(head -1 "$work/errors")"; exit; }
unshare -m -p -f --mount-proc sh -c "mount -t tmpfs -o size=64m tmpfs /dev/shm
	exec '$heapray' run -- '$programs/hold' 3000000 100" >"$work/inside" 2>"$work/errors" &
await 10 test -s "$work/inside" || { not_ok "a program in a container" "$(cat "$work/errors")"; exit; }
pid=$(pgrep -P $!)
is "inside it is process 1" "$(cat "$work/inside")" 1
"$heapray" stacks "$pid" --json >"$work/stacks" 2>"$work/errors"
is "stacks from outside" "$(jq '.total.live_bytes >= 3000000' "$work/stacks")" true
is "functions from outside" "$(jq '[.stacks[].frames[].function | select(. == "site_held")] | length > 0' "$work/stacks")" true
"$heapray" breakdown "$pid" --json >"$work/breakdown" 2>"$work/errors"
is "breakdown from outside" "$(jq '.processes[0].components[] | select(.id == "allocator") | .used_bytes >= 3000000' "$work/breakdown")" true
kill -9 "$pid" # a namespace's first process ignores the others
