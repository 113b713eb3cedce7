# SPDX-License-Identifier: BSD-2-Clause
# lib_zones.sh - what the zone tests share: an nginx of their own, bare or under the shim. Source lib.sh first.
#
#   $prefix   its directory; $port: where it listens; $master: its pid

modules='load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;'
prefix=$work/nginx
port=$(free_port)
master=

# conf WORKERS HTTP_BLOCK: writes nginx.conf.
conf() {
	mkdir -p "$prefix/logs"
	cat >"$prefix/nginx.conf" <<-CONF
		$modules
		worker_processes $1;
		pid logs/nginx.pid;
		error_log logs/error.log;
		events { worker_connections 512; }
		http {
			access_log off;
			client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
			$2
		}
	CONF
}

# nginx_start bare|shimmed: as a daemon; sets $master.
nginx_start() {
	local run=()
	[ "$1" = shimmed ] && run=("$heapray" run --dir "$segments" --)
	rm -f "$prefix/logs/nginx.pid"
	"${run[@]}" nginx -p "$prefix/" -c nginx.conf || { cat "$prefix/logs/error.log"; return 1; }
	await 10 test -s "$prefix/logs/nginx.pid" || return 1
	master=$(cat "$prefix/logs/nginx.pid")
	started+=("$master")
	await 10 get /ready
}

nginx_stop() {
	kill "$master"
	await 10 gone "$master"
}

get() { curl -s --max-time 90 "http://127.0.0.1:$port$1"; }

# zones ARGUMENTS...: of the nginx, as JSON on one line.
zones() { "$heapray" zones "$master" "$@" --json | jq -c .; }
