# SPDX-License-Identifier: BSD-2-Clause
# lib.sh - what the integration scripts share. Source it first.
#
#   $root, $heapray, $shim, $programs   the checkout, build/heapray, build/libheapray.so, build/tests/programs ($TEST_BUILD/...)
#   $work        a directory of this test's own, readable by all; removed at the end
#   $segments    where the programs it watches put their segments; removed as well
#
# A test says ok, not_ok or skip, once for each behaviour; see tests/run.sh.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${TEST_BUILD:-$root/build} # another one, for the sanitizers and for coverage
heapray=$build/heapray
shim=$build/libheapray.so
programs=$build/tests/programs
allocators="glibc jemalloc tcmalloc mimalloc"
export LC_ALL=C
unset LD_PRELOAD ${!HEAPRAY_*}

work=$(mktemp -d "${TMPDIR:-/tmp}/heapray-test.XXXXXX")
chmod 755 "$work"
segments=$(mktemp -d -p /dev/shm heapray-test.XXXXXX 2>/dev/null || echo "$work/segments")
started=() # pids to be ended at exit
mounted=() # and what to unmount

finish() {
	local pid place
	for pid in ${started[@]+"${started[@]}"}; do
		kill "$pid" 2>/dev/null
	done
	for pid in ${started[@]+"${started[@]}"}; do
		await 5 gone "$pid" || kill -9 "$pid" 2>/dev/null
	done
	for place in ${mounted[@]+"${mounted[@]}"}; do
		umount -l "$place"
	done
	rm -rf "$work" "$segments"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

ok() { echo "ok $*"; }
not_ok() { local name=$1; shift; echo "not ok $name: $*"; }
skip() { local name=$1; shift; echo "skip $name: $*"; }

# is NAME GOT WANTED
is() {
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got '$2', wanted '$3'"; fi
}

# holds NAME COMMAND...: the command succeeds.
holds() {
	local name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name" "failed: $*"; fi
}

# same NAME FILE FILE: equal contents.
same() {
	if cmp -s "$2" "$3"; then ok "$1"; else not_ok "$1" "outputs differ"; diff "$2" "$3" | head -20; fi
}

# await SECONDS COMMAND...: until it succeeds.
await() {
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || return 1
		sleep 0.05
	done
}

# gone PID: it ended (a zombie has, too).
gone() {
	local state
	state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
	[ -z "$state" ] || [ "$state" = Z ]
}

# watched ARGUMENTS...: heapray run into $segments. Not with &: $! would be a shell, and not the program.
watched() {
	"$heapray" run --dir "$segments" "$@"
}

# segment_of PID: the newest segment of that pid.
segment_of() {
	local files=("$segments/$1".*.seg)
	[ -e "${files[0]}" ] || return 1
	printf '%s\n' "${files[-1]}"
}

# free_port: one that nobody listens on; tests that run at once take theirs from different halves.
free_port() {
	local base=$((21300 + ${TEST_SLOT:-0} * 50)) offset=$((RANDOM % 50)) i
	for i in {1..50}; do
		(exec 3<>"/dev/tcp/127.0.0.1/$((base + offset))") 2>/dev/null || { echo $((base + offset)); return; }
		offset=$(((offset + 1) % 50))
	done
	return 1
}

# matches_books NAME STACKS_JSON EXPECTED_JSON [FIELD...]: each site that the program booked (tests/programs/expect.h)
# has exactly these figures in `stacks --json`, summed over the rows whose frames have its path in this order.
matches_books() {
	local name=$1 stacks=$2 expected=$3 differences
	shift 3
	[ $# -gt 0 ] || set -- live_bytes live_count allocated_bytes allocated_count peak_bytes
	differences=$(jq -rn --slurpfile got "$stacks" --slurpfile want "$expected" --arg fields "$*" '
		def has($path): [.frames[].function] as $f | ($path | length) as $n
			| any(range(0; ($f | length) - $n + 1); . as $i | $f[$i:$i + $n] == $path);
		($fields | split(" ")) as $fields
		| if ($want[0].sites | length) == 0 then "the program booked nothing" else empty end,
		($want[0].sites[] | select(.path | length > 0) | . as $site
		| [$got[0].stacks[] | select(has($site.path))] as $rows
		| $fields[] as $field | ([$rows[][$field]] | add // 0) as $sum
		| select($site[$field] >= 0 and $sum != $site[$field])
		| "\($site.path | join(" < ")): \($field) is \($sum), should be \($site[$field])")' 2>&1)
	if [ -z "$differences" ]; then
		ok "$name"
	else
		not_ok "$name" "$(printf '%s\n' "$differences" | wc -l) figures differ"
		printf '%s\n' "$differences" | head -20
	fi
}

# sums_up NAME STACKS_JSON: the rows sum to the total, in every field.
sums_up() {
	local wrong
	wrong=$(jq -r '. as $all | ["live_bytes", "live_count", "peak_bytes", "allocated_bytes", "allocated_count"][]
		| . as $field | ([$all.stacks[][$field]] | add // 0) as $sum
		| select($sum != $all.total[$field]) | "\($field): rows \($sum), total \($all.total[$field])"' "$2" 2>&1)
	is "$1" "$wrong" ""
}
