# SPDX-License-Identifier: BSD-2-Clause
# The drop-in of examples/nginx with Debian's nginx.service: systemd finds no fault with it, and its commands do what
# systemd would have them do. In namespaces of its own: /usr/local with heapray installed, /run, and no network.
. "$(dirname "$0")/lib.sh"

unit=/lib/systemd/system/nginx.service
[ "$(id -u)" = 0 ] && unshare -mn true 2>/dev/null || { skip "the drop-in for systemd" "needs root and namespaces"; exit; }
[ -e $unit ] && command -v nginx >/dev/null || { skip "the drop-in for systemd" "no nginx.service"; exit; }
mkdir -p "$work/units/nginx.service.d"
cp $unit "$work/units/"
cp "$root/examples/nginx/heapray.conf" "$work/units/nginx.service.d/"

# there COMMAND: in the namespaces; $1 to $9 are the unit's commands of these names, in this order.
cat >"$work/there" <<'END'
mount -t tmpfs tmpfs /usr/local && mount -t tmpfs tmpfs /run && mount -t tmpfs -o mode=1777 tmpfs /dev/shm &&
	mount -t tmpfs tmpfs /var/log/nginx && ip link set lo up 2>/dev/null
make -C "$root" -s DEPS=no "B=$build" install PREFIX=/usr/local >/dev/null || exit 9
heapray=/usr/local/bin/heapray
command_of() { sed -n "s/^$1=-\{0,1\}\(..*\)/\1/p" "$work"/units/nginx.service "$work"/units/nginx.service.d/heapray.conf | tail -1; }
END
export root build work

if command -v systemd-analyze >/dev/null; then
	unshare -mn bash -c '. "$work/there"; systemd-analyze verify "$work/units/nginx.service"' >"$work/out" 2>&1
	is "systemd-analyze verify: status, and what it says" "$? $(cat "$work/out")" "0 "
else
	skip "systemd-analyze verify" "no systemd here"
fi

cat >"$work/start" <<'END'
. "$work/there"
start=$(command_of ExecStart)
echo "$start" >"$work/started"
sh -c "$(command_of ExecStartPre)" && sh -c "exec $start" || exit
master=$(cat /run/nginx.pid)
for i in $(seq 50); do $heapray ps --dir /dev/shm/heapray.0 --json >"$work/ps" && grep -q '"role": *"worker"' "$work/ps" && break; sleep 0.1; done
echo "$master" >"$work/master"
sh -c "$(command_of ExecReload)"
for i in $(seq 100); do $heapray ps --dir /dev/shm/heapray.0 >"$work/reloaded" && awk '$2 == "worker"' "$work/reloaded" | grep -q ' 1  */usr' && break; sleep 0.1; done
sh -c "$(command_of ExecStop)"
for i in $(seq 100); do kill -0 "$master" 2>/dev/null || break; sleep 0.1; done
kill -0 "$master" 2>/dev/null && { kill -9 "$master"; echo still there; }
exit 0
END
unshare -mn bash "$work/start" >"$work/out" 2>"$work/errors"
is "ExecStartPre, ExecStart, ExecReload, ExecStop: status, and it ended" "$? $(cat "$work/out")" "0 "
is "it is the drop-in's command" "$(grep -c '^/usr/local/bin/heapray run -- /usr/sbin/nginx' "$work/started")" 1
is "the pid in nginx's file is the watched master" "$(jq -r '.processes[]? | select(.role == "master") | .pid' "$work/ps")" "$(cat "$work/master" 2>/dev/null || echo none)"
holds "workers are watched" grep -q '"role": *"worker"' "$work/ps"
is "reload: workers of the next generation are watched" "$(($(awk '$2 == "worker"' "$work/reloaded" | grep -c ' 1  */usr') > 0))" 1
