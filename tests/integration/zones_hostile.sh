#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# zones_hostile.sh - large zones, zones that go away, lie, or may not be read: no page of them is allocated by looking,
# nothing crashes or hangs, and a clear word is said.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_zones.sh"

escape=$(printf '\033[31m')
common="
	location /ready { return 200 ok; }
	location /slow { content_by_lua_block { ngx.say('slept') ngx.flush(true) ngx.sleep(20) } }"

# object NAME: the map_files path of a zone; resident NAME: its resident bytes, as fincore says.
object() {
	local inode
	inode=$(zones "$1" | jq '.zones[0].inode')
	awk -v inode="$inode" -v pid="$master" '$5 == inode { print "/proc/" pid "/map_files/" $1 }' "/proc/$master/maps"
}
resident() { fincore -b -n -o RES "$(object "$1")"; }
start_of() { local path; path=$(object "$1"); path=${path##*/}; echo $((0x${path%-*})); }

# poke ADDRESS HEX...: overwrites memory of the nginx.
poke() {
	local address=$1
	shift
	printf "$(printf '\\x%s' "$@")" | dd of="/proc/$master/mem" bs=1 seek="$address" conv=notrunc status=none
}

# milliseconds COMMAND...: the processor time of the least of three runs, which other work on the machine does not change much.
milliseconds() {
	local least=999999 took i TIMEFORMAT='%U %S'
	for i in {1..3}; do
		took=$({ time "$@" >/dev/null 2>&1; } 2>&1 | awk '{ printf "%.0f", ($1 + $2) * 1000 }')
		[ "$took" -lt $least ] && least=$took
	done
	echo $least
}

large_zones() {
	conf 1 "lua_shared_dict huge 1024m; lua_shared_dict wide 64m;
		server { listen 127.0.0.1:$port; $common
			location /fill { content_by_lua_block {
				local huge, value = ngx.shared.huge, string.rep('x', 1900)
				for i = 1, 3000000 do if not huge:safe_set(i, value) then break end end
				ngx.say(huge:free_space())
			} } }"
	nginx_start bare || return
	local before
	before=$(resident wide)
	zones >/dev/null
	zones wide --layout --sizes --fit 1m >/dev/null
	"$heapray" zones "$master" wide --layout --sizes --svg "$work/wide.svg" >/dev/null
	is 'looking at an untouched zone leaves it untouched' "$(resident wide)" "$before"
	is 'resident bytes are what fincore says' "$(zones wide | jq '.zones[0].resident_bytes')" "$before"
	holds "1 GiB, empty: listed in under 100 ms" test "$(milliseconds "$heapray" zones "$master" --json)" -lt 100
	is 'a dict of 1 GiB is filled' "$(get /fill)" 0
	local listed laid_out
	listed=$(milliseconds "$heapray" zones "$master" --json)
	laid_out=$(milliseconds "$heapray" zones "$master" huge --layout)
	echo "1 GiB, full: listed in $listed ms, laid out in $laid_out ms"
	holds "1 GiB, full: listed in under 100 ms" test "$listed" -lt 100
	holds "1 GiB, full: laid out in under 1 s" test "$laid_out" -lt 1000
	holds "1 GiB, full: its picture stays small" test "$("$heapray" zones "$master" huge --svg - | wc -c)" -lt 1500000
	nginx_stop
}

generations() {
	conf 1 "lua_shared_dict kept 64k;
		upstream up { zone peers 64k; server 127.0.0.1:$port; }
		server { listen 127.0.0.1:$port; $common }"
	nginx_start bare || return
	curl -sN --max-time 30 "http://127.0.0.1:$port/slow" >"$work/slow" &
	started+=($!)
	await 5 test -s "$work/slow"
	kill -HUP "$master"
	await 10 eval '[ "$(zones peers | jq ".zones | length")" = 2 ]'
	is 'a zone made anew by a reload is two generations' "$(zones peers | jq -c '[.zones[].generation]')" '[1,2]'
	is 'the master maps the newer one' "$(zones peers | jq -c --argjson m "$master" '[.zones[].pids | any(. == $m)]')" '[false,true]'
	is 'a zone that a reload kept is one' "$(zones kept | jq -c '[.zones[].generation]')" '[1]'
	is 'a zone is listed once for the family' "$(zones | jq -c '[.zones[].inode] | length == (unique | length)')" true
	nginx_stop
}

names() {
	conf 1 "lua_shared_dict \"ev${escape}il<b>\" 64k; limit_req_zone \$arg_k zone=plain:64k rate=1r/s;
		server { listen 127.0.0.1:$port; $common }"
	nginx_start bare || return
	is 'a hostile name is exact in JSON' "$(zones | jq '[.zones[].name] | any(. == "ev\u001b[31mil<b>")')" true
	is 'a hostile name sends no escape to the terminal' "$("$heapray" zones "$master" --color=never | grep -cF "$escape")" 0
	is "nginx's own zone is told" "$(zones | jq -r '.zones[] | select(.pages_total == null) | [.name, .kind] | join(" ")')" 'nginx_shared_zone other'

	# As of a module that sets none: the pool's log context is its own empty string.
	local start
	start=$(start_of plain)
	poke $((start + 168)) $(printf '%016x' $((start + 176)) | sed 's/../& /g' | awk '{ for (i = NF; i > 0; i--) printf "%s ", $i }')
	is 'a zone without a name of its own is found in ngx_cycle' "$(zones plain | jq -r '.zones[] | [.name, .kind] | join(" ")')" \
		'plain ngx_http_limit_req_module'
	nginx_stop
}

corrupted() {
	conf 1 "lua_shared_dict cats 256k; server { listen 127.0.0.1:$port; $common }"
	nginx_start bare || return
	local start bytes i
	start=$(start_of cats)
	# Page descriptors of noise: 60 pages of 24 bytes, after 200 bytes of head and 9 slots of 56.
	bytes=$(head -c 1000 /dev/urandom | od -An -v -tx1)
	poke $((start + 704)) $bytes
	zones cats >"$work/noise"
	is 'a pool of noise is called approximate' "$(jq '.zones[0].approximate' "$work/noise")" true
	holds 'a pool of noise can be drawn' timeout 5 "$heapray" zones "$master" cats --layout --sizes --fit 9000 --svg "$work/noise.svg" 
	poke $((start + 704 + 24)) 05 00 00 00 00 00 00 00
	poke "$start" 63 00 00 00
	holds 'a lock that nobody gives back is waited for only briefly' timeout 5 "$heapray" zones "$master" cats
	poke $((start + 96)) 41 41 41 41 41 41 41 41
	is 'a pool with a wrong end is no pool' "$(zones | jq -c '[.zones[] | select(.size_bytes == 262144) | .state, .pages_total]')" '[null,null]'
	kill -9 "$master" $(pgrep -P "$master")
	await 5 gone "$master"
}

going_away() {
	conf 2 "lua_shared_dict a 1m; lua_shared_dict b 8m; upstream up { zone peers 64k; server 127.0.0.1:$port; }
		server { listen 127.0.0.1:$port; $common }"
	nginx_start bare || return
	(while kill -HUP "$master" 2>/dev/null; do sleep 0.05; done) &
	started+=($!)
	local bad=0 status n
	for n in {1..20}; do
		[ "$n" != 15 ] || kill "$master"
		timeout 10 "$heapray" zones "$master" --json >"$work/out" 2>"$work/err"
		status=$?
		case $status in
		0) jq -e .schema "$work/out" >/dev/null || bad=$((bad + 1)) ;;
		2) grep -q '^heapray: ' "$work/err" || bad=$((bad + 1)) ;;
		*) bad=$((bad + 1)) ;;
		esac
	done
	is 'zones that come and go are read or refused in words' $bad 0
	await 10 gone "$master"
}

