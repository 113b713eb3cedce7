/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * marks.h - named points in time of a family: those its programs set (heapray.h), and those `heapray mark`
 * wrote into the file beside a segment, <pid>.<created>.marks, a line "NANOSECONDS NAME" each.
 */
#ifndef HEAPRAY_MARKS_H
#define HEAPRAY_MARKS_H

#include "family.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MARK_NAME_BYTES 64 /* with its NUL */

struct mark {
	char name[MARK_NAME_BYTES];
	uint64_t first_ns, last_ns; /* CLOCK_MONOTONIC */
	uint64_t count;             /* calls of all members */
};

/* All of them by first_ns, then name; the array is the caller's. Returns how many. */
size_t marks_read(const struct family *family, struct mark **marks);
/*
 * When it was last set by `heapray mark`, else first by the program: where a report with --since starts.
 * False, with the error printed, when no member knows it.
 */
bool marks_since(const struct family *family, const char *name, uint64_t *ns);
/* The number of calls of a mark; false when no member ever made one. */
bool marks_count(const struct family *family, const char *name, uint64_t *count);
/* Adds it beside the root's segment, now. Returns 0, or -1 with the error printed. */
int marks_write(const struct family *family, const char *name);
/* The file beside a segment; the caller's. */
char *marks_path(const char *segment_path);

#endif
