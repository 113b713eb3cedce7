# SPDX-License-Identifier: BSD-2-Clause
# lib_lua.sh - an nginx with one worker whose handlers are in tests/programs/lua_app.lua. After lib.sh and lib_nginx.sh.
app=$root/tests/programs/lua_app.lua

lua_conf() {
	mkdir -p "$prefix/conf" "$prefix/logs" "$prefix/html"
	ln -sfn /usr/lib/nginx/modules "$prefix/modules"
	echo static >"$prefix/html/index.html"
	cat >"$prefix/conf/nginx.conf" <<END
load_module modules/ndk_http_module.so;
load_module modules/ngx_http_lua_module.so;
daemon on;
worker_processes 1;
user nobody nogroup;
pid logs/nginx.pid;
error_log logs/error.log info;
events { worker_connections 128; }
http {
	access_log off;
	client_body_temp_path temp_body;
	proxy_temp_path temp_proxy;
	fastcgi_temp_path temp_fastcgi;
	uwsgi_temp_path temp_uwsgi;
	scgi_temp_path temp_scgi;
	init_by_lua_block {
		app = dofile("$app")
	}
	server {
		listen 127.0.0.1:$port;
		root html;
		location = /leak { content_by_lua_block { ngx.say(app.leak(100)) } }
		location = /strings { content_by_lua_block { ngx.say(app.strings(50)) } }
		location = /capture { content_by_lua_block { n = (n or 0) + 1 ngx.say(app.capture(n)) } }
		location = /part { content_by_lua_block { app.part(ngx.var.arg_n) } }
		location = /blocks { content_by_lua_block { app.blocks(10) blocks = (blocks or 0) + 10 ngx.say(blocks) } }
		location = /mixed { content_by_lua_block { m = (m or 0) + 1 ngx.say(app.mixed(m)) } }
		location = /light { content_by_lua_block { local t = {} for i = 1, 5 do t[i] = tostring(i) end ngx.say(table.concat(t, " ")) } }
		location = /count { content_by_lua_block { ngx.say(string.format("%d", collectgarbage("count") * 1024)) } }
		location = /collect { content_by_lua_block { collectgarbage() collectgarbage() ngx.say(string.format("%d", collectgarbage("count") * 1024)) } }
	}
}
END
}

worker() { pgrep -P "$master"; }

# load_of FIRST LAST FIELD STACKS: the sum of a field over rows of Lua's frames within these lines of the handlers' file.
load_of() {
	jq --arg app "$app" --argjson first "$1" --argjson last "$2" --arg field "$3" \
		'[.stacks[] | select(any(.frames[]; .file == $app and .line >= $first and .line <= $last)) | .[$field]] | add // 0' "$4"
}
