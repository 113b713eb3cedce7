# SPDX-License-Identifier: BSD-2-Clause
# lib_nginx.sh - a real nginx for a test: its own prefix below $work, a loopback port, daemon on. After lib.sh.
#
#   nginx_conf [LINE...]   writes a configuration: Lua, two workers, three zones; each LINE goes to the main level
#   nginx_start [OPTION..] starts it under `heapray run OPTION...`; sets $master
#   nginx_stop             quits it and waits
#   get PATH               the body of a page, by curl
#   load PATH SECONDS      many requests
nginx=$(command -v nginx || echo /usr/sbin/nginx)
prefix=$work/nginx
port=$(free_port)
master=

nginx_conf() {
	mkdir -p "$prefix/conf" "$prefix/logs" "$prefix/html"
	ln -sfn /usr/lib/nginx/modules "$prefix/modules" # Debian's module files name a path below the prefix
	echo static >"$prefix/html/index.html"
	head -c 20000 /dev/zero | tr '\0' x >"$prefix/html/twenty.txt"
	local modules=/usr/share/nginx/modules-available lua=
	if [ -z "${without_lua:-}" ]; then
		lua=$(cat $modules/mod-http-ndk.conf $modules/mod-http-lua.conf)
	fi
	{
		printf '%s\n' "$@"
		cat <<END
daemon on;
worker_processes 2;
user nobody nogroup;
pid logs/nginx.pid;
error_log logs/error.log info;
$lua
events { worker_connections 128; }
http {
	access_log off;
	client_body_temp_path temp_body;
	proxy_temp_path temp_proxy;
	fastcgi_temp_path temp_fastcgi;
	uwsgi_temp_path temp_uwsgi;
	scgi_temp_path temp_scgi;
	limit_req_zone \$binary_remote_addr zone=visitors:1m rate=100000r/s;
	proxy_cache_path $prefix/cache keys_zone=pages:2m;
	server {
		listen 127.0.0.1:$port reuseport;
		root html;
		location /limited { limit_req zone=visitors burst=1000; try_files /index.html =404; }
		$(nginx_lua_locations)
	}
	$(nginx_lua_http)
}
END
	} >"$prefix/conf/nginx.conf"
}

nginx_lua_http() {
	[ -n "${without_lua:-}" ] && return
	cat <<'END'
	lua_shared_dict cats 40k;
	lua_shared_dict words 1m;
	init_by_lua_block { kept = {}; for i = 1, 20000 do kept[i] = { i, tostring(i) } end }
END
}

nginx_lua_locations() {
	[ -n "${without_lua:-}" ] && return
	cat <<'END'
		location = /pid { content_by_lua_block { ngx.say(ngx.worker.pid()) } }
		location = /count { content_by_lua_block { ngx.say(ngx.worker.pid(), " ", string.format("%d", collectgarbage("count") * 1024)) } }
		location = /tables { content_by_lua_block {
			local t = {}
			for i = 1, 300 do t[i] = { name = "n" .. i, i } end
			ngx.say(#t)
		} }
		location = /keep { content_by_lua_block {
			kept[#kept + 1] = string.rep("k" .. #kept, 300)
			ngx.shared.words:set(#kept, "value")
			ngx.say(#kept)
		} }
		location = /panic { content_by_lua_block {
			local ns = {} for i = 1, 400 do ns[i] = 10 + i % 3 end ns[390] = 2^30
			ngx.say(pcall(function() local s = 0 for i = 1, 400 do s = s + #string.rep("xxxx", ns[i]) end end))
		} }
		location = /crash { content_by_lua_block {
			local ffi = require "ffi"
			ffi.cdef "int raise(int);"
			ffi.C.raise(11)
		} }
		location = /chained { content_by_lua_block {
			local page = ngx.location.capture("/index.html")
			ngx.print(page.body)
		} }
END
}

nginx_start() {
	rm -f "$prefix/logs/nginx.pid"
	watched "$@" -- "$nginx" -p "$prefix" -c conf/nginx.conf >"$work/nginx.out" 2>&1 || return 1
	await 10 test -s "$prefix/logs/nginx.pid" || return 1
	master=$(cat "$prefix/logs/nginx.pid")
	started+=("$master")
	await 10 get /index.html
}

nginx_stop() {
	kill -QUIT "$master"
	await 10 gone "$master"
}

workers() {
	pgrep -P "$master" -f 'worker process$'
}

get() {
	curl -s --max-time 10 "http://127.0.0.1:$port$1"
}

load() {
	wrk -t1 -c8 -d"$2" "http://127.0.0.1:$port$1" >"$work/load" 2>&1
}
