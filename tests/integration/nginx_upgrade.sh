# SPDX-License-Identifier: BSD-2-Clause
# USR2: nginx starts its new binary with an environment of its own making. With `env LD_PRELOAD;` in the
# configuration the shim comes along; without it, breakdown says that the new one is not preloaded, and why.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_nginx.sh"

upgrade() {
	kill -USR2 "$master"
	await 10 test -s "$prefix/logs/nginx.pid.oldbin" || return 1
	await 10 test -s "$prefix/logs/nginx.pid" || return 1
	new=$(cat "$prefix/logs/nginx.pid")
	started+=("$new")
	workers_of_new() { [ "$(pgrep -P "$new" -f 'worker process$' | wc -l)" = 2 ]; }
	await 10 workers_of_new
}

# As after the old master has gone.
retire() {
	kill -QUIT "$master"
	await 15 gone "$master"
}

nginx_conf "env LD_PRELOAD;" "env HEAPRAY_DIR;"
nginx_start || { not_ok "nginx starts" "$(cat "$work/nginx.out")"; exit; }
holds "USR2 with env LD_PRELOAD: the new binary runs" upgrade
# (A child is a master until it has written its title.)
both_masters() {
	[ "$("$heapray" ps --dir "$segments" --json |
		jq -c '[.processes[] | select(.role == "master" and .preloaded) | .pid] | sort')" = "[$master,$new]" ]
}
holds "both masters are watched" await 5 both_masters
"$heapray" breakdown "$new" --dir "$segments" --json >"$work/breakdown" 2>"$work/errors"
is "the new family alone" "$(jq --argjson old "$master" '[.processes[].pid] | index($old)' "$work/breakdown")" null
is "and all of it" "$(jq '[.processes[] | select(.role == "worker" or .role == "master")] | length' "$work/breakdown")" 3
holds "the old one leaves" retire
is "the new one answers" "$(get /tables)" 300
master=$new
nginx_stop

rm -rf "$segments"
nginx_conf
nginx_start || { not_ok "nginx starts again" "$(cat "$work/nginx.out")"; exit; }
holds "USR2 without it: the new binary runs" upgrade
is "and answers" "$(get /tables)" 300
"$heapray" breakdown "$new" --dir "$segments" --json >"$work/breakdown" 2>"$work/errors"
is "the new one is not preloaded" "$(jq -c '[.processes[].preloaded] | unique' "$work/breakdown")" '[false]'
"$heapray" ps --dir "$segments" >"$work/ps" 2>&1
holds "and ps says what to write into nginx.conf" grep -q 'env LD_PRELOAD' "$work/ps"
retire
master=$new
nginx_stop
