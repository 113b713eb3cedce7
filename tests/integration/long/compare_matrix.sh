# SPDX-License-Identifier: BSD-2-Clause
# The matrix: real programs and servers on all four allocators, watched and bare.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../lib_compare.sh"
. "$(dirname "$0")/../lib_nginx.sh"

# costs NAME: what the shim costs is known for every arm, in time and in memory.
costs() {
	is "$1: bare runs of every arm" "$(field '[.arms[] | (.bare_runs | length) == (.runs | length) and .bare_median.peak_resident_bytes > 0] | all')" true
}

# lives NAME: a server's figures.
lives() {
	is "$1: operations per second, bare and watched" "$(field '[.arms[] | .median.metric > 10, .bare_median.metric > 10] | all')" true
	is "$1: held and in memory when it has settled" \
		"$(field '[.arms[].median | .after_held_bytes >= .after_allocator_resident_bytes and .after_allocator_resident_bytes > 0] | all')" true
	is "$1: a time line through the load" "$(field '[.arms[].timeline.seconds | length > 10] | all')" true
	is "$1: sizes of its live blocks" "$(field '[.arms[].sizes | length > 3] | all')" true
	in_order "$1"
	costs "$1"
}

cat >"$work/work.sql" <<'END'
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000) insert into t select i, hex(i * 7919), i * 1.5 from n;
create index tb on t(b);
select count(*), sum(c) from t where b like '3%';
select length(group_concat(b)) from t;
END
compare --runs 3 -- sqlite3 :memory: ".read $work/work.sql"
served sqlite3 "$allocators"
same_events sqlite3
costs sqlite3

cat >"$work/work.lua" <<'END'
local t = {}
for i = 1, 60000 do t[i] = { tostring(i), i } end
for i = 1, 60000, 3 do t[i] = nil end
collectgarbage()
local s = {}
for i = 1, 3000 do s[#s + 1] = string.rep("x", i) end
print(#table.concat(s))
END
compare --runs 3 -- lua5.4 "$work/work.lua"
served lua5.4 "$allocators"
same_events lua5.4
costs lua5.4

compare --runs 3 -- "$programs/compare_cxx"
served "C++" "$allocators"
same_events "C++"
costs "C++"

port=$(free_port)
compare --runs 2 --settle 500ms --ready "$port" \
	--load "redis-benchmark -p $port -q -n 20000 -r 10000 -d 200 -t set -c 8" --metric 'SET: ([\d.]+) requests' -- \
	redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no
served redis-server "$allocators"
lives redis-server

port=$(free_port)
# 20,000 keys of growing size, by the text protocol.
cat >"$work/memcached.sh" <<'END'
exec 3<>"/dev/tcp/127.0.0.1/$1"
begun=$EPOCHREALTIME
awk 'BEGIN { for (i = 0; i < 20000; i++) { n = 10 + i % 2000; printf "set key%d 0 0 %d noreply\r\n%0*d\r\n", i, n, n, 0 } printf "version\r\n" }' >&3
read -r answer <&3
awk -v a="$begun" -v b="$EPOCHREALTIME" -v answer="$answer" 'BEGIN { printf "%s: %.1f sets per second\n", answer, 20000 / (b - a) }'
END
compare --runs 2 --settle 500ms --ready "$port" --load "bash $work/memcached.sh $port" --metric '([\d.]+) sets' -- \
	memcached -l 127.0.0.1 -p "$port" -U 0 -u nobody -m 64 -t 2
served memcached "$allocators"
lives memcached

port=$(free_port)
nginx_conf
compare --runs 2 --settle 500ms --ready "http://127.0.0.1:$port/index.html" \
	--load "wrk -t1 -c16 -d2 http://127.0.0.1:$port/tables" --metric 'Requests/sec:\s+([\d.]+)' -- \
	"$nginx" -p "$prefix" -c conf/nginx.conf
served nginx "$allocators"
lives nginx
is "nginx: the whole family, master and workers" "$(field '[.arms[].runs[].processes >= 3] | all')" true
is "nginx: no worker is left" "$(pgrep -f "$prefix")" ""

# The same program, tuned: arenas are what glibc keeps for threads.
compare --runs 3 --allocators glibc,glibc:MALLOC_ARENA_MAX=1 -- "$programs/threads" 4000
is "threads: one arena holds less than many" "$(field '.arms | .[0].median.peak_held_bytes > .[1].median.peak_held_bytes')" true
