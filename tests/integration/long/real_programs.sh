#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# real_programs.sh - programs that others wrote, at their own work, bare and under the shim: a C++ build with the shim in
# each of its processes, python3's own tests for memory, threads and forks, redis with saves and a replica, memcached
# under several clients, sqlite3 on a file. The same results, nothing lost, nothing left behind.
#
# REAL_PROGRAMS (build python redis memcached sqlite) chooses. PYTHON_TESTS is where python3's package `test` is, if it is
# not where Debian's libpython3.11-testsuite puts it.
. "$(dirname "$0")/../lib.sh"

python=/usr/bin/python3
port=$(free_port)

# whole NAME: in every segment nothing was lost. Says how many there are, and empties the directory.
whole() {
	local file count=0 programs=
	rm -f "$work/lost"
	for file in "$segments"/*.seg; do
		[ -e "$file" ] || continue
		count=$((count + 1))
		"$heapray" stacks "$file" --one --json --limit 1 2>>"$work/errors" | jq -c '.quality.lost | select(. != {})' >>"$work/lost" 2>&1
	done
	programs=$("$heapray" ps --all --dir "$segments" --json 2>/dev/null | jq -r '.processes[].exe // empty' 2>/dev/null | sed 's|.*/||' | sort | uniq -c | awk '{ printf "%s%s %s", sep, $1, $2; sep = ", " }')
	echo "$1: $count segments at the end: $programs"
	holds "$1: there are segments" test $count -gt 0
	is "$1: nothing lost in any" "$(sort "$work/lost" | uniq -c | head -3)" ""
	rm -f "$segments"/*.seg
}

# alone NAME: no process that the shim was in is left.
alone() { is "$1: no process is left" "$(grep -ls "$segments/" /proc/[0-9]*/maps | head -3)" ""; }

digest() { md5sum | cut -d' ' -f1; }

# ---- a C++ build -----------------------------------------------------------------------------------------------

# preloaded COMMAND...: with the shim in the environment, as no `heapray run` has put it there.
preloaded() { env LD_PRELOAD="$shim" HEAPRAY_DIR="$segments" "$@"; }

# built INTO [PREFIX...]: googletest and its samples, always in the same place, then moved to INTO.
built() {
	local to=$1
	shift
	rm -rf "$work/build"
	(
		"$@" cmake -S /usr/src/googletest -B "$work/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_GMOCK=OFF -Dgtest_build_samples=ON &&
			"$@" make -C "$work/build" -j2
	) >"$work/build.log" 2>&1 || { not_ok "build" "$(tail -3 "$work/build.log")"; return 1; }
	mv "$work/build" "$to"
}

real_build() {
	local file differ=0 count=0
	[ -e /usr/src/googletest/CMakeLists.txt ] || { skip "googletest" "the package is not installed"; return; }
	built "$work/bare.build" || return
	built "$work/shim.build" preloaded || return
	while read -r file; do
		count=$((count + 1))
		cmp -s "$work/bare.build/$file" "$work/shim.build/$file" && continue
		differ=$((differ + 1))
		echo "differs: $file"
	done < <(cd "$work/bare.build" && find . \( -name '*.o' -o -name '*.a' -o -type f -perm -u+x \) | sort)
	echo "build: $count objects, archives and programs compared"
	holds "build: there is something to compare" test $count -ge 20
	is "build: all bit-identical to those made without the shim" $differ 0
	is "build: the same files" "$(cd "$work/shim.build" && find . -type f | sort | digest)" "$(cd "$work/bare.build" && find . -type f | sort | digest)"
	"$work/shim.build/googletest/sample1_unittest" >"$work/sample" 2>&1
	is "build: what it made runs" "$? $(grep -c '\[  PASSED  \]' "$work/sample")" "0 1"
	is "build: the compiler had the shim" "$("$heapray" ps --all --dir "$segments" --json | jq '[.processes[].exe | select(endswith("/cc1plus"))] | length > 0')" true
	whole build
	alone build
	rm -rf "$work/bare.build" "$work/shim.build"
}

# ---- python3's tests -------------------------------------------------------------------------------------------

# Left out are those that take minutes on two busy cores, with many threads that read random bytes or many descriptors, and
# test_subprocess's second half, which is the first again without poll().
python_options=(-i test_4_daemon_threads -i '*close_fds*' -i '*NoPoll*')

