# SPDX-License-Identifier: BSD-2-Clause
# Inside the allocator: a program fills memory with small blocks and frees every other one. What was requested
# halves, what is held does not, and the waterfall says so; MIB (96) can be set for a larger run, which may stop the
# program for as long as glibc needs to look at millions of holes.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_ledger.sh"

mib=${MIB:-96}
[ "$mib" -le 96 ] || export HEAPRAY_ALLOCATOR_MS=10000
requested=$((mib << 20))

of() { jq "$1" "$2"; }

for allocator in $allocators; do
	sleeping "${watch[@]}" --allocator "$allocator" -- "$programs/ledger_blocks" "$mib" || { not_ok "$allocator" "does not start"; continue; }
	breakdown_of "$work/full" "$pid" --one
	wake free
	await 30 grep -q half "$work/sleeping.out"
	halved=${EPOCHREALTIME/./}
	# The allocator is asked again when the last time is long enough ago for what it took: a heap of holes takes it a while.
	for _ in {1..60}; do
		sleep 0.3
		for _ in {1..200}; do wake more; done
		since=$(((${EPOCHREALTIME/./} - halved) / 1000))
		breakdown_of "$work/half" "$pid" --one
		[ "$(of ".processes[0].allocator.age_ms < $since" "$work/half")" = true ] && break
	done
	closes "$allocator" "$work/half"
	is "$allocator: what is requested halves" "$(of ".processes[0].allocator.requested_bytes
		| . > $requested * 0.49 and . < $requested * 0.60" "$work/half")" true
	is "$allocator: resident is told, and covers what is requested" "$(of '.processes[0].allocator
		| .resident_bytes >= .requested_bytes' "$work/half")" true
	if [ "$(of '.processes[0].allocator.age_ms >= '"$since" "$work/half")" = true ]; then
		# On a busy machine a call can seem to take too long; then the shim does not ask again.
		skip "$allocator: its own figures" "they are $(of '.processes[0].allocator.age_ms' "$work/half") ms old"
		is "$allocator: and the report says so" "$(of '[.quality.approximate[] | select(test("older than"))] | length' "$work/half")" 1
		end_sleeping
		continue
	fi
	is "$allocator: what is held does not" "$(jq -n --slurpfile full "$work/full" --slurpfile half "$work/half" \
		'$half[0].processes[0].allocator.held_bytes >= $full[0].processes[0].allocator.resident_bytes * 0.9')" true
	is "$allocator: what it cannot tell is null, never 0" "$(of '.processes[0].allocator
		| [.in_use_bytes, .free_held_bytes, .usable_bytes] | map(select(. == 0)) | length' "$work/half")" 0
	case $allocator in
	mimalloc) ;; # says nothing of what is in use
	*)
		# In use by its own count: what is requested, rounded up to its sizes.
		is "$allocator: free but held is the fragmentation" "$(of '.processes[0].allocator
			| .free_held_bytes > .requested_bytes * 0.7' "$work/half")" true
		is "$allocator: its own figures agree with each other within 2 %" "$(of '.processes[0].allocator
			| (.in_use_bytes + .free_held_bytes - .held_bytes | fabs) < .held_bytes * 0.02' "$work/half")" true
		;;
	esac
	end_sleeping
done
