# SPDX-License-Identifier: BSD-2-Clause
# A million requests of mixed Lua with every allocation's stack; a minute of lua_stress.lua; and what sampled Lua
# stacks cost: requests a second with and without, in turns.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../lib_nginx.sh"
. "$(dirname "$0")/../lib_lua.sh"

# wrk's script: nineteen light requests, then one with coroutines, errors and code; each answer is compared.
cat >"$work/check.lua" <<END
local want = { ["$(seq -s, 3 2 41)\n"] = true, ["1 2 3 4 5\n"] = true }
local n = 0
function request()
	n = n + 1
	return wrk.format("GET", n % 20 == 0 and "/mixed" or "/light")
end
function response(status, _, body)
	if status ~= 200 or not want[body] then
		local file = io.open("$work/wrong", "a")
		file:write(status, " ", body, "\n")
		file:close()
	end
end
END
requests() { awk '/requests in/ { print $1 }' "$work/load"; }

lua_conf
export HEAPRAY_LUA_SAMPLE=1
nginx_start || { not_ok "nginx starts" "$(cat "$work/nginx.out" "$prefix/logs/error.log")"; exit; }
pid=$(worker) total=0 rounds=0
while [ "$total" -lt 1000000 ] && [ $((rounds += 1)) -lt 100 ]; do
	wrk -t1 -c8 -d5 -s "$work/check.lua" "http://127.0.0.1:$port/" >"$work/load" 2>&1
	total=$((total + $(requests)))
done
is "a million requests, every allocation sampled" "$((total >= 1000000))" 1
is "no wrong answer" "$(head -c 300 "$work/wrong" 2>/dev/null)" ""
is "no error of a socket" "$(grep -c 'Socket errors\|Non-2xx' "$work/load")" 0
is "the worker is the same" "$(worker)" "$pid"
"$heapray" stacks "$pid" --one --dir "$segments" --json >"$work/stacks" 2>>"$work/errors"
echo "dropped walks: $(jq '.quality.lost.lua_walk // 0' "$work/stacks"), lost: $(jq -c .quality.lost "$work/stacks")"
is "at most one walk in 100,000 requests dropped" "$(jq '(.quality.lost.lua_walk // 0) <= 10' "$work/stacks")" true
count=$(get /count)
used=$("$heapray" stacks "$pid" --one --dir "$segments" --json --domain luajit:http:0 | jq .total.live_bytes)
is "the VM's total within 1 % of its collector's count" "$((used > count * 99 / 100 && used < count * 101 / 100))" 1
is "nginx's log has no trouble in it" "$(grep -E '\[(emerg|crit|alert)\]|PANIC' "$prefix/logs/error.log")" ""
nginx_stop
unset HEAPRAY_LUA_SAMPLE

# ---- a minute of stress ----

for sample in 1 65536; do
	HEAPRAY_LUA_SAMPLE=$sample watched -- "$programs/lua_run" "$root/tests/programs/lua_stress.lua" 60 >"$work/out" 2>&1
	is "a minute of stress, sample $sample" "$? $(cut -c1-4 "$work/out")" "0 fine"
done

# ---- what it costs ----

# Two nginx at once, one without Lua stacks; bursts go to the one and the other in turns.
start_pair() {
	with=$port
	nginx_start && with_master=$master
	prefix=$work/nginx2 port=$((port + 1))
	lua_conf
	export HEAPRAY_LUA_SAMPLE=0
	nginx_start && without=$port
	unset HEAPRAY_LUA_SAMPLE
}
burst() { wrk -t1 -c8 -d1 "http://127.0.0.1:$1$2" | awk '/Requests\/sec/ { print $2 }'; }
start_pair
for page in /mixed /strings /light; do
	burst $with $page >/dev/null
	burst $without $page >/dev/null
	for _ in {1..20}; do
		echo "$(burst $with $page) $(burst $without $page)"
	done >"$work/bursts"
	# What else runs on the machine only slows a burst down: the upper quarter of each side is compared.
	ratio=$(awk '{ print $1 / $2 }' <(paste -d' ' <(cut -d' ' -f1 "$work/bursts" | sort -rn) <(cut -d' ' -f2 "$work/bursts" | sort -rn)) |
		head -5 | awk '{ sum += $1 } END { print sum / NR }')
	echo "requests a second with Lua stacks, of those without, $page: $ratio (mean of the five best of 20)"
	holds "$page: at least 97 % of the requests a second, give or take the machine's noise of 3 %" awk "BEGIN { exit !($ratio >= 0.94) }"
done
nginx_stop
master=$with_master
nginx_stop
