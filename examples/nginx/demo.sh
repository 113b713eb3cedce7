#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# demo.sh - starts a real nginx with this directory's configuration under the shim, in a directory and on a port of
# its own, puts load on it, shows what heapray says, and stops it. `make demo` runs it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
heapray=$here/../../build/heapray
nginx=$(command -v nginx || echo /usr/sbin/nginx)
work=$(mktemp -d "${TMPDIR:-/tmp}/heapray-demo.XXXXXX")
chmod 755 "$work"
unset LD_PRELOAD

finish() {
	if [ -s "$work/logs/nginx.pid" ]; then
		local pid i
		pid=$(cat "$work/logs/nginx.pid")
		kill -QUIT "$pid" 2>/dev/null || true
		for i in {1..50}; do
			[ -d "/proc/$pid" ] || break
			sleep 0.1
		done
		kill "$pid" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

port=8080
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
	port=$((port + 1))
done

mkdir "$work/logs" "$work/html"
cp "$here/app.lua" "$work/"
sed "s/127\.0\.0\.1:8080/127.0.0.1:$port/" "$here/nginx.conf" >"$work/nginx.conf"
printf '<p>It works.</p>\n' >"$work/html/index.html"

# show COMMAND...: as a person would type it, then what it prints.
show() {
	printf '\n$ heapray %s\n' "$*"
	"$heapray" "$@" --dir "$work/segments" 2>&1
}

printf '$ heapray run -- nginx -p %s -c nginx.conf\n' "$work"
"$heapray" run --dir "$work/segments" -- "$nginx" -p "$work" -c nginx.conf
for _ in {1..100}; do
	curl -s -o "$work/out" "http://127.0.0.1:$port/hello" && break
	sleep 0.1
done
master=$(cat "$work/logs/nginx.pid")

for path in /hello /table /page /session /limited /index.html; do
	printf '%-12s' "$path"
	wrk -t1 -c16 -d1 "http://127.0.0.1:$port$path" | sed -n 's/^Requests\/sec: */requests a second: /p'
done
curl -s "http://127.0.0.1:$port/leak?[1-4000]" | tail -1 | sed 's/^/\/leak       kept by the last worker asked: /'
curl -s "http://127.0.0.1:$port/cats" | sed 's/^/\/cats       a big value for a full zone: /'

show ps
show breakdown "$master"
show stacks "$master" --group owner --limit 12
show stacks "$master" --limit 3
