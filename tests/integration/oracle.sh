# SPDX-License-Identifier: BSD-2-Clause
# heaptrack as oracle: on the same deterministic program with one thread, the same number of allocations, the
# same bytes never freed and the same peak, to the byte.
. "$(dirname "$0")/lib.sh"

# heaptrack_sum COST: of its folded stacks, nothing suppressed. Its file is .zst, or .gz where there is no zstd.
heaptrack_sum() {
	heaptrack_print -f "$work"/heaptrack.[gz]* -p0 -a0 -T0 -F "$work/folded" --flamegraph-cost-type "$1" \
		--disable-builtin-suppressions --disable-embedded-suppressions >"$work/print" 2>&1
	awk '{ sum += $NF } END { print sum + 0 }' "$work/folded"
}

# figures COMMAND...: of the allocator's domain (heaptrack knows nothing of mmap), then heaptrack's; sets ours, theirs.
figures() {
	rm -rf "$work"/heaptrack.* "$segments"
	heaptrack -o "$work/heaptrack" "$@" >"$work/out" 2>&1
	watched -- "$@" >/dev/null 2>"$work/errors"
	"$heapray" stacks "$(ls -t "$segments"/*.seg | tail -1)" --one --json >"$work/stacks"
	total() { jq "[.stacks[] | select(.domain == \"allocator\") | .$1] | add // 0" "$work/stacks"; }
	ours=("$(total allocated_count)" "$(total live_bytes)" "$(total peak_bytes)")
	theirs=("$(heaptrack_sum allocations)" "$(heaptrack_sum leaked)" "$(heaptrack_sum peak)")
}

# heaptrack brings libstdc++ into the program, whose emergency pool it counts: one block, live until the end.
# So its figures on a program that allocates nothing are what it adds.
figures /bin/true
own=($((theirs[0] - ours[0])) 0 $((theirs[2] - ours[2])))
is "what heaptrack adds is one block" "${own[0]}" 1

agree() {
	local name=$1
	shift
	figures "$@"
	is "$name: allocations" "${ours[0]}" $((theirs[0] - own[0]))
	is "$name: bytes never freed" "${ours[1]}" "${theirs[1]}"
	is "$name: peak" "${ours[2]}" $((theirs[2] - own[2]))
}

cat >"$work/tables.lua" <<'END'
local t = {}
for i = 1, 30000 do t[i % 500] = { name = ("item %d"):format(i), i } end
local parts = {}
for i = 1, 2000 do parts[#parts + 1] = ("x"):rep(i % 50) end
print(#t, #table.concat(parts))
END
agree "lua5.4" lua5.4 "$work/tables.lua"
sed '$a os.exit(0, false)' "$work/tables.lua" >"$work/leaky.lua"
agree "lua5.4 that leaves without cleaning up" lua5.4 "$work/leaky.lua"

cat >"$work/script.sql" <<'END'
create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
	insert into t select i, hex(i * 7919 % 10007) || 'text' from n;
create index t_b on t(b);
select b, count(*) from t group by b having count(*) > 1 order by 2 desc, 1 limit 5;
END
agree "sqlite3" sqlite3 :memory: ".read $work/script.sql"
