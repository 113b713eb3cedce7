#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# nginx_ten_minutes.sh - two nginx at once, one bare and one under the shim, with the same load and the same signals: HUP
# every second, and after a fifth of the time a worker that is drawn killed about every three seconds. As many requests fail
# as without the shim, segments stay within their bound, and the shim's own memory does not grow.
#
# What makes it fair: a request takes 5 ms (it sleeps), so that a worker has requests open whenever it is ended. A worker
# is stopped, its connections are counted, then it is killed: that many requests may fail, and no more. The draws are
# the same for both. Each nginx has two wrk: one connects for each request (HUP alone fails none of these), the other
# keeps its connections (a worker that ends after HUP may close one just as a request comes: nginx does so by itself).
#
# NGINX_SECONDS (600) is the whole time, NGINX_SEED (1) what the draws start from.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../lib_nginx.sh"

seconds=${NGINX_SECONDS:-600}
calm=$((seconds / 5)) stormy=$((seconds - seconds / 5))
connections=8 # of each wrk
RANDOM=${NGINX_SEED:-1}
declare -A ports prefixes masters hups kills terms held # by arm

nginx_lua_locations() {
	cat <<'END'
		location = /work { content_by_lua_block {
			local t = {}
			for i = 1, 30 do t[i] = { name = "n" .. i, i } end
			ngx.sleep(0.005)
			ngx.say(#t)
		} }
END
}

# arm NAME: takes a port and a prefix of its own, and starts nginx there.
arm() {
	ports[$1]=$port prefixes[$1]=$work/nginx.$1
	prefix=${prefixes[$1]}
	nginx_conf
	if [ "$1" = shim ]; then
		nginx_start
	else
		"$nginx" -p "$prefix" -c conf/nginx.conf && await 10 test -s "$prefix/logs/nginx.pid" &&
			master=$(cat "$prefix/logs/nginx.pid") && started+=("$master") && await 10 get /work
	fi || { not_ok "$1: nginx starts" "$(cat "$work/nginx.out" "$prefix/logs/error.log")"; exit; }
	masters[$1]=$master
}

# loads PHASE SECONDS: both wrk of both arms, in the background.
loads() {
	local arm how
	wrks=()
	for arm in bare shim; do
		for how in close keep-alive; do
			nice wrk -t1 -c$connections -d"$2" --timeout 30s -H "Connection: $how" "http://127.0.0.1:${ports[$arm]}/work" \
				>"$work/$1.$arm.$how" 2>&1 &
			wrks+=($!)
		done
	done
	started+=("${wrks[@]}")
}

# failed PHASE ARM HOW: requests that got no answer or a wrong one; requests: those that were answered.
failed() { awk '/Socket errors/ { gsub(",", ""); n += $4 + $6 + $8 + $10 } /Non-2xx/ { n += $NF } END { print n + 0 }' "$work/$1.$2.$3"; }
requests() { awk '/requests in/ { n = $1 } END { print n + 0 }' "$work/$1.$2.$3"; }

# connections_of PID PORT: those it has accepted and not closed.
connections_of() {
	find "/proc/$1/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null | awk -v port="$(printf ':%04X$' "$2")" '
		NR == FNR { gsub(/[^0-9]/, ""); mine[$0]; next }
		$2 ~ port && $4 != "0A" && $10 in mine { n++ }
		END { print n + 0 }' - /proc/net/tcp
}

stopped() { grep -q '^State:.T' "/proc/$1/status"; }

# end_one ARM DRAW SIGNAL: stops the worker that DRAW falls on (each fourth draw takes old ones on their way out as well),
# counts, and signals it.
end_one() {
	local all pid
	if [ $(($2 / 64 % 4)) = 0 ]; then mapfile -t all < <(pgrep -P "${masters[$1]}"); else mapfile -t all < <(pgrep -P "${masters[$1]}" -f 'worker process$'); fi
	[ ${#all[@]} -gt 0 ] || return
	pid=${all[$2 % ${#all[@]}]}
	kill -STOP "$pid" 2>/dev/null && await 2 stopped "$pid" || return # it has just ended by itself
	held[$1]=$((held[$1] + $(connections_of "$pid" "${ports[$1]}")))
	kill -"$3" "$pid"
	kill -CONT "$pid" 2>/dev/null
	if [ "$3" = KILL ]; then kills[$1]=$((kills[$1] + 1)); else terms[$1]=$((terms[$1] + 1)); fi
}

own() { # PID: the shim's own memory there, as the shim says and as the kernel does
	"$heapray" breakdown "$1" --one --dir "$segments" --json 2>>"$work/errors" |
		jq -r '"\(.quality.own_bytes) \([.processes[0].components[] | select(.id == "heapray").resident_bytes] | add)"'
}
own_of_worker() { # a new one's, once it has a segment; it may be ended while we look
	local tries
	for tries in {1..20}; do
		own "$(workers | tail -1)" | grep -E '^[0-9]+ [0-9]+$' && return
		sleep 0.1
	done
}

kept=64 one_in=16 # DESIGN: dead segments but the newest 64 go, looked for in one creation of 16 of each process
slack=8           # who has died and is not waited for yet; who has forked since the count
most=0 worst=-1000
look() {
	local files live
	files=$(find "$segments" -name '*.seg' | wc -l)
	live=$((1 + $(pgrep -c -P "$master")))
	[ "$files" -le $most ] || most=$files
	[ $((files - live)) -le $worst ] || worst=$((files - live))
	echo "$SECONDS s: $files segments, $live of live processes; own memory $(own "$master"), of a worker $(own_of_worker)"
}

# storm PHASE SECONDS [kill]: HUP to both each second; with kill, a worker of each dies about each third.
storm() {
	local until=$((SECONDS + $2)) second=0 draw signal arm
	loads "$1" "$2"
	while [ $SECONDS -lt $((until - 2)) ]; do
		for arm in bare shim; do
			kill -HUP "${masters[$arm]}" && hups[$arm]=$((hups[$arm] + 1))
		done
		sleep "0.$((RANDOM % 9))"
		if [ -n "${3:-}" ] && [ $((RANDOM % 3)) = 0 ]; then
			draw=$RANDOM signal=KILL
			[ $((RANDOM % 4)) = 0 ] && signal=TERM
			for arm in bare shim; do end_one $arm "$draw" $signal; done
		fi
		[ $((second++ % 10)) = 9 ] && look
		sleep "0.$(((1999999 - 10#${EPOCHREALTIME#*.}) / 100000 % 10))5" # to the next second
	done
	wait "${wrks[@]}"
}

for name in bare shim; do hups[$name]=0 kills[$name]=0 terms[$name]=0 held[$name]=0; done
arm bare
until port=$(free_port) && [ "$port" != "${ports[bare]}" ]; do :; done
arm shim

# ---- HUP alone ----

storm calm "$calm"
read -r own_early resident_early < <(own "$master")
read -r worker_early worker_resident_early < <(own_of_worker)
for name in bare shim; do
	echo "$name, ${hups[$name]} HUPs: of $(requests calm $name close) requests $(failed calm $name close) failed; of $(requests calm $name keep-alive) on kept connections $(failed calm $name keep-alive)"
	holds "$name: HUP alone, load runs" test "$(requests calm $name close)" -gt $((calm * 20))
	is "$name: HUP alone, a connection each: no request fails" "$(failed calm $name close)" 0
done
# more A B [N]: B is above A, both counts of what comes N at a time, by more than three deviations of their difference.
more() { awk -v a="$1" -v b="$2" -v n="${3:-1}" 'BEGIN { exit !(b > a + 3 * sqrt(n * (a + b)) + 3) }'; }
no_more() { ! more "$@"; }
holds "HUP alone, kept connections: no more fail than without the shim" no_more "$(failed calm bare keep-alive)" "$(failed calm shim keep-alive)"

# ---- HUP and kills ----

for name in bare shim; do hups[$name]=0; done
storm storm "$stormy" kill
look
for name in bare shim; do
	echo "$name, ${hups[$name]} HUPs, ${kills[$name]} KILL, ${terms[$name]} TERM: $(requests storm $name close) requests, $(failed storm $name close) failed;" \
		"on kept connections $(requests storm $name keep-alive), $(failed storm $name keep-alive) failed; ended workers had ${held[$name]} connections"
	holds "$name: workers were ended" test $((kills[$name] + terms[$name])) -ge $((stormy / 20))
	# One that is told TERM may accept some more before it looks.
	holds "$name: a connection each: requests fail of connections that an ended worker had, no others" \
		test "$(failed storm $name close)" -le $((held[$name] + 2 * terms[$name]))
done
# About half of an ended worker's connections are of the wrk that connects each time, and some of them are between two
# requests. The share that fails is the same within three deviations of two shares.
share() {
	awk -v a="$(failed storm bare close)" -v n="${held[bare]}" -v b="$(failed storm shim close)" -v m="${held[shim]}" 'BEGIN {
		printf "failed of 100 connections of ended workers: %.1f bare, %.1f under the shim\n", 100 * a / n, 100 * b / m
		exit !(b / m <= a / n + 3 * sqrt(0.25 / n + 0.25 / m)) }'
}
holds "HUP and kills, a connection each: as many fail as without the shim" share
holds "HUP and kills, kept connections: no more fail than without the shim" \
	no_more "$(failed storm bare keep-alive)" "$(failed storm shim keep-alive)" $((connections / 2))

# ---- what the shim leaves and holds ----

echo "segments: at most $most, $worst more than live processes"
holds "segments at most live + 64 + 16 + $slack, looked at each 10 s" test $worst -le $((kept + one_in + slack))
read -r own_late resident_late < <(own "$master")
read -r worker_late worker_resident_late < <(own_of_worker)
echo "own memory of the master: $own_early, then $own_late bytes (resident $resident_early, $resident_late)"
echo "of a new worker: $worker_early, then $worker_late bytes (resident $worker_resident_early, $worker_resident_late)"
# Its tables have each call path once. Of LuaJIT's the samples find new ones for a while: 20 in 40 HUPs at first, 6 to 16 later,
# and the first KILL brings its own. A page lost at each HUP would be more than a megabyte in ten minutes.
grown=$((256 << 10))
holds "the shim's own memory in the master does not grow" test $((own_late - own_early)) -le $grown
holds "nor what of it is resident" test $((resident_late - resident_early)) -le $grown
holds "nor a new worker's, which has what its master had" test $((worker_late - worker_early)) -le $grown
is "nothing is lost in the master" "$("$heapray" stacks "$master" --one --dir "$segments" --json | jq -c .quality.lost)" "{}"
for name in bare shim; do
	log=${prefixes[$name]}/logs/error.log
	is "$name: no worker ends by itself" "$(grep -c 'exited on signal' "$log") $(grep 'exited on signal' "$log" | grep -vc 'signal 9')" "${kills[$name]} 0"
	is "$name: nothing else in the log" "$(grep -E '\[(emerg|alert|crit|error)\]' "$log" | grep -v 'exited on signal 9' | head -3)" ""
	master=${masters[$name]}
	nginx_stop
	holds "$name: the master quits" gone "$master"
	is "$name: and left no process" "$(pgrep -f "^nginx: .*$" -P "$master" | wc -l)" 0
done
