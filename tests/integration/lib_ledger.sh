# SPDX-License-Identifier: BSD-2-Clause
# lib_ledger.sh - what the tests of `breakdown` share. After lib.sh.

watch=("$heapray" run --dir "$segments") # as `watched`, for the background: its pid is the command's

# breakdown_of FILE TARGET [OPTION...]
breakdown_of() {
	local file=$1 target=$2
	shift 2
	"$heapray" breakdown "$target" --dir "$segments" --json "$@" >"$file" 2>"$work/errors" || {
		cat "$work/errors"
		return 1
	}
}

# sleeping NAME COMMAND...: starts it with its standard input held open until $sleeping_end is closed; waits for its
# first line of output. Sets $pid.
sleeping() {
	local out=$work/sleeping.out
	: >"$out"
	mkfifo "$work/in.$$"
	"$@" <"$work/in.$$" >"$out" 2>"$work/sleeping.err" &
	pid=$!
	exec 9>"$work/in.$$"
	rm -f "$work/in.$$"
	started+=("$pid")
	await 60 test -s "$out"
}

# wake LINE: to its standard input.
wake() { echo "$1" >&9; }

# end_sleeping: ends it.
end_sleeping() {
	exec 9>&-
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null || true # killed: its status is not ours
}

# independent PID: what smaps says, by rules of its own, as JSON. Stacks: [stack], and the mappings that hold a thread's
# stack pointer.
independent() {
	local task
	for task in /proc/"$1"/task/*; do
		awk 'NF > 2 { print $(NF - 1) }' "$task/syscall"
	done >"$work/pointers"
	awk '
		function pad(hex) { while (length(hex) < 16) hex = "0" hex; return hex }
		FNR == NR { sub(/^0x/, "", $1); pointer[++pointers] = pad($1); next }
		/^[0-9a-f]+-[0-9a-f]+ / {
			split($1, range, "-")
			start = pad(range[1]); end = pad(range[2])
			kind = "other"
			if ($6 == "[vsyscall]") kind = "none"
			else if ($6 == "[stack]") kind = "stacks"
			else if ($2 ~ /^r-x/ && $5 != 0) kind = "text"
			else if ($2 == "rw-s" && $6 == "/dev/zero") kind = "zones"
			else if ($2 == "rw-p" && NF == 5)
				for (i = 1; i <= pointers; i++)
					if (pointer[i] >= start && pointer[i] < end) kind = "stacks"
			next
		}
		/^Size:/ && kind != "none" { size[kind] += $2; size["all"] += $2 }
		/^Rss:/ && kind != "none" { rss[kind] += $2; rss["all"] += $2 }
		END {
			printf "{"
			for (i = split("all text stacks zones", names, " "); i > 0; i--)
				printf "\"%s\":[%.0f,%.0f]%s", names[i], size[names[i]] * 1024, rss[names[i]] * 1024, (i > 1 ? "," : "}\n")
		}' "$work/pointers" "/proc/$1/smaps"
}

# closes NAME FILE: in each process components and the unexplained sum to the system's figures, exactly.
closes() {
	is "$1: components and unexplained sum to virtual and resident" "$(jq -c '[.processes[]
		| .system.virtual_bytes - .unexplained.virtual_bytes - ([.components[].virtual_bytes] | add),
		  .system.resident_bytes - .unexplained.resident_bytes - ([.components[].resident_bytes] | add),
		  .system.swap_bytes - .unexplained.swap_bytes - ([.components[].swap_bytes] | add)] | unique' "$2")" '[0]'
}

# agrees NAME PID FILE: with smaps read by independent.
agrees() {
	local name=$1 process=$2 file=$3
	independent "$process" >"$work/independent"
	is "$name: text, stacks and zones are as in smaps" "$(jq -c --argjson pid "$process" --slurpfile want "$work/independent" '
		.processes[] | select(.pid == $pid) | . as $p
		| def figures($id): [[$p.components[] | select(.id == $id)][0] // {} | .virtual_bytes // 0, .resident_bytes // 0];
		{all: [.system.virtual_bytes, .system.resident_bytes], text: figures("text"), stacks: figures("stacks"),
		 zones: figures("nginx_shm")} | to_entries | map(select(.value != $want[0][.key])
		 | "\(.key): \(.value), smaps says \($want[0][.key])") | join("; ")' "$file")" '""'
}

# explained NAME FILE: less than 2 % of resident has no name.
explained() {
	is "$1: unexplained is under 2 % of resident" \
		"$(jq -c '[.processes[] | select(.unexplained.resident_bytes * 50 >= .system.resident_bytes)
		| {pid, unexplained: .unexplained.resident_bytes, resident: .system.resident_bytes, parts: .unexplained_parts}]' "$2")" '[]'
}

# component FILE ID FIELD: of the first process.
component() {
	jq --arg id "$2" --arg field "$3" '[.processes[0].components[] | select(.id == $id)][0][$field]' "$1"
}

# look NAME PID FILE: all that holds for every program.
look() {
	breakdown_of "$3" "$2" --one || { not_ok "$1" "breakdown fails"; return 1; }
	closes "$1" "$3"
	agrees "$1" "$2" "$3"
	explained "$1" "$3"
}

# redis_filled ALLOCATOR KEYS FILE: a redis with that many keys of 100 bytes, looked at.
redis_filled() {
	local name="redis, $1" port
	port=$(free_port)
	"${watch[@]}" --allocator "$1" -- redis-server --port "$port" --bind 127.0.0.1 --save '' --enable-debug-command yes \
		--daemonize no --dir "$work" >"$work/redis.out" 2>&1 &
	pid=$!
	started+=("$pid")
	await 10 redis-cli -p "$port" ping && redis-cli -p "$port" debug populate "$2" key 100 >/dev/null
	sleep 0.3
	if look "$name" "$pid" "$3"; then
		holds "$name: its data is the allocator's" test "$(component "$3" allocator resident_bytes)" -ge $(($2 * 150))
		is "$name: what was requested is what is used, and is below resident" "$(jq '.processes[0]
			| ([.components[] | select(.id == "allocator")][0]) as $a
			| $a.used_bytes <= $a.resident_bytes and .allocator.requested_bytes == $a.used_bytes' "$3")" true
	fi
	kill "$pid"
	wait "$pid" 2>/dev/null
}
