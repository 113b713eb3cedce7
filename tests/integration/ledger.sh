# SPDX-License-Identifier: BSD-2-Clause
# `breakdown` of programs, bare and under the shim with each allocator: it adds up, agrees with smaps, and names what
# there is. The programs sleep while they are looked at, so two reads of smaps say the same.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ledger.sh"

file=$work/breakdown

hundred() {
	is "$1: 101 threads, each with its stack" "$(jq '[.processes[0].threads[] | select(.stack_found)] | length' "$file")" 101
	is "$1: 8 MiB each" "$(jq -c '[.processes[0].threads[] | select(.name | test("^t[0-9]")) | .virtual_bytes] | unique' "$file")" \
		'[8388608]'
	is "$1: and what it wrote" "$(jq '[.processes[0].threads[] | select(.name == "t7") | .resident_bytes >= 65536][0]' "$file")" true
}

# ---- not preloaded ----

sleeping "$programs/ledger_threads" || not_ok "threads, bare" "does not start"
look "threads, bare" "$pid" "$file" && hundred "threads, bare"
is "bare: it says so" "$(jq '.processes[0].preloaded' "$file")" false
is "bare: what the allocator does inside is not told" "$(jq -c '[.processes[0] | .allocator, .vms, .pools, .modules]' "$file")" '[null,[],[],[]]'
is "bare: used is unknown, not 0" "$(component "$file" allocator used_bytes)" null
"$heapray" breakdown "$pid" >"$work/text" 2>"$work/errors"
holds "bare: the text says what the shim would add" grep -q 'heapray run' "$work/text"
holds "bare: and that it adds up" grep -q 'components + unexplained = resident (exact)' "$work/text"
end_sleeping

before() { awk '/^Rss:/ { print $2 }' "/proc/$pid/smaps_rollup"; }
sleeping "$programs/ledger_blocks" 64 || not_ok "blocks, bare" "does not start"
look "blocks, bare" "$pid" "$file"
holds "blocks, bare: they are the allocator's" test "$(component "$file" allocator resident_bytes)" -ge $((64 << 20))
rss=$(before)
breakdown_of "$file" "$pid"
is "reading a process does not add to its resident bytes" "$(before)" "$rss"
end_sleeping

# ---- under the shim ----

for allocator in $allocators; do
	sleeping "${watch[@]}" --allocator "$allocator" -- "$programs/ledger_threads" || not_ok "threads, $allocator" "does not start"
	look "threads, $allocator" "$pid" "$file" && hundred "threads, $allocator"
	is "threads, $allocator: preloaded, and by its name" \
		"$(jq -c '.processes[0] | [.preloaded, .allocator.name, ([.components[] | select(.id == "allocator")][0].label)]' "$file")" \
		"[true,\"$allocator\",\"$allocator\"]"
	is "threads, $allocator: each thread's block is in use" \
		"$(jq '[.processes[0].components[] | select(.id == "allocator") | .used_bytes >= 500000 and .used_count >= 200][0]' "$file")" true
	end_sleeping

	sleeping env PYTHONMALLOC=malloc "${watch[@]}" --allocator "$allocator" -- /usr/bin/python3 -c '
import sys
kept = [bytes(1000) for i in range(20000)]
print("ready", flush=True)
sys.stdin.read()' || not_ok "python3, $allocator" "does not start"
	look "python3, $allocator" "$pid" "$file"
	end_sleeping
done
redis_filled jemalloc 200000 "$file"

# ---- LuaJIT: each VM where it belongs ----

sleeping "${watch[@]}" -- "$programs/ledger_vm"
if [ -s "$work/sleeping.out" ]; then
	look "LuaJIT" "$pid" "$file"
	read -r _ http _ stream _ other <"$work/sleeping.out"
	is "LuaJIT: http, stream and other hold what their collectors count" \
		"$(component "$file" luajit_http used_bytes) $(component "$file" luajit_stream used_bytes) $(component "$file" luajit_other used_bytes)" \
		"$http $stream $other"
	is "LuaJIT: each VM's arenas hold it, and are resident" "$(jq '[.processes[0]
		| .vms[] as $vm | [.components[] | select(.id == "luajit_" + $vm.subsystem)][0]
		| $vm.used_bytes <= $vm.held_bytes and .virtual_bytes >= $vm.held_bytes and .resident_bytes >= $vm.used_bytes] | length == 3 and all' "$file")" true
else
	skip "LuaJIT" "libluajit-5.1.so.2 is not installed"
fi
end_sleeping

# ---- ended ----

sleeping "${watch[@]}" -- "$programs/ledger_blocks" 32
wake free
await 10 grep -q half "$work/sleeping.out"
sleep 1.1 # the last published ledger is at most a second old
for _ in {1..200}; do wake more; done
sleep 0.2
breakdown_of "$work/alive" "$pid" --one
kill -9 "$pid"
wait "$pid" 2>/dev/null
if breakdown_of "$file" "$(segment_of "$pid")" --one; then
	closes "ended" "$file"
	is "ended: the allocator's resident bytes are as they were, to 5 %" "$(jq -n --slurpfile a "$work/alive" --slurpfile b "$file" \
		'def r: [.processes[0].components[] | select(.id == "allocator")][0].resident_bytes;
		(($a[0] | r) - ($b[0] | r) | fabs) < ($a[0] | r) / 20')" true
	is "ended: it says so" "$(jq -r '.processes[0].state' "$file")" ended
else
	not_ok "ended: breakdown of its segment" "$(cat "$work/errors")"
fi
end_sleeping

# ---- trouble ----

"$heapray" breakdown 4194303 >"$work/out" 2>"$work/errors"
is "no such process: exit status" $? 2
holds "no such process: one line says why" grep -q '^heapray: ' "$work/errors"
is "no such process: nothing on standard output" "$(wc -c <"$work/out")" 0
