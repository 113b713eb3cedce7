# SPDX-License-Identifier: BSD-2-Clause
# The Debian package in a clean root: apt resolves what it needs, what it brings works there, and purge leaves nothing.
# The root is made once by debootstrap, in build/debian, and stays as it is: the test works in an overlay of it.
. "$(dirname "$0")/../lib.sh"

[ "$(id -u)" = 0 ] || { skip "the Debian package" "needs root"; exit; }
command -v debootstrap dpkg-shlibdeps >/dev/null || { skip "the Debian package" "no debootstrap, or no dpkg-dev"; exit; }
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
clean=$root/build/debian
if [ ! -e "$clean.made" ]; then
	rm -rf "$clean"
	debootstrap --variant=minbase bookworm "$clean" "$mirror" >"$work/log" 2>&1 ||
		{ skip "the Debian package" "debootstrap: $(tail -1 "$work/log")"; exit; }
	touch "$clean.made"
fi
make -C "$root" -s DEPS=no deb >"$work/log" 2>&1 || { not_ok "make deb" "$(tail -3 "$work/log")"; exit; }
package=$(ls -t "$root"/build/heapray_*.deb | head -1)

there=$work/there
mkdir "$there" "$work/tmpfs"
mount -t tmpfs tmpfs "$work/tmpfs" && mkdir "$work/tmpfs/upper" "$work/tmpfs/work" &&
	mount -t overlay -o "lowerdir=$clean,upperdir=$work/tmpfs/upper,workdir=$work/tmpfs/work" overlay "$there" 2>"$work/log" ||
	{ skip "the Debian package" "an overlay: $(head -1 "$work/log")"; umount -l "$work/tmpfs"; exit; }
mount -t proc proc "$there/proc"
mount -t tmpfs -o mode=1777 tmpfs "$there/dev/shm" 2>/dev/null || { mkdir -p "$there/dev/shm"; mount -t tmpfs -o mode=1777 tmpfs "$there/dev/shm"; }
mounted+=("$there/dev/shm" "$there/proc" "$there" "$work/tmpfs")
cp /etc/resolv.conf "$there/etc/" 2>/dev/null
cp "$package" "$there/heapray.deb"

inside() { chroot "$there" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }

# What is there, but for the books of dpkg and apt, caches and logs.
files() { (cd "$there" && find . -xdev \( -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log -o -path ./tmp \) -prune -o -print | sort); }

inside apt-get -q update >"$work/log" 2>&1 || { skip "the Debian package" "apt-get update: $(tail -1 "$work/log")"; exit; }
files >"$work/before"
inside heapray --version >/dev/null 2>&1
is "heapray is not there before" $? 127
inside apt-get -q -y --no-install-recommends install /heapray.deb >"$work/log" 2>&1
status=$?
is "apt installs it and what it needs" $status 0
[ $status -eq 0 ] || { tail -20 "$work/log"; exit; }
is "what the package brings" "$(inside dpkg -L heapray | while read -r name; do [ -d "$there$name" ] || echo "$name"; done | sort | paste -sd' ')" \
	"/usr/bin/heapray /usr/include/heapray.h /usr/lib/heapray/libheapray.so /usr/share/bash-completion/completions/heapray /usr/share/doc/heapray/copyright /usr/share/man/man1/heapray.1.gz"
is "no library is missing" "$(inside ldd /usr/bin/heapray /usr/lib/heapray/libheapray.so | grep 'not found')" ""
is "heapray --version says that of the package, and the segment's" "$(inside heapray --version | sed 's/version [0-9]*)/version N)/')" \
	"heapray $(inside dpkg-query -W -f '${Version}' heapray) (segment version N)"

inside heapray run -- sh -c true >"$work/out" 2>"$work/errors"
is "heapray run -- sh -c true: status, and nothing said" "$? $(cat "$work/out" "$work/errors")" "0 "
inside heapray run -- sh -c 'exit 7' 2>"$work/errors"
is "heapray run: the program's status" $? 7
inside heapray run -- sh -c 'echo $$; exec sleep 60' >"$work/pid" 2>"$work/errors" &
await 10 test -s "$work/pid"
pid=$(cat "$work/pid")
started+=("$pid")
await 10 eval 'inside heapray ps | grep -q sleep'
inside heapray stacks "$pid" --json >"$work/stacks" 2>"$work/errors"
is "heapray stacks reads it there: what is live, and nothing lost" "$(jq -c '[.total.live_bytes > 0, .quality.lost]' "$work/stacks") $(cat "$work/errors")" "[true,{}] "

cat >"$there/tmp/complete" <<'END'
. /usr/share/bash-completion/completions/heapray
COMP_WORDS=(heapray st) COMP_CWORD=1
_heapray
echo "${COMPREPLY[@]}"
COMP_WORDS=(heapray stacks --gr) COMP_CWORD=2
_heapray
echo "${COMPREPLY[@]}"
complete -p heapray
END
is "completion for bash" "$(inside bash /tmp/complete 2>&1 | paste -sd'|')" "stacks|--group|complete -o filenames -F _heapray heapray"
rm "$there/tmp/complete"
gzip -dc "$there/usr/share/man/man1/heapray.1.gz" >"$work/heapray.1"
same "the man page is this one" "$work/heapray.1" "$root/report/heapray.1"

kill "$pid"
await 10 gone "$pid"
inside apt-get -q -y purge heapray >"$work/log" 2>&1
is "purge" $? 0
inside apt-get -q -y --purge autoremove >>"$work/log" 2>&1
files >"$work/after"
same "purge and autoremove leave nothing" "$work/before" "$work/after"
is "dpkg does not know it any more" "$(inside dpkg-query -W heapray 2>&1 | grep -c 'no packages found')" 1
