# SPDX-License-Identifier: BSD-2-Clause
# A dl_iterate_phdr callback that allocates while another thread allocates from thousands of call sites, for a minute
# under each allocator, and with every stack compared to libunwind's: no hang.
. "$(dirname "$0")/../lib.sh"

for allocator in $allocators; do
	is "dl_iterate_phdr under $allocator, 60 s" "$(watched --allocator "$allocator" -- "$programs/dlphdr" 60 2>&1)" done
done
HEAPRAY_CHECK_UNWIND=1 watched -- "$programs/dlphdr" 20 >"$work/out" 2>&1
is "the same with check mode, 20 s" "$(cat "$work/out")" done
"$heapray" stacks "$(ls -t "$segments"/*.seg | head -1)" --json >"$work/stacks"
is "no stack differs" "$(jq .quality.unwind_differences "$work/stacks")" 0