unprivileged() {
	conf 1 "lua_shared_dict cats 40k; server { listen 127.0.0.1:$port; $common
		location /fill { content_by_lua_block { for i = 1, 9 do ngx.shared.cats:set(i, i) end } } }"
	mkdir -p "$prefix"/t{1,2,3,4,5}
	rm -f "$prefix/logs/"*
	chown -R nobody "$prefix"
	cp "$heapray" "$work/heapray" && chmod 755 "$work/heapray" # a checkout may be closed to others
	local nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
	"${nobody[@]}" nginx -p "$prefix/" -c nginx.conf -e logs/error.log
	await 10 test -s "$prefix/logs/nginx.pid" || { not_ok 'nginx of another user starts' "$(cat "$prefix/logs/error.log")"; return; }
	master=$(cat "$prefix/logs/nginx.pid")
	started+=("$master")
	await 10 get /ready
	get /fill
	local whole='.zones[] | select(.name == "cats") | [.pages_free, .used.count, .free.count, .state, .approximate]'
	"${nobody[@]}" "$work/heapray" zones "$master" --json >"$work/theirs"
	is "a user reads his own nginx's slabs" "$(jq -c "$whole" "$work/theirs")" "$(zones | jq -c "$whole")"
	is 'without the right to ask, resident is not known' "$(jq -c '.zones[] | select(.name == "cats") | [.resident_bytes, .origin]' "$work/theirs")" \
		'[null,"process"]'
	setpriv --reuid=daemon --regid=nogroup --clear-groups "$work/heapray" zones "$master" >"$work/out" 2>&1
	holds "another user's nginx is refused in words" grep -qiE 'permi|not be read|cannot' "$work/out"
	nginx_stop
}

large_zones
generations
names
corrupted
going_away
unprivileged
