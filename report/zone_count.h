/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_count.h - what is used and what is free in a pool, counted by the published rule:
 *
 *   each free page is one slab of a page; each free chunk is one slab; the chunks that hold a page's
 *   own bitmap count as used; a run of k pages handed out as one is one used slab of k pages.
 */
#ifndef HEAPRAY_ZONE_COUNT_H
#define HEAPRAY_ZONE_COUNT_H

#include "zone_pool.h"

/* A distribution: how many slabs of each size, by size. */
struct zone_sizes {
	struct zone_size {
		uint64_t bytes, count;
	} * rows;
	size_t length, room;
	uint64_t count, bytes; /* sums */
};

struct zone_slot {
	uint64_t size; /* of a chunk */
	uint64_t pages;
	uint64_t chunks, used, own; /* in those pages, the bitmaps' own chunks counted in all three */
	uint64_t pool;              /* chunks that are the pool's: its name, its module's data */
	uint64_t sparse_pages;      /* at most a quarter used, and by nothing of the pool's */
	uint64_t spare_pages;       /* that would be free if the chunks in use were packed */
};

struct zone_counts {
	struct zone_sizes used, free;
	uint64_t pages, pages_free, free_runs, largest_free_run; /* pages; runs; pages */
	uint64_t run_pages;                                      /* in runs handed out as one */
	uint64_t bytes_free_chunks;                              /* free bytes inside pages that are in use */
	struct zone_slot slots[ZONE_SLOTS];
	uint64_t torn; /* descriptors that made no sense */
};

/* Walks the copy once. Free with zone_counts_free. */
void zone_count(const struct zone_copy *copy, struct zone_counts *counts);
void zone_counts_free(struct zone_counts *counts);

/* Compares a walk with the pool's own books: NULL when all agree, else what differs. */
const char *zone_count_differs(const struct zone_copy *copy, const struct zone_counts *counts);

/* Refused allocations, by the pool's own count; ZONE_UNKNOWN before nginx 1.11.7. */
uint64_t zone_failures(const struct zone_head *head);

#endif
