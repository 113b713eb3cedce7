/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_report.h - zones as JSON and as text for people. Only prints; all figures are there already.
 */
#ifndef HEAPRAY_ZONE_REPORT_H
#define HEAPRAY_ZONE_REPORT_H

#include "json.h"
#include "zone_find.h"

#include <stdio.h>

/* What was asked beside the zone itself. */
struct zone_question {
	bool layout, sizes;
	bool fit, fit_value; /* at most one of them */
	uint64_t bytes;      /* fit: of the allocation; fit_value: of the value, */
	uint64_t key_length; /* and of its key */
};

/* Whether a fit was asked for that can be answered of this zone, and of how many bytes. */
bool zone_question_applies(const struct zone_question *question, const struct zone *zone, uint64_t *bytes);

struct json *zone_json(const struct zone *zone, const struct zone_question *question);
/* The table of zones: at most `limit` rows, 0 = all; why the troubled ones are so below it. */
void zone_print_table(const struct zone_set *set, size_t limit, FILE *out);
/* One zone at length, with what was asked. */
void zone_print(const struct zone *zone, const struct zone_question *question, FILE *out);

#endif
