# SPDX-License-Identifier: BSD-2-Clause
# --sample: totals stay exact, call paths become estimates with their error beside, and a forked child inherits both.
. "$(dirname "$0")/lib.sh"

small=$((400000 * 100)) large=$((10 * 4 << 20))

# start OPTION...: sets $parent and $child.
start() {
	rm -f "$work/in" "$work/pids"
	mkfifo "$work/in"
	"$heapray" run --dir "$segments" "$@" -- "$programs/sampled" <"$work/in" >"$work/pids" 2>"$work/errors" &
	started+=($!)
	exec 9>"$work/in"
	await 60 test -s "$work/pids" || not_ok "the program starts" "$(cat "$work/errors")"
	read -r parent child <"$work/pids"
}
end() { exec 9>&-; wait "${started[-1]}"; }
stacks() { "$heapray" stacks "$(segment_of "$1")" --one --json; }
of() { jq -r "$1" "$work/$2"; }
site() { printf '[.stacks[] | select(any(.frames[]; .function == "%s"))]' "$1"; }

start
stacks "$parent" >"$work/exact"
is 'without it nothing is an estimate' "$(of '[.stacks[] | select(.estimated)] | length' exact)" 0
end

start --sample 64K
for who in parent child; do
	stacks "${!who}" >"$work/$who"
	is "$who: the total is what it is without" "$(of .total.live_bytes $who)" "$(of .total.live_bytes exact)"
	is "$who: rows sum to it" "$(of '([.stacks[].live_bytes] | add) == .total.live_bytes' $who)" true
	row=$(of "$(site site_small)" $who)
	is "$who: small blocks are an estimate" "$(jq 'map(.estimated) | all and length > 0' <<<"$row")" true
	# One in 656 is sampled: the error is 64 KiB times the root of 610 samples, 4 %. Six of it is one of 500 million.
	is "$who: it is right within six of its stated error, which is 3 to 5 %" "$(jq --argjson truth $small '
		(map(.live_bytes) | add) as $live | (map(.live_error_bytes * .live_error_bytes) | add | sqrt) as $error
		| ($live - $truth | fabs) < 6 * $error and $error > 0.03 * $truth and $error < 0.05 * $truth' <<<"$row")" true
	is "$who: a block of 4 MiB is always sampled, and counts as itself" "$(of "$(site site_large) | map(.live_bytes) | add" $who)" "$large"
	is "$who: what came and went is not there" "$(of "$(site site_gone) | map(.live_bytes) | add // 0" $who)" 0
done
end
