# SPDX-License-Identifier: BSD-2-Clause
# Bad input and trouble: one clear line and one on what to try, exit status 2; and a target that runs on.
. "$(dirname "$0")/lib.sh"

# trouble NAME PATTERN COMMAND...: exits with 2, says so on standard error in one line (or with one more on what to
# try), of which the first matches, and nothing on standard output.
trouble() {
	local name=$1 pattern=$2 status lines
	shift 2
	timeout 20 "$@" >"$work/out" 2>"$work/errors"
	status=$?
	lines=$(grep -vc '^information\.$' "$work/errors") # argp breaks its line before that word
	if [ $status -ne 2 ]; then
		not_ok "$name" "exit status $status, wanted 2: $(head -1 "$work/errors")"
	elif [ -s "$work/out" ]; then
		not_ok "$name" "standard output: $(head -1 "$work/out")"
	elif [ "$lines" -lt 1 ] || [ "$lines" -gt 2 ]; then
		not_ok "$name" "$lines lines of error"
	elif ! head -1 "$work/errors" | grep -qE "^heapray.*: .*$pattern"; then
		not_ok "$name" "it says: $(head -1 "$work/errors")"
	else
		ok "$name"
	fi
}

"$heapray" run --dir "$segments" -- "$programs/hold" 1000000 100 target >"$work/pid" &
started+=($!)
await 10 test -s "$work/pid"
pid=$(cat "$work/pid")
await 10 segment_of "$pid"
segment=$(segment_of "$pid")
sleep 1000 &
started+=($!)
bare=$!
no_pid=$(cat /proc/sys/kernel/pid_max)

for command in breakdown stacks; do
	trouble "$command: no such pid" "$no_pid" "$heapray" $command "$no_pid"
	trouble "$command: not a pid, not a file" "nonsense" "$heapray" $command nonsense
	trouble "$command: a file that is no segment" "" "$heapray" $command /etc/passwd
	trouble "$command: a directory without segments" "" "$heapray" $command --dir "$work"
	trouble "$command: an unknown option" "option" "$heapray" $command --no-such-option
	trouble "$command: two targets" "" "$heapray" $command "$pid" "$pid"
done
trouble "stacks: a process without a segment" "$bare" "$heapray" stacks $bare
trouble "stacks: an unknown order" "" "$heapray" stacks "$pid" --dir "$segments" --by colour
trouble "stacks: an unknown group" "" "$heapray" stacks "$pid" --dir "$segments" --group colour
trouble "stacks: a bad limit" "" "$heapray" stacks "$pid" --dir "$segments" --limit many
trouble "stacks: an unknown domain" "" "$heapray" stacks "$pid" --dir "$segments" --domain nowhere
trouble "ps: an unknown option" "option" "$heapray" ps --no-such-option
trouble "an unknown command" "frobnicate" "$heapray" frobnicate
trouble "run without a command" "" "$heapray" run
trouble "run: an allocator that is not there" "" "$heapray" run --dir "$segments" --allocator nosuch -- /bin/true
trouble "run: a library that is not there" "" "$heapray" run --dir "$segments" --allocator /none/such.so -- /bin/true
trouble "run: a bad sample" "" "$heapray" run --dir "$segments" --sample lots -- /bin/true
"$heapray" run --dir "$segments" -- /none/such >"$work/out" 2>"$work/errors"
is "run: a program that is not there: status" "$(($? == 2 || $? == 127))" 1
is "run: a program that is not there: one line" "$(grep -c /none/such "$work/errors")" 1
is "breakdown without a segment shows what can be known" "$("$heapray" breakdown $bare --json 2>"$work/errors" | jq -c '[.processes[0].preloaded, .processes[0].components[0].used_bytes // null]')" '[false,null]'
for command in ps stacks breakdown; do
	"$heapray" $command --dir "$segments" >/dev/full 2>"$work/errors"
	is "$command: a full disk under standard output" $? 2
done

# ---- segments that are not what they should be ----

damaged=$segments/damaged # in memory too: copying it stays cheap
damage() { cp --sparse=always "$segment" "$damaged"; }
for command in stacks breakdown; do
	damage; printf '\377\0\0\0' | dd of="$damaged" bs=1 seek=8 conv=notrunc status=none
	trouble "$command: a segment of another version" "version" "$heapray" $command "$damaged"
	damage; printf 'NOTHEAP!' | dd of="$damaged" bs=1 seek=0 conv=notrunc status=none
	trouble "$command: a segment without its magic" "" "$heapray" $command "$damaged"
	for size in 0 7 100 5000 9000 200000; do
		damage; truncate -s $size "$damaged"
		trouble "$command: a segment cut to $size bytes" "" "$heapray" $command "$damaged"
	done
