/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timeline.c - the time line: a fixed ring of points that always spans start to now.
 *
 * Points are written in order. When all 512 are used, every second one is dropped and the interval doubles,
 * so the whole life of the process stays in view in constant memory. Time is a parameter: tests feed hours.
 */
#include <string.h>

#include "timeline.h"

bool hr_timeline_due(const struct timeline *line, uint64_t now)
{
	return line->used == 0 || now - line->points[line->used - 1].time_ns >= line->interval_ns;
}

static void halve(struct timeline *line)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < line->used; i += 2)
		line->points[kept++] = line->points[i];
	line->used = kept;
	line->interval_ns *= 2;
}

void hr_timeline_add(struct timeline *line, const struct hr_point *point)
{
	if (line->used == HR_TIMELINE_POINTS)
		halve(line);
	if (!hr_timeline_due(line, point->time_ns))
		return;
	line->points[line->used++] = *point;
}
