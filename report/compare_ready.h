/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_ready.h - whether a server can be loaded: --ready URL|PORT|FILE|SECONDS.
 *
 *   http://host[:port]/path   answers with a status below 500
 *   21700, :80, host:port     accepts a connection (a bare number up to 60 is seconds)
 *   0.5, 2s, 500ms            that long after the start
 *   path                      exists, and was written since the start
 */
#ifndef HEAPRAY_COMPARE_READY_H
#define HEAPRAY_COMPARE_READY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct ready {
	enum { READY_URL, READY_PORT, READY_FILE, READY_TIME } kind;
	char *host, *port, *path;
	uint64_t ns;
};

/* Returns 0, or -1 when it is none of these. */
int ready_parse(const char *text, struct ready *ready);
/* since_ns ago it was started, at `started` of the wall clock. */
bool ready_yet(const struct ready *ready, uint64_t since_ns, struct timespec started);

#endif
