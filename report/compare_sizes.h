/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_sizes.h - how many live blocks there are of each size, and what an allocator makes of them.
 */
#ifndef HEAPRAY_COMPARE_SIZES_H
#define HEAPRAY_COMPARE_SIZES_H

#include "compare.h"

struct sizes {
	struct size_slot {
		uint64_t size, count; /* count 0: empty */
	} *slots;
	size_t used, capacity; /* a power of two */
};

void sizes_add(struct sizes *sizes, uint64_t size, uint64_t count);
void sizes_free(struct sizes *sizes);

/*
 * Classes in ascending order. `usable` is what the arm's allocator hands out for such sizes: a process of its
 * own is started under it and asked. 0 in all of them when it could not be. Returns the number of classes.
 */
size_t sizes_classes(const struct sizes *sizes, const struct arm *arm, struct size_class **classes);
/* That process: reads sizes from stdin, prints malloc_usable_size of a block of each. */
int sizes_probe(void);

#endif
