# SPDX-License-Identifier: BSD-2-Clause
# lib_compare.sh - what the scripts about `heapray compare` share. After lib.sh.
#
#   compare OPTIONS... -- COMMAND...   as JSON into $work/json, messages into $work/errors; its status in $status
#   field NAME JQ                      of the JSON, compactly
compare() {
	status=0
	"$heapray" compare --json "$@" >"$work/json" 2>"$work/errors" </dev/null || status=$?
}

field() {
	jq -c "$1" "$work/json" 2>&1
}

# served NAME ALLOCATOR...: no arm is void, and each was served by its library.
served() {
	local name=$1 wrong
	shift
	wrong=$(jq -r --arg arms "$*" '{glibc: "libc.so.6", jemalloc: "libjemalloc.so.2", tcmalloc: "libtcmalloc_minimal.so.4",
		mimalloc: "libmimalloc.so.2"} as $library
		| ([.arms[].allocator] | join(" ")) as $got | if $got != $arms then "arms: \($got)" else empty end,
		(.arms[] | select(.void != null) | "\(.allocator): void: \(.void)"),
		(.arms[] | select(.void == null) | (.allocator | split(":")[0]) as $a
		| select(.provided_by | endswith("/" + $library[$a]) | not) | "\(.allocator): served by \(.provided_by)")' "$work/json" 2>&1)
	is "$name: each arm is served by its own library" "$wrong" ""
	is "$name: exit status" "$status" 0
}

# same_events NAME: the same number of allocations after main began in every run of every arm, to the event.
same_events() {
	is "$1: the same number of allocations in every run of every arm" \
		"$(field '[.arms[].runs[].allocations] | unique | length')" 1
	holds "$1: and it is some" test "$(field '.arms[0].median.allocations')" -gt 100
}

# in_order NAME: requested <= usable <= held, in every run.
in_order() {
	is "$1: what was requested is not more than usable, and that not more than held" \
		"$(field '[.arms[] | .allocator as $a | .runs[] | select(.peak_usable_bytes != null)
			| select(.peak_requested_bytes > .peak_usable_bytes or .peak_usable_bytes > .peak_held_bytes)
			| [$a, .peak_requested_bytes, .peak_usable_bytes, .peak_held_bytes]]')" '[]'
}
