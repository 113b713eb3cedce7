# SPDX-License-Identifier: BSD-2-Clause
# Whatever Lua does meanwhile, a walk of its stack neither crashes nor changes anything: coroutines, errors, deep
# recursion, code made and freed, callbacks from C, machine code flushed. A few seconds of what long/lua_stress.sh does.
. "$(dirname "$0")/lib.sh"
seconds=${seconds:-4}

# Threads with VMs of their own, and one VM that all of them use in turn.
for sample in 1 4096; do
	HEAPRAY_LUA_SAMPLE=$sample watched -- "$programs/lua_threads" "$seconds" >"$work/out" 2>"$work/errors"
	is "threads, sample $sample: every answer right" "$? $(cat "$work/out")" "0 fine"
	"$heapray" stacks "$(ls -t "$segments"/*.seg | head -1)" --one --json >"$work/stacks" 2>>"$work/errors"
	is "threads, sample $sample: nothing lives after the end" "$(jq -c '[.stacks[] | select((.domain // "") | startswith("luajit"))
		| .live_bytes] | add // 0' "$work/stacks")" 0
	is "threads, sample $sample: Lua lines are there" "$(jq '[.stacks[] | select(.frames[0].module == "lua")] | length > 2' "$work/stacks")" true
	is "threads, sample $sample: no walk dropped" "$(jq -c '.quality.lost.lua_walk // 0' "$work/stacks")" 0
done

for setting in HEAPRAY_LUA_SAMPLE=1 HEAPRAY_LUA_SAMPLE=65536 HEAPRAY_CHECK_UNWIND=1; do
	for option in "" -joff; do
		[ "$setting$option" = HEAPRAY_CHECK_UNWIND=1-joff ] && continue
		name="$setting${option:+, JIT off}"
		env $setting "$heapray" run --dir "$segments" -- "$programs/lua_run" $option \
			"$root/tests/programs/lua_stress.lua" "$seconds" >"$work/out" 2>"$work/errors"
		is "$name: runs, every answer right" "$? $(cut -c1-4 "$work/out")" "0 fine"
		"$heapray" stacks "$(ls -t "$segments"/*.seg | head -1)" --one --json >"$work/stacks" 2>>"$work/errors"
		is "$name: nothing lives after the end" "$(jq -c '[.stacks[] | select(.domain == "luajit:other:0") | .live_bytes] | add // 0' "$work/stacks")" 0
		is "$name: no walk dropped, no unknown free" "$(jq -c '[.quality.lost.lua_walk // 0, .quality.unknown_frees]' "$work/stacks")" '[0,0]'
		is "$name: the unwinder's stacks are right" "$(jq '.quality.unwind_differences // 0' "$work/stacks")" 0
		[ -s "$work/errors" ] && head -5 "$work/errors"
	done
done
