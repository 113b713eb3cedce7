#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# nginx.sh [OPTION of heapray compare...] - which allocator for nginx? Two workers compress what they fetch from each
# other; wrk asks. The figures are those of the family: the master and both workers.
set -eu
port=${PORT:-7412}
here=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' INT TERM
mkdir "$place/html" "$place/logs"
chmod 755 "$place"
seq 1 5000 >"$place/html/numbers.txt"
cat >"$place/nginx.conf" <<END
daemon off;
worker_processes 2;
user nobody nogroup;
pid logs/nginx.pid;
error_log logs/error.log;
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	gzip on;
	gzip_types text/plain;
	server {
		listen 127.0.0.1:$port;
		root html;
		location /fetched/ { proxy_pass http://127.0.0.1:$port/; }
	}
}
END
status=0
"${HEAPRAY:-$here/../../build/heapray}" compare \
	--load "wrk -t1 -c16 -d2 -H 'Accept-Encoding: gzip' http://127.0.0.1:$port/fetched/numbers.txt" \
	--ready "http://127.0.0.1:$port/numbers.txt" --settle 1s --metric 'Requests/sec:\s+([\d.]+)' "$@" -- \
	nginx -p "$place" -c nginx.conf || status=$?
exit $status
