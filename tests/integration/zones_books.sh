#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# zones_books.sh - every kind of zone under load: free pages, free list and slots as the walk finds them,
# against nginx's own books, read by a program that shares no code with heapray.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_zones.sh"

mkdir -p "$prefix"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$prefix/key.pem" -out "$prefix/cert.pem" \
	-days 2 -subj /CN=localhost 2>/dev/null
tls=$(free_port)
while [ "$tls" = "$port" ]; do tls=$(free_port); done

conf 2 "
	lua_shared_dict dict 2m;
	limit_req_zone \$arg_k zone=requests:1m rate=100000r/s;
	limit_conn_zone \$arg_k zone=connections:1m;
	proxy_cache_path cache keys_zone=keys:1m max_size=10m;
	upstream origin { zone peers 64k; server 127.0.0.1:$port; }
	ssl_session_cache shared:sessions:1m;
	ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_session_tickets off; ssl_protocols TLSv1.2;
	server {
		listen 127.0.0.1:$port;
		listen 127.0.0.1:$tls ssl;
		location /ready { return 200 ok; }
		location /hi { return 200 hi; }
		location /cached { proxy_cache keys; proxy_cache_key \$arg_k; proxy_cache_valid any 1s; proxy_pass http://origin/hi; }
		location /load {
			limit_req zone=requests burst=100000 nodelay;
			limit_conn connections 1000;
			content_by_lua_block {
				local dict, r = ngx.shared.dict, math.random
				for i = 1, 20 do dict:set(r(4000), string.rep('x', r(3) == 1 and r(6000) or r(900))) dict:delete(r(4000)) end
			}
		}
		location /free { content_by_lua_block { ngx.say(ngx.shared.dict:free_space()) } }
	}"

pids() { echo "$master $(pgrep -P "$master" | tr '\n' ' ')"; }

# still: stops every process of the nginx, anywhere in what it does. A process stopped while it holds a zone's lock leaves
# books half done: then the moment is not used.
compare_once() {
	kill -STOP $(pids)
	"$programs/zone_books" "$master" >"$work/books"
	"$heapray" zones "$master" --json >"$work/zones"
	kill -CONT $(pids)
	grep -q locked "$work/books" && return 0
	compared=$((compared + 1))
	jq -r '.zones[] | select(.pages_total) | . as $z
		| "\(.inode) pages \(.pages_free) list \(.pages_free) runs \(.free_runs) longest \(.largest_free_run_pages)",
		(.slots[] | select(.total > 0 or .requests > 0) | (.size_bytes | tostring) as $s
			| "\($z.inode) slot \($s) free \($z.free.sizes[$s] // 0) total \(.total) used \(.used) requests \(.requests) failures \(.failures)")' \
		"$work/zones" | sort >"$work/ours"
	sort "$work/books" >"$work/theirs"
	cmp -s "$work/ours" "$work/theirs" || { differing=$((differing + 1)); diff "$work/ours" "$work/theirs" | head -20; }
}

for mode in bare shimmed; do
	nginx_start $mode || { not_ok "$mode: nginx starts"; continue; }
	cat >"$work/keys.lua" <<-'LUA'
		local n = 0
		request = function()
			n = n + 1
			return wrk.format("GET", (n % 3 == 0 and "/cached" or "/load") .. "?k=" .. math.random(3000))
		end
	LUA
	wrk -t1 -c3 -d60 -s "$work/keys.lua" "http://127.0.0.1:$port/" >/dev/null &
	load=$!
	started+=($load)
	(while kill -0 $load 2>/dev/null; do curl -sk "https://127.0.0.1:$tls/hi" >/dev/null; sleep 0.05; done) &
	started+=($!)
	sleep 1

	compared=0 differing=0
	for i in {1..8}; do
		compare_once
		sleep 0.05
	done
	holds "$mode: most moments are usable" test $compared -ge 4
	is "$mode: the walk equals nginx's books under load" $differing 0
	is "$mode: all kinds are there" "$(jq -r '[.zones[] | select(.pages_total) | .kind] | sort | join(", ")' "$work/zones")" \
		'SSL session, cache keys, limit_conn, limit_req, lua_shared_dict, upstream'
	is "$mode: each was used" "$(jq '[.zones[] | select(.pages_total) | select([.slots[].requests] | add < 4) | .name]' -c "$work/zones")" '[]'

	approximate=0
	for i in {1..8}; do
		approximate=$((approximate + $(zones | jq '[.zones[] | select(.approximate)] | length')))
	done
	holds "$mode: a running nginx can be copied whole (at most 1 of 20 not)" test $approximate -le 3
	echo "$mode: $approximate of 48 copies approximate"

	kill $load
	wait $load 2>/dev/null
	sleep 0.3
	is "$mode: free_space() is the free pages" "$(get /free)" $(($(zones dict | jq .zones[0].pages_free) * 4096))
	nginx_stop
done
