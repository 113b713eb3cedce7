# SPDX-License-Identifier: BSD-2-Clause
# Programs that know what they allocate: the books of heapray are the same, to the byte, under each allocator.
. "$(dirname "$0")/lib.sh"

# exact NAME ALLOCATOR FIELDS PROGRAM ARGUMENTS...
exact() {
	local name="$1 under $2" allocator=$2 fields=$3
	shift 3
	if ! watched --allocator "$allocator" -- "$@" >"$work/books" 2>"$work/errors"; then
		not_ok "$name" "the program failed: $(head -c 300 "$work/errors")"
		return
	fi
	local pid segment
	pid=$(jq -r .pid "$work/books")
	segment=$(segment_of "$pid") || { not_ok "$name" "no segment of $pid"; return; }
	if ! "$heapray" stacks "$segment" --one --json >"$work/stacks" 2>"$work/errors"; then
		not_ok "$name" "stacks failed: $(head -c 300 "$work/errors")"
		return
	fi
	# shellcheck disable=SC2086 # a list
	matches_books "$name" "$work/stacks" "$work/books" $fields
	sums_up "$name: rows sum to the total" "$work/stacks"
	is "$name: nothing lost, no unknown free" \
		"$(jq -c '[.quality.unknown_frees, [.quality.lost | to_entries[] | select(.value > 0)]]' "$work/stacks")" '[0,[]]'
}

no_peak="live_bytes live_count allocated_bytes allocated_count"
for allocator in $allocators; do
	exact "every form of malloc, and the peak" "$allocator" "" "$programs/known"
	exact "every form of operator new" "$allocator" "$no_peak" "$programs/cxxnew"
	exact "threads that free each other's blocks" "$allocator" "$no_peak" "$programs/threads" 2000
	exact "before main and after it" "$allocator" "$no_peak" "$programs/early"
	exact "vfork and posix_spawn" "$allocator" "$no_peak" "$programs/spawns"
	exact "signal handlers" "$allocator" "$no_peak" "$programs/signals"
	exact "mmap, munmap, mremap" "$allocator" "$no_peak" "$programs/maps"
	[ "$allocator" = mimalloc ] || # aborts where new fails, also without the shim
		exact "a new_handler, and new that fails" "$allocator" "$no_peak" "$programs/newhandler"
done
exact "malloc left by siglongjmp" "$programs/libjump.so" "$no_peak" "$programs/jump"
