#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# snapshot.sh - snapshots of a real nginx: complete, readable elsewhere, and equal when nothing happened.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_nginx.sh"

quiet() {
	"$@" >/dev/null 2>&1
}

nginx_conf
HEAPRAY_LUA_SAMPLE=256 nginx_start || { not_ok "nginx starts"; exit 1; }
requests() {
	"$programs/leakserver" load "$port" "$@" >"$work/load"
}
requests 50 1 /tables /keep /limited
sleep 1.2 # the last points of the time line are written

"$heapray" stacks --dir "$segments" "$master" --json >"$work/live.json" 2>/dev/null
holds "snapshot of a master and its workers" quiet "$heapray" snapshot --dir "$segments" "$master" -o "$work/a.snap"
"$heapray" breakdown --dir "$segments" "$master" --json >"$work/live_breakdown.json" 2>/dev/null
"$heapray" zones --dir "$segments" "$master" --json >"$work/live_zones.json" 2>/dev/null
holds "and another" quiet "$heapray" snapshot --dir "$segments" "$master" -o "$work/b.snap"
is "only its owner may read it" "$(stat -c %a "$work/a.snap")" 600

"$heapray" diff "$work/a.snap" "$work/b.snap" --json >"$work/diff.json" 2>"$work/diff.err"
is "diff of an idle nginx: exit status 0" $? 0
is "diff of an idle nginx: no change" "$(jq -c '[.total.live_bytes, (.changes | length)]' "$work/diff.json")" "[0,0]"

# The same figures and names as of the live processes.
for what in stacks:live breakdown:live_breakdown zones:live_zones; do
	command=${what%:*} live=$work/${what#*:}.json
	"$heapray" "$command" "$work/a.snap" --json >"$work/kept.json" 2>/dev/null
	case $command in
	stacks) filter='{total, stacks: [.stacks[] | del(.frames[].offset)]}' ;;
	breakdown) filter='[.processes[] | {pid, role, resident: .system.resident_bytes, ids: [.components[].id]}]' ;;
	zones) filter='[.zones[] | {name, kind, state, size_bytes, used, free}]' ;;
	esac
	jq -S "$filter" "$live" >"$work/want" 2>&1
	jq -S "$filter" "$work/kept.json" >"$work/got" 2>&1
	same "$command of a snapshot is that of the live nginx" "$work/got" "$work/want"
done

# A machine where nginx is not installed: its files and our segments are hidden.
cat >"$work/elsewhere" <<END
for hidden in /usr/sbin /usr/lib/nginx /usr/share/nginx /dev/shm $segments; do
	mount -t tmpfs tmpfs \$hidden 2>/dev/null
done
[ ! -e $nginx ] || exit 3
$heapray stacks $work/a.snap --json
END
if unshare -m true 2>/dev/null; then
	unshare -m bash "$work/elsewhere" >"$work/elsewhere.json" 2>"$work/elsewhere.err"
	is "opens on a machine without nginx" $? 0
	"$heapray" stacks "$work/a.snap" --json >"$work/here.json" 2>/dev/null
	same "with every name and figure" "$work/elsewhere.json" "$work/here.json"
	holds "nginx's functions have names there" quiet jq -e '[.stacks[].frames[].function] | index("ngx_init_cycle")' "$work/elsewhere.json"
	is "no file was missed" "$(jq '.quality.approximate | map(select(test("cannot be read|not the one"))) | length' "$work/elsewhere.json")" 0
else
	skip "opens on a machine without nginx" "mount namespaces are not permitted here"
fi

# What changes is told by stack, component and zone.
requests 200 1 /keep
"$heapray" diff "$work/a.snap" "$master" --dir "$segments" --json >"$work/diff.json" 2>/dev/null
holds "diff against the live nginx: more is live" quiet jq -e '.total.live_bytes > 100000' "$work/diff.json"
is "the stacks' differences sum to the total" "$(jq '[.changes[] | select(.what == "stack") | .delta_bytes] | add' "$work/diff.json")" \
	"$(jq '.total.live_bytes' "$work/diff.json")"
holds "the dict that was filled is a zone that grew" \
	quiet jq -e '.changes[] | select(.what == "zone" and (.name | startswith("words")) and .delta_bytes > 0)' "$work/diff.json"
"$heapray" diff --dir "$segments" "$work/a.snap" "$master" --fail-above 50K >/dev/null 2>&1
is "--fail-above: exit status 1" $? 1
"$heapray" diff --dir "$segments" "$work/a.snap" "$master" --fail-above 1G >/dev/null 2>&1
is "--fail-above far away: exit status 0" $? 0
holds "grouped by owner" quiet "$heapray" diff --dir "$segments" "$work/a.snap" "$master" --group owner

# A folder, of a server with a leak.
leaky=$(free_port)
"$heapray" run --dir "$segments" -- "$programs/leakserver" serve "$leaky" >"$work/server" 2>&1 &
pid=$!
started+=($pid)
await 5 curl -s "http://127.0.0.1:$leaky/work" >/dev/null
"$programs/leakserver" load "$leaky" 1000 0.6 /work >/dev/null # its cache is full
"$heapray" snapshot --dir "$segments" $pid -o "$work/day/" --every 200ms --keep 12 >"$work/out" 2>&1 &
recorder=$!
"$programs/leakserver" load "$leaky" 100 5 /leak /work >/dev/null
kill $recorder
wait $recorder
is "recording ends well when it is told to" $? 0
kept=$(ls "$work/day" | wc -l)
is "--keep keeps so many" "$((kept <= 12 && kept >= 8))" 1
kill $pid
await 5 gone $pid
"$heapray" growth "$work/day/" --json >"$work/day.json" 2>"$work/day.err"
is "growth reads the folder" "$(jq '.readings' "$work/day.json")" "$kept"
is "and finds the leak, with its name" "$(jq -r '.findings[0].frames[0].function' "$work/day.json")" leak_path
holds "stacks of a folder are those of its newest" quiet "$heapray" stacks "$work/day/"

# What is no snapshot.
head -c 3000 "$work/a.snap" >"$work/cut.snap"
"$heapray" stacks "$work/cut.snap" >/dev/null 2>"$work/cut.err"
is "a snapshot that was cut off: exit status 2" $? 2
holds "and it says so" grep -q "damaged" "$work/cut.err"
nginx_stop
