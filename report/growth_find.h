/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth_find.h - which places grow, of all that was sampled.
 *
 * Stacks are taken together when their innermost FIND_FRAMES frames that are not wrappers are the same,
 * and their domain is: one leak is then one finding, whichever way the event loop reached it, before and after
 * a compiler translated its caller. The figures of such a place are those of all its stacks, or of those alone
 * that grow by themselves: whichever is closer to a line. So a cache that shares the place with a leak is no
 * part of it.
 *
 * A finding grew by more than both thresholds, rose significantly, and was still rising at the end. In a heap
 * that was collected k times in the second half it also kept more than one part of k + 1 of what it made then: as
 * much could be garbage that waits for the next collection.
 */
#ifndef HEAPRAY_GROWTH_FIND_H
#define HEAPRAY_GROWTH_FIND_H

#include "growth_samples.h"
#include "trend.h"

#define FIND_FRAMES 2
#define FIND_LEAST_BYTES (64u << 10) /* over the time looked at */
#define FIND_LEAST_SHARE 0.02        /* of what the place held before */

struct finding {
	struct trend trend;
	uint32_t domain;
	uint32_t path;       /* of its heaviest stack: for the frames */
	size_t stacks;       /* that grow */
	double live, grown;  /* bytes: now, and since the first sample */
	double per_event;    /* bytes; NAN = no counter, or it stood still */
	double *course;      /* bytes in each reading that was judged, course_count of them */
	size_t course_count;
	bool estimated;
};

struct findings {
	struct finding *growing; /* by slope downwards, then path */
	size_t growing_count;
	struct finding *settled; /* grew, but slow down or stopped: warm-up, caches */
	size_t settled_count;
	const char *uncollected; /* a heap where things grew, but no collection was seen: maybe garbage. NULL: none */
};

/* Looks at the columns from `first` on. */
struct findings findings_of(const struct samples *samples, size_t first);
void findings_free(struct findings *findings);

#endif