done
mkfifo "$work/fifo"
trouble "stacks: a pipe" "" "$heapray" stacks "$work/fifo"
trouble "stacks: a directory" "" "$heapray" stacks "$work"

bad=
for seed in {1..60}; do
	damage
	"$programs/scribble" "$damaged" "$seed" || bad="$bad scribble"
	timeout 10 "$heapray" stacks "$damaged" --json >"$work/out" 2>"$work/errors"
	status=$?
	case $status in
	0) jq -e . "$work/out" >/dev/null 2>&1 || bad="$bad $seed:json" ;;
	2) [ -s "$work/errors" ] || bad="$bad $seed:silent" ;;
	*) bad="$bad $seed:$status" ;;
	esac
done
is "stacks of 60 scribbled segments: an answer or a reason" "$bad" ""

# ---- permissions and places ----

cp "$heapray" "$work/heapray" && chmod 755 "$work/heapray"
if [ "$(id -u)" = 0 ]; then
	as_nobody="setpriv --reuid nobody --regid nogroup --clear-groups"
	trouble "no permission: a pid" "" $as_nobody "$work/heapray" breakdown "$pid"
	trouble "no permission: a segment" "" $as_nobody "$work/heapray" stacks "$segment"
	cp "$segment" "$work/theirs.seg"
	chown nobody "$work/theirs.seg"
	mkdir "$work/theirs" && chown nobody "$work/theirs"
	trouble "run: --dir owned by somebody else" "" "$heapray" run --dir "$work/theirs" -- /bin/true
	"$programs/busy" >"$work/bare"
	unshare -m true 2>"$work/errors" || namespaces=no
	place() {
		[ -z "${namespaces:-}" ] || { skip "$1" "mount namespaces are not permitted here"; return; }
		local name=$1
		unshare -m sh -c "$2; exec '$heapray' run -- '$programs/busy'" >"$work/out" 2>"$work/errors"
		is "$name: the program's status" $? 7
		same "$name: the program's output" "$work/bare" "$work/out"
		is "$name: at most one line about it" "$(($(wc -l <"$work/errors") <= 2))" 1
	}
	place "a full /dev/shm" 'mount -t tmpfs -o size=64k tmpfs /dev/shm; head -c 1M /dev/zero >/dev/shm/full 2>/dev/null'
	place "a read-only /dev/shm" 'mount -t tmpfs -o ro tmpfs /dev/shm'
	place "no /dev/shm" 'mount -t tmpfs tmpfs /dev; mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/zero c 1 5; mknod -m 666 /dev/urandom c 1 9'
else
	skip "permissions and places" "needs root"
fi

# ---- what cannot be preloaded: a warning, and the program runs ----

echo 'int main(void) { __builtin_puts("runs"); return 5; }' >"$work/plain.c"
unloadable() {
	local name=$1 program=$2
	watched -- "$program" >"$work/out" 2>"$work/errors"
	is "run: a $name program runs" "$? $(cat "$work/out")" "5 runs"
	is "run: a $name program is warned of" "$(grep -c "$name" "$work/errors")" 1
}
gcc -static -o "$work/static" "$work/plain.c" && unloadable static "$work/static"
musl-gcc -o "$work/musl" "$work/plain.c" && unloadable musl "$work/musl"
if [ "$(id -u)" = 0 ]; then
	gcc -o "$work/setuid" "$work/plain.c" && chown nobody "$work/setuid" && chmod u+s "$work/setuid"
	unloadable setuid "$work/setuid"
fi

# A shim that is not first, and a malloc of the program's own: said once, and in ps.
LD_PRELOAD="libjemalloc.so.2 $shim" HEAPRAY_DIR=$segments /bin/true 2>"$work/errors"
is "a shim behind the allocator says so, once" "$(grep -c . "$work/errors")" 1

holds "the target ran on through all this" kill -0 "$pid"
is "and is still readable" "$("$heapray" stacks "$pid" --dir "$segments" --json | jq '.total.live_bytes >= 1000000')" true
rm -f "$damaged"
"$heapray" clean --dir "$segments" >"$work/out" 2>&1
is "clean leaves the live segment alone" "$(ls "$segments")" "$(basename "$segment")"