# suite RESULT COMMAND...: each test with its outcome.
suite() {
	local to=$1 xml=$work/tests.xml
	shift
	rm -f "$xml"
	# shellcheck disable=SC2086 # a list
	(cd "$work" && timeout 300 env ${PYTHON_TESTS:+PYTHONPATH="$PYTHON_TESTS"} "$@" "$python" -m test --junit-xml "$xml" "${python_options[@]}" $python_tests) >"$work/suite.log" 2>&1
	echo "status $?" >"$to"
	"$python" - "$xml" >>"$to" <<'END'
import sys, xml.etree.ElementTree as tree
for case in tree.parse(sys.argv[1]).iter("testcase"):
	bad = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
	print(case.get("name"), " ".join(bad) or case.get("result"), case.get("status"))
END
	sort -o "$to" "$to"
}

real_python() {
	local malloc python_tests="test_thread test_threading_local test_gc test_tracemalloc test_fork1 test_memoryview"
	PYTHONPATH=${PYTHON_TESTS:-} "$python" -c 'import test.test_threading' 2>/dev/null || { skip "python3's tests" "libpython3.11-testsuite is not installed"; return; }
	for malloc in pymalloc malloc; do # the two that take long are each in one of the halves
		case $malloc in pymalloc) python_tests+=" test_subprocess" ;; *) python_tests="${python_tests/subprocess/threading}" ;; esac
		suite "$work/suite.bare" env PYTHONMALLOC=$malloc nice
		suite "$work/suite.shim" env PYTHONMALLOC=$malloc "$heapray" run --dir "$segments" -- nice
		echo "python, $malloc: $(grep -vc ^status "$work/suite.bare") tests, $(grep -c completed "$work/suite.bare") of them run to their end; bare $(grep status "$work/suite.bare")"
		holds "python's tests, $malloc: there are some" test "$(grep -c completed "$work/suite.bare")" -gt 300
		same "python's tests, $malloc: each with the same outcome" "$work/suite.bare" "$work/suite.shim"
		whole "python, $malloc"
		alone "python, $malloc"
	done
}

# ---- redis -----------------------------------------------------------------------------------------------------

