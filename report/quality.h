/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quality.h - what a reader must know to judge a report's figures: the line every report ends with,
 * and the JSON block "quality".
 */
#ifndef HEAPRAY_QUALITY_H
#define HEAPRAY_QUALITY_H

#include "family.h"
#include "json.h"

#include <stdio.h>

struct quality {
	size_t watched;         /* members that have a segment */
	uint64_t sampled_bytes; /* JSON_UNKNOWN: exact, nothing is sampled */
	uint64_t lua_sampled_bytes; /* between samples of Lua's stacks; JSON_UNKNOWN: there are none, or all are exact */
	uint64_t lost[HR_LOST_COUNT];
	uint64_t unknown_frees;
	uint64_t unwind_compared, unwind_differences; /* JSON_UNKNOWN: not compared */
	uint64_t own_bytes;     /* memory of the shim in all members */
	char **approximate;     /* sentences: what is an estimate, or was read while it changed */
	size_t approximate_count, approximate_capacity;
};

/* Sums over the members that have a segment. */
void quality_of(const struct family *family, struct quality *quality);
/* Adds a sentence, once. */
void quality_approximate(struct quality *quality, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct json *quality_json(const struct quality *quality);
void quality_print(const struct quality *quality, FILE *out);
void quality_free(struct quality *quality);

#endif
