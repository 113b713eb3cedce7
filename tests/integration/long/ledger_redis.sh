# SPDX-License-Identifier: BSD-2-Clause
# `breakdown` of a redis with 200 MB of data, under each allocator.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../lib_ledger.sh"

for allocator in $allocators; do
	redis_filled "$allocator" 1200000 "$work/breakdown"
done
