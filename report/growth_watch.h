/* SPDX-License-Identifier: BSD-2-Clause */
/* growth_watch.h - a family that is read again and again, at a small part of the cost of finding it. */
#ifndef HEAPRAY_GROWTH_WATCH_H
#define HEAPRAY_GROWTH_WATCH_H

#include "family.h"

#include <stdbool.h>
#include <stdint.h>

struct watch {
	struct options options; /* TARGET is the root's pid from the first reading on */
	char target[16];
	struct family family;
	uint64_t found_ns; /* when the members were last looked for */
};

/* Finds the family. Returns 0, or -1 with the error printed. */
int watch_open(struct watch *watch, const struct options *options);
/*
 * Reads all segments again. A member that ended loses its segment; members that were born since are found
 * within a few seconds, at once when one ended. False when none is alive any more: what was read last stays.
 */
bool watch_again(struct watch *watch);
void watch_close(struct watch *watch);

/* Sums over the live members; UINT64_MAX when one cannot be told. */
uint64_t watch_resident(const struct family *family);
uint64_t watch_held(const struct family *family);   /* by the allocator */
uint64_t watch_used(const struct family *family);   /* of that, in use, by the allocator's own word */
/* Clocks in ns. */
uint64_t watch_now(void);
/* Sleeps until a time of watch_now; false when a signal came first. */
bool watch_sleep_until(uint64_t ns);

#endif