# redis PORT DIRECTORY [OPTION...] [-- PREFIX...]: starts one there; sets $server.
redis() {
	local at=$1 dir=$2 options=()
	shift 2
	while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
	[ $# -gt 0 ] && shift
	mkdir -p "$dir"
	"$@" redis-server --port "$at" --bind 127.0.0.1 --dir "$dir" --enable-debug-command yes --save '' --logfile log ${options[@]+"${options[@]}"} >"$dir/out" 2>&1 &
	server=$!
	started+=("$server")
	await 60 loaded "$at" # it answers while it loads, with the digest of a part
}
loaded() { [ "$(info "$1" persistence loading)" = 0 ]; }

redis_fill() {
	local i
	for ((i = 0; i < 30000; i++)); do
		echo "SET key:$i value:$i:$((i * 7919))"
		[ $((i % 3)) = 0 ] && echo "HSET hash:$((i % 50)) f:$i $i"
		[ $((i % 5)) = 0 ] && echo "ZADD z:$((i % 20)) $i m:$i"
		[ $((i % 7)) = 0 ] && echo "DEL key:$((i / 2))"
	done | redis-cli -p "$1" --pipe >/dev/null
}

state() { redis-cli -p "$1" debug digest; }
equal() { [ "$(state "$1")" = "$(state "$2")" ]; }
idle() { [ "$(redis-cli -p "$1" info persistence | tr -d '\r' | grep -cE '(rdb_bgsave_in_progress|aof_rewrite_in_progress):0')" = 2 ]; }
info() { redis-cli -p "$1" info "$2" | tr -d '\r' | sed -n "s/^$3://p"; }

real_redis() {
	local under=("$heapray" run --dir "$segments" --) bare after i main second=$((port + 1)) replica saves=0 dir
	redis "$port" "$work/redis.bare" || { not_ok redis starts; return; }
	redis_fill "$port"
	bare=$(state "$port")
	redis-cli -p "$port" shutdown nosave
	await 10 gone "$server"

	redis "$port" "$work/redis.main" --appendonly yes -- "${under[@]}" || { not_ok redis "starts under the shim"; return; }
	main=$server
	redis_fill "$port"
	is "redis: the same data as bare" "$(state "$port")" "$bare"
	redis "$second" "$work/redis.replica" --replicaof "127.0.0.1 $port" -- "${under[@]}"
	replica=$server
	local load until=$((SECONDS + 40))
	while [ $SECONDS -lt $until ]; do
		nice redis-benchmark -p "$port" -q -n 3000 -r 20000 -d 300 -c 20 -t set,lpush,sadd,zadd,hset || exit 1
	done >"$work/benchmark" 2>&1 &
	load=$!
	while kill -0 $load 2>/dev/null; do
		redis-cli -p "$port" bgsave >/dev/null
		await 30 idle "$port" && saves=$((saves + 1))
		redis-cli -p "$port" bgrewriteaof >/dev/null
		await 30 idle "$port" && saves=$((saves + 1))
		# Now and then the replica forgets everything, and syncs in full.
		[ $((saves % 12)) = 4 ] && { redis-cli -p "$second" replicaof no one; redis-cli -p "$second" flushall; redis-cli -p "$second" replicaof 127.0.0.1 "$port"; } >/dev/null
	done
	wait $load
	is "redis: the load ended well" "$? $(grep -ci error "$work/benchmark")" "0 0"
	echo "redis: $saves saves and rewrites under load, $(info "$port" stats total_forks) forks of the main one, $(info "$port" stats sync_full) full syncs"
	holds "redis: it saved while it was loaded" test $saves -ge 4
	is "redis: last save and rewrite" "$(info "$port" persistence rdb_last_bgsave_status) $(info "$port" persistence aof_last_bgrewrite_status)" "ok ok"
	holds "redis: the replica has the same data" await 60 equal "$port" "$second"
	redis-cli -p "$port" bgsave >/dev/null
	await 60 idle "$port"
	after=$(state "$port")
	for i in "$main" "$replica"; do
		is "redis: nothing lost in $([ "$i" = "$main" ] && echo the main one || echo the replica)" "$("$heapray" stacks "$i" --one --dir "$segments" --json | jq -c .quality.lost)" "{}"
	done
	redis-cli -p "$second" shutdown nosave
	redis-cli -p "$port" shutdown nosave
	for i in "$main" "$replica"; do
		await 20 gone "$i"
		wait "$i"
		is "redis: status at the end" $? 0
	done
	mkdir "$work/redis.rdb"
	cp "$work/redis.main/dump.rdb" "$work/redis.rdb/"
	for dir in rdb main; do # a bare one reads what the watched one wrote: the dump, then the append-only file
		redis "$port" "$work/redis.$dir" --appendonly "$([ $dir = main ] && echo yes || echo no)"
		is "redis: a bare one reads the same from $([ $dir = main ] && echo 'the append-only file' || echo 'the dump')" "$(state "$port")" "$after"
		redis-cli -p "$port" shutdown nosave
		await 20 gone "$server"
	done
	is "redis: nothing in the logs that the bare one has not" "$(warnings main replica)" "$(warnings bare)"
	whole redis
	alone redis
}

# warnings NAME...: what the logs warn of, without times and numbers.
warnings() {
	local name
	for name; do grep -hE ' # |BUG|crash' "$work/redis.$name/log"; done | sed -E 's/^[0-9]+:[A-Z] .{24} # //; s/[0-9]+/N/g' |
		grep -vE '^User requested|^Server initialized|Diskless|^Setting secondary replication ID|Redis is now ready to exit|Connection with (master|replica).*lost|^Current BGSAVE' | sort -u
}

# ---- memcached -------------------------------------------------------------------------------------------------

cat >"$work/client.py" <<'END'
# client.py PORT: one client whose answers can be compared, then four at once that know what each key must have.
import hashlib, random, socket, sys, threading
port = int(sys.argv[1])
class Client:
	def __init__(self):
		self.s = socket.create_connection(("127.0.0.1", port))
		self.f = self.s.makefile("rb")
	def set(self, key, value):
		self.s.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))
		return self.f.readline()
	def get(self, *keys):
		self.s.sendall(b"get %s\r\n" % b" ".join(keys))
		found = {}
		while (line := self.f.readline()) != b"END\r\n":
			_, key, _, size = line.split()
			found[key] = self.f.read(int(size))
			self.f.read(2)
		return found
	def say(self, line):
		self.s.sendall(line + b"\r\n")
		return self.f.readline()
def value(key, version):
	return (b"%s:%d;" % (key, version) * 900)[:hash_of(key, version)]
def hash_of(key, version):
	return int.from_bytes(hashlib.md5(b"%s %d" % (key, version)).digest()[:2], "big") % 6000 + 20
all = hashlib.md5()
one, draw = Client(), random.Random(1)
for i in range(20000):
	key = b"k%d" % draw.randrange(3000)
	what = draw.randrange(5)
	answer = (one.set(key, value(key, i)) if what < 2 else one.say(b"delete " + key) if what == 2 else
		one.say(b"append %s 0 0 3\r\nabc" % key) if what == 3 else repr(one.get(key, b"k1", b"k2")).encode())
	all.update(answer)
print("answers", all.hexdigest())
wrong, lock = [], threading.Lock()
def many(n):
	c, r, has = Client(), random.Random(n), {}
	for i in range(15000): # more than its memory: what is gone is gone, what is there is right
		key = b"t%d-%d" % (n, r.randrange(8000))
		if r.randrange(3):
			has[key] = i
			if c.set(key, value(key, i)) != b"STORED\r\n":
				wrong.append(key)
		else:
			for k, v in c.get(key).items():
				if v != value(k, has.get(k, -1)):
					wrong.append(k)
