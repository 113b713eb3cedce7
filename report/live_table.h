/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live_table.h - the live blocks of a running process, read from the shim's table in its memory.
 */
#ifndef HEAPRAY_LIVE_TABLE_H
#define HEAPRAY_LIVE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "peek.h"
#include "segment.h"

struct live_block {
	uint64_t address, size, age_ns; /* age: since it was allocated, in steps of 4 s */
	uint32_t site;                  /* row of the segment's sites */
	bool inherited;                 /* live at birth of a forked process */
};

/*
 * Reads the table leaf by leaf and hands every entry that can be right to `visit`, until that returns
 * false. The process runs on meanwhile: entries that move may be seen twice or not at all, one that is
 * being written may be wrong. site_limit: entries of higher sites are left out. Returns the number of blocks
 * visited, or -1 when there is no table or it cannot be read.
 */
int64_t live_table_walk(struct peek *peek, const struct hr_header *header, uint64_t site_limit,
	bool (*visit)(void *context, const struct live_block *block), void *context);

#endif
