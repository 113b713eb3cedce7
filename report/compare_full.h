/* SPDX-License-Identifier: BSD-2-Clause */
/* compare_full.h - the dear part of a sample: whose each page is, and the live blocks by size. */
#ifndef HEAPRAY_COMPARE_FULL_H
#define HEAPRAY_COMPARE_FULL_H

#include "compare_watch.h"

/*
 * Fills held, blocks and heapray of the sample from the live members, as far as they can be read. When blocks
 * is the highest so far, the sizes are counted anew.
 */
void full_look(struct observer *watch, struct sample *sample);

/* A member's live bytes in memory of the allocator (without those it inherited), and at the process's peak. */
void full_blocks(const struct segment *segment, uint64_t *live, uint64_t *at_peak);

#endif