threads = [threading.Thread(target=many, args=(n,)) for n in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print("wrong", len(wrong))
one.s.sendall(b"stats\r\n")
stats = dict(line.split()[1:3] for line in iter(one.f.readline, b"END\r\n"))
print("evicted", int(stats[b"evictions"]) > 0, file=sys.stderr)
END

# memcached NAME [PREFIX...]: serves the client.
memcached_serves() {
	local name=$1 status
	shift
	"$@" memcached -u nobody -l 127.0.0.1 -p "$port" -U 0 -m 48 -t 4 >"$work/memcached.log" 2>&1 &
	server=$!
	started+=("$server")
	await 10 eval "exec 3<>/dev/tcp/127.0.0.1/$port" || { not_ok "memcached, $name" "does not start"; return 1; }
	nice "$python" "$work/client.py" "$port" >"$work/memcached.$name" 2>"$work/evicted"
	is "memcached, $name: the client ends well" "$? $(cat "$work/evicted")" "0 evicted True"
	[ "$name" = bare ] || is "memcached: nothing lost" "$("$heapray" stacks "$server" --one --dir "$segments" --json | jq -c .quality.lost)" "{}"
	kill "$server"
	await 10 gone "$server"
	wait "$server"
	status=$?
	echo "status $status" >>"$work/memcached.$name"
	is "memcached, $name: it said nothing" "$(cat "$work/memcached.log" | grep -v '^Signal handled')" ""
}

real_memcached() {
	memcached_serves bare && memcached_serves shim "$heapray" run --dir "$segments" -- || return
	is "memcached: no wrong answer" "$(grep -h wrong "$work/memcached.bare" "$work/memcached.shim" | sort -u)" "wrong 0"
	same "memcached: the same answers and status" "$work/memcached.bare" "$work/memcached.shim"
	whole memcached
	alone memcached
}

# ---- sqlite3 ---------------------------------------------------------------------------------------------------

cat >"$work/work.sql" <<'END'
pragma journal_mode=wal; pragma cache_size=-4000; pragma mmap_size=0;
create table t(id integer primary key, name text, amount real, body blob);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 120000)
	insert into t select i, hex(i * 7919 % 100003), i * 1.25, zeroblob(i % 200) from n;
create index t_name on t(name); create index t_amount on t(amount, name);
begin; update t set name = name || id where id % 3 = 0; savepoint s; delete from t where id % 2 = 0; rollback to s; commit;
create virtual table words using fts5(text);
insert into words select 'word' || (id % 1000) || ' ' || name from t where id % 4 = 0;
select count(*), rowid from words where words match 'word40*' ;
select a.name, count(*), sum(b.amount), group_concat(b.id) from t a join t b on b.id = a.id * 7 where a.id < 3000 group by a.id % 50 order by 3;
select json_group_array(json_object('id', id, 'name', name)) from (select * from t where id % 5000 = 0);
select id, sum(amount) over (order by id rows between 10 preceding and current row) from t where id % 1000 < 3 limit 200;
delete from t where id % 3 = 1; vacuum; pragma integrity_check; analyze; select * from sqlite_stat1;
.dump words
END

real_sqlite() {
	local name status
	for name in bare shim; do
		mkdir -p "$work/sqlite.$name"
		(cd "$work/sqlite.$name" && if [ $name = bare ]; then sqlite3 base <../work.sql; else watched -- sqlite3 base <../work.sql; fi) >"$work/sqlite.$name.out" 2>&1
		status=$?
		echo "status $status" >>"$work/sqlite.$name.out"
	done
	echo "sqlite3: $(wc -l <"$work/sqlite.bare.out") lines of results, a file of $(stat -c %s "$work/sqlite.bare/base") bytes"
	is "sqlite3: bare it ends well" "$(tail -1 "$work/sqlite.bare.out") $(grep -c '^ok$' "$work/sqlite.bare.out") $(grep -ci error "$work/sqlite.bare.out")" "status 0 1 0"
	same "sqlite3: the same results and status" "$work/sqlite.bare.out" "$work/sqlite.shim.out"
	same "sqlite3: the same file" "$work/sqlite.bare/base" "$work/sqlite.shim/base"
	whole sqlite3
	alone sqlite3
}

for name in ${REAL_PROGRAMS:-build python redis memcached sqlite}; do
	start=$SECONDS
	"real_$name"
	echo "$name took $((SECONDS - start)) s"
done
