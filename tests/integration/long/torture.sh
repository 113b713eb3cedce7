# SPDX-License-Identifier: BSD-2-Clause
# Torture: programs that do what a preloaded malloc dies of (tests/programs/torture_*), each bare and under the shim,
# under each allocator: the same output, the same status, no hang, and exact books where they can be known.
. "$(dirname "$0")/../lib.sh"

limit=${TORTURE_LIMIT:-240} # seconds; a hang is what takes longer
allocators=${TORTURE_ALLOCATORS:-$allocators}

# under ALLOCATOR COMMAND...: bare, with that allocator.
under() {
	local library=
	case $1 in
	jemalloc) library=libjemalloc.so.2 ;;
	tcmalloc) library=libtcmalloc_minimal.so.4 ;;
	mimalloc) library=libmimalloc.so.2 ;;
	esac
	shift
	env ${library:+LD_PRELOAD=$library} "$@"
}

# What it said on standard error, but for the one line of the shim, tcmalloc's account of each failure, and the shell's of a kill.
complaints() { grep -v -e '^heapray: not recording' -e 'tcmalloc: allocation failed' -e ' Killed  ' "$1" | head -c 200; }

books() { sed 's/"pid":[0-9]*,//' "$1"; }

# tortured NAME COMMAND...: under each of $allocators. One that prints books has them compared with the shim's.
tortured() {
	local name=$1 allocator status
	shift
	for allocator in $allocators; do
		rm -f "$segments"/*
		under "$allocator" timeout $limit "$@" >"$work/bare" 2>"$work/bare_errors"
		status=$?
		timeout $limit "$heapray" run --dir "$segments" --allocator "$allocator" -- "$@" >"$work/out" 2>"$work/errors"
		is "$name under $allocator: status" "$? $(complaints "$work/errors")" "$status $(complaints "$work/bare_errors")"
		books "$work/bare" >"$work/bare_books"
		books "$work/out" >"$work/out_books"
		same "$name under $allocator: output" "$work/bare_books" "$work/out_books"
		grep -q '^{"pid"' "$work/out" || continue
		"$heapray" stacks "$(segment_of "$(jq .pid "$work/out")")" --one --json >"$work/stacks" 2>>"$work/errors"
		matches_books "$name under $allocator: books" "$work/stacks" "$work/out" live_bytes live_count allocated_bytes allocated_count
		is "$name under $allocator: nothing lost" "$(jq -c .quality.lost "$work/stacks")" "{}"
	done
}

tortured "forks while threads allocate, some in forks" "$programs/torture_forkstorm" "${TORTURE_FORKS:-500}"
tortured "SYS_fork, SYS_clone and clone()" "$programs/torture_rawfork"
tortured "exec in a thread" "$programs/torture_execthread"
tortured "short-lived threads with TLS destructors" "$programs/torture_threadstorm"
tortured "races of realloc" "$programs/torture_realloc"
tortured "handlers on a small alternate stack" "$programs/torture_altstack"
tortured "coroutines on stacks unmapped later" "$programs/torture_coroutines"
tortured "recursion to near the stack's end" "$programs/torture_deep"
tortured "libraries loaded and unloaded in one place" "$programs/torture_loads" "$programs"
tortured "no memory" "$programs/torture_nomemory"
tortured "no descriptors" "$programs/torture_nofds" "$work/result"
is "no descriptors: what was opened" "$(cat "$work/result")" fine
allocators=glibc tortured "RTLD_DEEPBIND" "$programs/torture_deepbind" "$programs"

# ---- limits from the start ----

tortured "ulimit -n 4" sh -c "ulimit -n 4; exec $programs/busy"
tortured "ulimit -f 0" sh -c "(ulimit -f 0; exec $programs/torture_realloc 1000) | cat"
tortured "standard error that nobody reads" sh -c \
	"{ exec 3>&1; { sleep 0.3; ulimit -f 0; $programs/torture_realloc 1000 >&3; echo status \$? >&3; } 2>&1 | true; } | cat"
allocators="glibc tcmalloc" tortured "ulimit -v of 100 MiB" sh -c "ulimit -v 102400; exec $programs/torture_realloc 1000"
tortured "ulimit -s of 128 KiB" sh -c "ulimit -s 128; exec $programs/torture_deep"
tortured "standard descriptors closed" sh -c "exec $programs/torture_nofds $work/result <&- >&- 2>&-"

tortured "clocks that go back" sh -c "LD_PRELOAD=\$LD_PRELOAD:$programs/libclock.so exec $programs/busy 20000"

# ---- a cgroup's limit ----

cgroup=
for place in /sys/fs/cgroup/memory /sys/fs/cgroup; do # v1, v2
	[ -z "$cgroup" ] && mkdir "$place/heapray-test.$$" 2>/dev/null || continue
	cgroup=$place/heapray-test.$$
	echo 64M >"$cgroup/memory.limit_in_bytes" 2>/dev/null || echo 64M >"$cgroup/memory.max" 2>/dev/null || { rmdir "$cgroup"; cgroup=; }
done
if [ "$cgroup" ]; then
	tortured "in a cgroup of 64 MiB" sh -c "echo \$\$ >$cgroup/cgroup.procs; exec $programs/busy"
	tortured "killed at a cgroup's limit of 64 MiB" sh -c "echo \$\$ >$cgroup/cgroup.procs; exec $programs/hold 1000000000 1000"
	await 5 rmdir "$cgroup" || not_ok "the cgroup is left" "$(cat "$cgroup/cgroup.procs")"
else
	skip "a cgroup's limit" "no cgroup with a memory limit can be made"
fi

# ---- chroot ----

# Without /proc and /dev/shm; only root may.
if [ "$(id -u)" = 0 ]; then
	mkdir -p "$work/jail/tmp"
	cp "$programs/busy" "$shim" /usr/bin/env "$work/jail"
	ldd "$programs/busy" "$shim" | grep -o '/[^ :)]*\.so[^ :)]*' | grep -v heapray | sort -u | xargs cp --parents -Lt "$work/jail"
	chroot "$work/jail" /busy 1000 >"$work/bare"
	status=$?
	chroot "$work/jail" /env LD_PRELOAD=/libheapray.so /busy 1000 >"$work/out" 2>"$work/errors"
	is "in a chroot without /proc and /dev/shm: status" "$?" "$status"
	same "in a chroot without /proc and /dev/shm: output" "$work/bare" "$work/out"
	is "in a chroot without /proc and /dev/shm: one line" "$(grep -c . "$work/errors") $(grep -c '^heapray: not recording' "$work/errors")" "1 1"
else
	skip "a chroot" "needs root"
fi

# ---- tables full ----

for allocator in $allocators; do
	rm -f "$segments"/*
	kept=$(watched --allocator "$allocator" -- "$programs/torture_stacks" 2>"$work/errors")
	is "a million stacks under $allocator: status" $? 0
	"$heapray" stacks --dir "$segments" "$(ls "$segments"/*.seg)" --json >"$work/stacks" 2>>"$work/errors"
	is "a million stacks under $allocator: the total is exact but for libc's own few" \
		"$(jq --argjson kept "$kept" '.total.live_bytes >= $kept and .total.live_bytes < $kept + 200000' "$work/stacks")" true
	is "a million stacks under $allocator: what had no room is told" "$(jq '.quality.lost | length > 0' "$work/stacks")" true
	sums_up "a million stacks under $allocator: rows" "$work/stacks"
done

# ---- names of four kilobytes ----

# A place so deep that /proc/self/exe just fits, and one deeper than any name.
name=$(printf '%0250d' 0)
deep() {
	cd "$work" || return
	for ((i = 0; i < $1; i++)); do
		mkdir -p "$name" && cd "$name" || return
	done
	cp "$programs/busy" busy
}
for depth in 15 20; do
	deep $depth
	tortured "a program $depth directories of 250 letters deep" ./busy 1000
	cd "$root" || exit
done
tortured "a command line of 100 KB" "$programs/busy" 1000 "$(printf '%0100000d' 0)"

# ---- /dev/shm full later ----

if [ "$(id -u)" = 0 ]; then
	for size in 1m 4m 16m; do
		for allocator in $allocators; do
			unshare -m sh -c "mount -t tmpfs -o size=$size tmpfs /dev/shm
				timeout $limit '$heapray' run --allocator $allocator -- '$programs/torture_fulllater' /dev/shm/full
				status=\$?
				'$heapray' stacks \$(ls /dev/shm/heapray.0/*.seg | head -1) --json >'$work/stacks' 2>'$work/reason'
				exit \$status" >"$work/out" 2>"$work/errors"
			is "/dev/shm of $size full later, under $allocator: status" "$?" 0
			is "/dev/shm of $size full later, under $allocator: output" "$(cat "$work/out")" "100000 blocks, child 0"
			is "/dev/shm of $size full later, under $allocator: told" \
				"$(jq '.quality.lost | length > 0' "$work/stacks" || cat "$work/reason")" true
		done
	done
else
	skip "/dev/shm full later" "needs root"
fi
