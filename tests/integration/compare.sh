# SPDX-License-Identifier: BSD-2-Clause
# heapray compare: arms are what they say, do the same work, and are void when they are not. One or two runs of each
# here; the matrix of real programs is in long/.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_compare.sh"

# ---- programs that do the same each time ----

cat >"$work/work.sql" <<'END'
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) insert into t select i, hex(i * 7919), i * 1.5 from n;
create index tb on t(b);
select count(*), sum(c) from t where b like '3%';
END
compare --runs 2 --no-bare -- sqlite3 :memory: ".read $work/work.sql"
served sqlite3 "$allocators"
same_events sqlite3

compare --runs 1 -- "$programs/compare_cxx"
served "C++" "$allocators"
same_events "C++"
is "every arm is also run bare" "$(field '[.arms[].bare_runs | length]')" '[1,1,1,1]'
holds "what the shim costs is told" test "$(field '[.arms[].shim_cost | .wall_s, .peak_resident_bytes | numbers] | length')" = 8
is "the fields of the contract" "$(jq -r '["wall_s", "user_s", "system_s", "peak_resident_bytes", "peak_requested_bytes",
	"peak_held_bytes", "allocations", "startup_allocations", "page_faults", "exit_status"] as $r
	| .arms[] | (.runs[], .median) as $run | $r[] | select($run[.] | type != "number")' "$work/json")" ""

# ---- held against requested, by each allocator's own statistics ----

# The program is looked at while it rests: what is held then is what the kernel says, not the allocator.
compare --runs 1 --no-bare --settle 200ms --ready "$work/fragment" --load "cat $work/fragment" --metric '\d+ (\d+)' -- \
	"$programs/compare_fragment" "$work/fragment"
served "fragmentation" "$allocators"
for arm in 0 1 2 3; do
	name=$(field ".arms[$arm].allocator")
	is "fragmentation, $name: held agrees within 2 % with its own statistics" \
		"$(field ".arms[$arm].median | (.after_held_bytes / .metric - 1) | if fabs <= 0.02 then true else . end")" true
	# The program's own count, and what its libraries took (libstdc++'s reserve of 72 KiB comes with some allocators).
	requested=$(cut -d' ' -f1 "$work/fragment")
	is "fragmentation, $name: requested is what the program holds" \
		"$(field ".arms[$arm].median.after_requested_bytes | . >= $requested and . < $requested + 150000")" true
done
holds "fragmentation: held is several times what is requested" \
	test "$(field '[.arms[].median.after_fragmentation > 3] | all')" = true

# ---- a server, tuned arms, what the output says ----

port=$(free_port)
compare --runs 1 --no-bare --allocators glibc,jemalloc:MALLOC_CONF=narenas:1,dirty_decay_ms:0 --settle 100ms --ready "$port" \
	--load "redis-benchmark -p $port -q -n 2000 -r 1000 -d 100 -t set -c 4" --metric 'SET: ([\d.]+) requests' -- \
	redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no
served "redis-server (linked with jemalloc)" "glibc jemalloc:MALLOC_CONF=narenas:1,dirty_decay_ms:0"
is "redis-server: operations per second were read from the load" "$(field '[.arms[].median.metric > 10] | all')" true
is "redis-server: figures of the settled server" "$(field '[.arms[].median | .after_held_bytes > .after_requested_bytes] | all')" true
in_order redis-server

compare --runs 1 --no-bare --metric '(\d+)' --allocators "glibc:HOW=17:MALLOC_ARENA_MAX=1,jemalloc:HOW=4:MALLOC_CONF=narenas:1" -- \
	sh -c 'echo "$HOW"'
is "an arm's variables are the program's" "$(field '[.arms[].median.metric]')" '[17,4]'

