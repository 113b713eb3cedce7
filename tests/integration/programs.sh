# SPDX-License-Identifier: BSD-2-Clause
# Real programs: the same output and status under the shim as without, under each allocator.
. "$(dirname "$0")/lib.sh"

# alike NAME COMMAND...: run bare once, then watched under each allocator, each in a new directory.
alike() {
	local name=$1 allocator status
	shift
	mkdir -p "$work/here"
	(cd "$work/here" && timeout 60 "$@") >"$work/bare" 2>"$work/errors"
	status=$?
	for allocator in $allocators; do
		rm -rf "$work/here"
		mkdir -p "$work/here"
		(cd "$work/here" && timeout 60 "$heapray" run --dir "$segments" --allocator "$allocator" -- "$@") >"$work/watched" 2>"$work/errors"
		is "$name under $allocator: status" $? $status
		same "$name under $allocator: output" "$work/bare" "$work/watched"
		is "$name under $allocator: no unknown free" "$("$heapray" stacks "$(ls -t "$segments"/*.seg | tail -1)" --one --json 2>>"$work/errors" | jq .quality.unknown_frees)" 0
		rm -rf "$segments"
	done
	rm -rf "$work/here"
}

cat >"$work/script.sql" <<'END'
create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
	insert into t select i, hex(i * 7919 % 10007) || 'text' from n;
create index t_b on t(b);
select count(*), sum(a), max(b), group_concat(b) from (select * from t where a % 997 = 0);
select b, count(*) from t group by b having count(*) > 1 order by 2 desc, 1 limit 5;
END
alike "sqlite3" sqlite3 :memory: ".read $work/script.sql"

cat >"$work/script.py" <<'END'
import json, re, sys
data = [{"id": i, "name": "n%d" % i, "tags": [str(j) for j in range(i % 7)]} for i in range(4000)]
text = json.dumps(data, sort_keys=True)
back = json.loads(text)
print(len(text), back == data, len(re.findall(r"n\d+7", text)), sys.flags.hash_randomization)
END
alike "python3" env PYTHONMALLOC=malloc PYTHONHASHSEED=0 /usr/bin/python3 "$work/script.py"

cat >"$work/script.lua" <<'END'
local t, n = {}, 0
for i = 1, 30000 do t[i % 500] = { name = ("item %d"):format(i), i } end
for _, v in pairs(t) do n = n + v[1] end
print(n, #table.concat({ ("x"):rep(1000) }, ","))
END
alike "lua5.4" lua5.4 "$work/script.lua"

cat >"$work/unit.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
struct point { double x, y; };
static int by_x(const void *a, const void *b) { return (((struct point *)a)->x > ((struct point *)b)->x) - (((struct point *)a)->x < ((struct point *)b)->x); }
int main(void) { struct point p[100]; for (int i = 0; i < 100; i++) p[i].x = i * 37 % 101; qsort(p, 100, sizeof *p, by_x); printf("%g\n", p[50].x); return 0; }
END
alike "gcc compiling a file" sh -c "gcc -g -O2 -frandom-seed=1 -c -o unit.o $work/unit.c && md5sum <unit.o && gcc -o unit unit.o && ./unit"

# ---- servers ----

# serve PORT ALLOCATOR COMMAND...: starts it watched (ALLOCATOR bare: not) and waits for the port.
serve() {
	local port=$1 allocator=$2
	shift 2
	if [ "$allocator" = bare ]; then
		"$@" >"$work/server" 2>&1 &
	else
		"$heapray" run --dir "$segments" --allocator "$allocator" -- "$@" >"$work/server" 2>&1 &
	fi
	server=$!
	started+=($server)
	await 10 eval "exec 3<>/dev/tcp/127.0.0.1/$port"
}

redis_session() {
	{
		for i in $(seq 1 2000); do
			echo "SET key:$i value:$i"
			echo "LPUSH list:$((i % 10)) $i"
			echo "HSET hash:$((i % 20)) field:$i $i"
			[ $((i % 3)) = 0 ] && echo "DEL key:$i"
		done
		echo "DBSIZE"
		echo "LRANGE list:3 0 -1"
		echo "SORT list:4"
		echo "HGETALL hash:7"
		echo "GET key:1999"
		echo "BGSAVE"
	} | redis-cli -p "$1" | grep -v 'Background saving'
}

port=$(free_port)
for allocator in bare $allocators; do
	rm -rf "$segments" "$work/dump.rdb"
	serve "$port" "$allocator" redis-server --port "$port" --bind 127.0.0.1 --dir "$work" --save '' --daemonize no ||
		{ not_ok "redis-server under $allocator" "$(tail -3 "$work/server")"; continue; }
	redis_session "$port" >"$work/redis.$allocator"
	sleep 0.3
	redis-cli -p "$port" shutdown nosave
	await 10 gone $server
	wait $server
	status=$?
	[ "$allocator" = bare ] && continue
	is "redis-server under $allocator: status" $status 0
	same "redis-server under $allocator: output" "$work/redis.bare" "$work/redis.$allocator"
	is "redis-server under $allocator: no unknown free" \
		"$("$heapray" stacks "$(segment_of $server)" --json | jq .quality.unknown_frees)" 0
done

# talk PORT: a session with memcached.
talk() {
	local i
	exec 4<>"/dev/tcp/127.0.0.1/$1"
	for i in $(seq 1 500); do printf 'set k%d 0 0 %d\r\n%0*d\r\n' "$i" $((i % 90 + 4)) $((i % 90 + 4)) "$i"; done >&4
	for i in $(seq 1 7 500); do printf 'get k%d\r\ndelete k%d\r\n' "$i" "$i"; done >&4
	printf 'get k1 k2 k3\r\nquit\r\n' >&4
	cat <&4
	exec 4>&-
}

for allocator in bare $allocators; do
	rm -rf "$segments"
	serve "$port" "$allocator" memcached -u nobody -l 127.0.0.1 -p "$port" -U 0 ||
		{ not_ok "memcached under $allocator" "$(tail -3 "$work/server")"; continue; }
	talk "$port" >"$work/memcached.$allocator"
	kill -TERM $server
	await 10 gone $server
	wait $server
	status=$?
	[ "$allocator" = bare ] && { bare_status=$status; continue; }
	is "memcached under $allocator: status" $status $bare_status
	same "memcached under $allocator: output" "$work/memcached.bare" "$work/memcached.$allocator"
done
