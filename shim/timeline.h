/* SPDX-License-Identifier: BSD-2-Clause */
/* timeline.h - see timeline.c. */
#ifndef HEAPRAY_TIMELINE_H
#define HEAPRAY_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "heapray_segment.h"

struct timeline {
	struct hr_point *points; /* HR_TIMELINE_POINTS of them */
	uint32_t used;
	uint64_t interval_ns;
};

bool hr_timeline_due(const struct timeline *line, uint64_t now);
/* Adds a point; when the ring is full its resolution is halved first. */
void hr_timeline_add(struct timeline *line, const struct hr_point *point);

#endif
