/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pagemap.h - which pages of a part of a mapping are resident or swapped. smaps tells it for whole mappings
 * only, and the kernel merges neighbours: a VM's arena, a thread's stack and a block of malloc can be one.
 *
 * Three ways, the best that works: the PAGEMAP_SCAN ioctl (Linux 6.7, 1.7 ms a GB), reading the words of
 * /proc/PID/pagemap (4.2), and without either a share of the mapping's figures by length.
 */
#ifndef HEAPRAY_PAGEMAP_H
#define HEAPRAY_PAGEMAP_H

#include <stdint.h>

#include "smaps.h"

enum pagemap_way { PAGEMAP_NONE, PAGEMAP_WORDS, PAGEMAP_SCAN_IOCTL };

struct pagemap {
	int fd;
	enum pagemap_way way;
	uint64_t page;
};

/* Opens what there is for the process; a pagemap that could not be opened has the way PAGEMAP_NONE. */
void pagemap_open(struct pagemap *pagemap, int pid);
void pagemap_close(struct pagemap *pagemap);

/* Resident (the shared zero page left out, as in smaps) and swapped bytes of [start, end). Returns 0 or -1.
 */
int pagemap_range(
	const struct pagemap *pagemap, uint64_t start, uint64_t end, uint64_t *resident, uint64_t *swapped);

/* Whether each of `pages` pages from `start` on is resident: 1 or 0. Returns 0 or -1. */
int pagemap_pages(const struct pagemap *pagemap, uint64_t start, uint64_t pages, uint8_t *resident);

/*
 * Splits a total over parts that were measured a moment later than it: the results sum to the total exactly,
 * none is above its size, and each is its measured value where that can be. What the measured values leave
 * over goes to the part `rest` first. The total must not be above the sum of the sizes.
 */
void split_exactly(uint64_t total, const uint64_t *sizes, uint64_t *measured, size_t count, size_t rest);

/*
 * The figures of the parts of a mapping, with their start and end: virtual, resident, swap, Pss and SwapPss
 * each sum to the mapping's own, exactly. Pss, which the kernel tells for whole mappings only, is shared
 * by resident bytes. Parts must cover the mapping in ascending order. Returns false when only shares by
 * length could be had.
 */
struct part {
	uint64_t start, end;
	struct usage figures;
};
bool pagemap_parts(const struct pagemap *pagemap, const struct vma *vma, struct part *parts, size_t count);

#endif