"$heapray" compare --markdown --runs 1 --no-bare --allocators glibc,mimalloc -- true >"$work/markdown"
is "Markdown: a table of as many columns everywhere" "$(grep '^|' "$work/markdown" | tr -cd '|\n' | sort -u)" "||||"
"$heapray" compare --csv --runs 2 --allocators glibc,mimalloc -- true >"$work/csv"
is "CSV: a line for every run" "$(cut -d, -f1-3 "$work/csv" | tr '\n' ' ')" \
	'allocator,kind,run "glibc",watched,1 "glibc",watched,2 "glibc",bare,1 "glibc",bare,2 "mimalloc",watched,1 "mimalloc",watched,2 "mimalloc",bare,1 "mimalloc",bare,2 '
is "CSV: of as many columns" "$(tr -cd ',\n' <"$work/csv" | sort -u | wc -l)" 1

# ---- void arms ----

# void NAME WORDS ALLOCATORS COMMAND...: every arm of a library that is there is void and says WORDS; exit 2.
void() {
	local name=$1 words=$2 list=$3
	shift 3
	compare --runs 1 --no-bare --allocators "$list" -- "$@"
	is "$name: exit status 2" "$status" 2
	is "$name: void, and says why" "$(field "[.arms[].void // \"no\" | test(\"$words\")] | all")" true
}

printf 'int main(void) { return 0; }\n' | gcc -x c -static -o "$work/static" - 2>"$work/errors" &&
	void "a static program" "statically linked" glibc,jemalloc "$work/static"
cat >"$work/own.c" <<'END'
#include <stddef.h>
static char pool[1 << 20];
static size_t used;
void *malloc(size_t n) { void *p = pool + used; used += (n + 15) & ~15ul; return p; }
void free(void *p) { }
void *calloc(size_t a, size_t b) { return malloc(a * b); }
void *realloc(void *p, size_t n) { return malloc(n); }
int main(void) { return malloc(10) == 0; }
END
gcc -fno-builtin -w -o "$work/own" "$work/own.c"
void "a program with its own malloc" "malloc is linked into own" jemalloc "$work/own"
void "the allocator before the shim" "wrong order" glibc,mimalloc \
	env "LD_PRELOAD=libjemalloc.so.2:$shim" "$programs/compare_cxx"
void "a program that drops the shim" "went on without the shim" glibc,mimalloc \
	env LD_PRELOAD=libjemalloc.so.2 sleep 0.5
void "a program that crashes" "signal 11" glibc,tcmalloc sh -c 'kill -SEGV $$'
void "a library that is no allocator" "malloc of .* is served by libc.so.6" /usr/lib/x86_64-linux-gnu/libm.so.6 "$programs/compare_cxx"

compare --runs 1 --no-bare --allocators glibc,/nowhere/libfast.so -- true
is "a missing library: exit status 2" "$status" 2
is "a missing library: its arm alone is void" "$(field '[.arms[] | .void == null]')" '[true,false]'

void_load() {
	compare --runs 1 --no-bare --allocators glibc --settle 0 --ready "$1" --load "$2" -- sleep 20
	is "$3: exit status 2" "$status" 2
	is "$3: void, and says why" "$(field ".arms[0].void | test(\"$4\")")" true
}
void_load 0.05 "echo broken; exit 3" "a load that fails" "the load failed with status 3: broken"
compare --runs 1 --no-bare --allocators glibc --ready "$port" --load true -- sh -c 'echo no socket; exit 4'
is "a server that does not start: void, and says why" \
	"$(field '.arms[0].void')" '"it ended before it was ready, with status 4: no socket"'

# ---- it leaves nothing behind ----

"$programs/hold" 1000 100 >"$work/held" &
started+=($!)
"$heapray" compare --runs 1 --no-bare --allocators glibc --ready 0.05 --settle 0 --load "sleep 30" -- sh -c 'sleep 4711 & sleep 4711' >"$work/out" 2>&1 &
comparing=$!
await 10 pgrep -x -f "sleep 471[1]"
kill -TERM $comparing
wait $comparing
is "interrupted: exit status 2" $? 2
holds "interrupted: all it started is gone" await 5 sh -c '! pgrep -x -f "sleep 471[1]"'
is "it leaves nothing in /dev/shm" "$(ls -d /dev/shm/heapray-compare.* 2>/dev/null)" ""
is "others run on" "$(gone "${started[0]}" && echo gone)" ""
