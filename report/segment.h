/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.h - a checked private copy of one segment.
 *
 * Everything in the file is hostile. When it was read, the rows are in our own memory and these hold:
 * a node's parent is below its own index and no stack is deeper than SEGMENT_MAX_DEPTH; a node's
 * module, a site's node and domain, a mapping's domain are rows that exist. What breaks a rule is not
 * a segment: it is refused, whole. Counters may be in flight, so sums can be off by a moment's events.
 * Strings are reached through segment_string alone.
 */
#ifndef HEAPRAY_SEGMENT_READER_H
#define HEAPRAY_SEGMENT_READER_H

#include "heapray_segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SEGMENT_MAX_DEPTH 1024

struct segment {
	char *path;              /* for messages and `ps` */
	uint64_t device, inode, bytes; /* bytes: what the file takes */
	uid_t owner;
	bool quiet;              /* say nothing about faults of its header */
	struct hr_header header; /* a copy */
	uint64_t read_ns;        /* CLOCK_MONOTONIC when it was read */

	struct hr_module *modules;
	struct hr_node *nodes;
	struct hr_site *sites;
	struct hr_domain *domains;
	struct hr_mapping *mappings;
	struct hr_zone *zones;
	struct hr_thread *threads;
	char *strings;
	struct hr_point *timeline;
	struct hr_mark *marks;
	struct hr_ledger_row *ledger;
	size_t module_count, node_count, site_count, domain_count, mapping_count, zone_count, thread_count, string_bytes,
		point_count, mark_count, ledger_count;
};

/*
 * Reads the header of an open file and checks it; the rows are empty. The descriptor stays the caller's.
 * NULL, with the error printed unless quiet. `path` is for people.
 */
struct segment *segment_read_header(int fd, const char *path, bool quiet);
/* Then the rows, and the header once more. Returns 0, or -1 with the error printed. */
int segment_read_rows(struct segment *segment, int fd);
void segment_free(struct segment *segment);

/* A string of it, NUL-terminated; NULL when not known or out of bounds. Lives as long as the segment. */
const char *segment_string(const struct segment *segment, struct hr_str string);
/* The one at an offset (Lua chunk and function names); NULL when out of bounds. */
const char *segment_string_at(const struct segment *segment, uint64_t offset);
/* A domain's name: never NULL. The allocator's is "allocator". */
const char *segment_domain_name(const struct segment *segment, size_t domain);

#endif
