# SPDX-License-Identifier: BSD-2-Clause
# Access: what another user can read of a segment or have the shim or the reporter do, and what secrets it has.
. "$(dirname "$0")/lib.sh"

# ---- secrets ----

HEAPRAY_DIR=$segments SECRET=in-the-environment LD_PRELOAD=$shim sh -c ': in-the-arguments'
is "the command line is in the segment" "$(cat "$segments"/*.seg | grep -c in-the-arguments)" 1
is "no environment is" "$(cat "$segments"/*.seg | grep -c in-the-environment)" 0
rm -f "$segments"/*
HEAPRAY_DIR=$segments HEAPRAY_CMDLINE=0 LD_PRELOAD=$shim sh -c ': in-the-arguments'
is "HEAPRAY_CMDLINE=0: a segment" "$(find "$segments" -name '*.seg' | wc -l)" 1
is "HEAPRAY_CMDLINE=0: no command line" "$(cat "$segments"/*.seg | grep -c in-the-arguments)" 0
rm -f "$segments"/*

[ "$(id -u)" = 0 ] || { skip "other users" "needs root"; exit; }
nobody() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }

# ---- a segment is for its owner ----

umask 0
"$heapray" run --dir "$work/fresh" -- "$programs/hold" 1000000 100 >"$work/pid" &
started+=($!)
await 10 test -s "$work/pid"
pid=$(cat "$work/pid")
segment=$(ls "$work/fresh/$pid".*.seg)
umask 022
is "modes of the directory and the segment, whatever the umask" "$(stat -c %a "$work/fresh" "$segment" | paste -sd' ')" "700 600"
chmod 755 "$work/fresh" # by the owner; the file is closed all the same
nobody cat "$segment" >/dev/null 2>"$work/errors"
is "nobody cannot read it" $? 1
nobody sh -c ": >>'$segment'" 2>"$work/errors"
is "nor write to it" $(($? != 0)) 1

# ---- the shim writes where it should, or not at all ----

"$programs/busy" >"$work/bare"
mkdir -m 700 "$work/target"
ln -s "$work/target" "$work/link"
ln -s "$work/nowhere" "$work/dangling"
mkdir -m 777 "$work/open"
chmod 777 "$work/open"
mkdir -m 700 "$work/theirs"
chown nobody "$work/theirs"
for place in link dangling open theirs; do
	HEAPRAY_DIR=$work/$place LD_PRELOAD=$shim "$programs/busy" >"$work/out" 2>"$work/errors"
	same "$place as a directory: the program's output" "$work/bare" "$work/out"
	is "$place as a directory: one line says so" "$(grep -c 'not recording' "$work/errors") $(wc -l <"$work/errors")" "1 1"
done
is "nothing was written through a link, nor where others can write" \
	"$(find "$work/target" "$work/nowhere" "$work/open" "$work/theirs" ! -type d 2>/dev/null)" ""
holds "and a dangling link stayed one" test ! -e "$work/nowhere"

if unshare -m true 2>"$work/errors"; then
	unshare -m sh -c "mount -t tmpfs tmpfs /dev/shm; ln -s '$work/target' /dev/shm/heapray.0
		LD_PRELOAD='$shim' exec '$programs/busy'" >"$work/out" 2>"$work/errors"
	same "a link planted as /dev/shm/heapray.0: the program's output" "$work/bare" "$work/out"
	is "a link planted as /dev/shm/heapray.0: nothing written" "$(ls "$work/target")" ""
else
	skip "a link planted in /dev/shm" "$(head -1 "$work/errors")"
fi

# ---- the reader believes a segment's owner only ----

# plant PID UID OWNER: a copy of the segment that says it is of that process and user, as a file of OWNER.
cat >"$work/plant.c" <<'END'
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "heapray_segment.h"
int main(int argc, char **argv)
{
	uint64_t pid = strtoull(argv[2], NULL, 10), uid = strtoull(argv[3], NULL, 10);
	FILE *f = fopen(argv[1], "r+");
	return !f || fseek(f, offsetof(struct hr_header, pid), SEEK_SET) || fwrite(&pid, 8, 1, f) != 1 ||
	       fseek(f, offsetof(struct hr_header, uid), SEEK_SET) || fwrite(&uid, 8, 1, f) != 1 || fclose(f);
}
END
gcc -I"$root/include" -o "$work/plant" "$work/plant.c" || not_ok "plant" "does not compile"
sleep 1000 &
started+=($!)
bare=$!
uid=$(id -u nobody)

mkdir -m 755 "$work/planted"
plant() {
	rm -f "$work/planted"/*
	cp --sparse=always "$segment" "$work/planted/$1.1.seg"
	"$work/plant" "$work/planted/$1.1.seg" "$1" "$2" || not_ok "plant" "$1"
	chown "$3" "$work/planted/$1.1.seg"
}
listed() { "$heapray" ps --all --dir "$work/planted" 2>"$work/errors" | grep -c "^$1 "; }

plant "$bare" 0 root
is "a file of root's that says it is root's: listed" "$(listed "$bare")" 1
plant "$bare" 0 nobody
is "a file of nobody's that says it is root's: not listed" "$(listed "$bare")" 0
is "and it is said whose it is" "$(grep -c "belongs to uid $uid" "$work/errors")" 1
plant "$bare" "$uid" nobody
"$heapray" stacks "$bare" --dir "$work/planted" >"$work/out" 2>"$work/errors"
is "a file of nobody's with the pid of a process of root's: not taken for that process" "$? $(wc -c <"$work/out")" "2 0"
ln -s /dev/zero "$work/planted/$bare.2.seg"
mkfifo "$work/planted/$bare.3.seg"
timeout 10 "$heapray" ps --all --dir "$work/planted" >"$work/out" 2>"$work/errors"
is "devices and pipes in the place of segments do not hold it up" $(($? == 124)) 0
chown nobody "$segment"
"$heapray" stacks "$pid" --dir "$work/fresh" >"$work/out" 2>"$work/errors"
is "a live segment given to nobody: not read" "$? $(wc -c <"$work/out")" "2 0"
chown root "$segment"
"$heapray" stacks "$pid" --dir "$work/fresh" >"$work/out" 2>"$work/errors"
is "given back: read" $? 0
