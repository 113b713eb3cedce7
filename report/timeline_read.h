/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timeline_read.h - the time lines of a family's segments as one.
 *
 * Each member writes points when it allocates; between two points its figures are those of the first. Of a
 * forked member only what it allocated itself counts, what it inherited is its parent's.
 */
#ifndef HEAPRAY_TIMELINE_READ_H
#define HEAPRAY_TIMELINE_READ_H

#include "family.h"
#include "quality.h"

#include <stddef.h>
#include <stdint.h>

struct timeline_domain {
	char *name;
	double *live; /* bytes at each point */
};

struct timeline {
	size_t count;
	double *seconds;         /* since the family's start */
	double *resident, *held; /* bytes; NAN = not known. Resident of several processes counts shared pages in each */
	double *total;           /* live bytes of all domains */
	double *effort;          /* allocations made until then */
	struct timeline_domain *domains; /* by their last value, then name */
	size_t domain_count;
	uint64_t start_ns;       /* CLOCK_MONOTONIC of 0 seconds */
};

/* Says in quality what is approximate. A family that wrote no point has a count of 0. */
void timeline_read(struct timeline *timeline, const struct family *family, struct quality *quality);
/* The first point at or after `seconds`; count when there is none. */
size_t timeline_at(const struct timeline *timeline, double seconds);
void timeline_free(struct timeline *timeline);

#endif
