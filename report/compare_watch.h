/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_watch.h - the family of one run, seen from outside while it runs.
 *
 * A *light* sample reads the header of each segment and smaps_rollup of each process; a *full* one also
 * the ledger, which tells whose each page is, and the sizes of the live blocks. A sample may cost at most
 * a twentieth of the time: the dearer it was, the later the next. A new highest of requested bytes brings
 * the next full one forward, so that the peak is not missed.
 *
 * Segments are opened when they are first seen and stay open: those of processes that ended long before
 * the run does are counted whatever happens to their files.
 */
#ifndef HEAPRAY_COMPARE_WATCH_H
#define HEAPRAY_COMPARE_WATCH_H

#include "compare.h"
#include "compare_sizes.h"
#include "segment.h"

#include <sys/types.h>

struct member { /* a segment of the run */
	int fd;
	char *path;
	struct segment *segment; /* its header at the last look; after observe_finish with the rows */
	pid_t pid;
	char *exe; /* what its process ran when it made the segment; NULL: not written yet */
	bool live; /* its process runs, and still that */
};

struct observer {
	const char *dir; /* of the run's segments; NULL: bare */
	pid_t program;   /* the process that was started */
	pid_t load;      /* the session of the load, left out; 0: none */
	uint64_t start_ns;
	struct member *members;
	size_t member_count, member_capacity;
	pid_t *pids; /* processes of the family at the last look */
	size_t pid_count, most_pids;
	pid_t *others; /* known not to be of it */
	size_t other_count;
	struct sample *samples;
	size_t sample_count, sample_capacity;
	uint64_t due_ns, full_due_ns, full_cost_ns, light_cost_ns;
	double highest;     /* requested, of the full samples */
	struct sizes sizes; /* at that one */
	unsigned unwatched; /* looks in a row at which the program ran without the shim */
	bool seen;          /* a look found it running under the shim */
};

uint64_t observe_now(void); /* CLOCK_MONOTONIC ns */
void observe_begin(struct observer *watch, const char *dir, pid_t program);
/* Takes a sample if one is due. Returns the ns until the next. */
uint64_t observe_tick(struct observer *watch);
/* Takes a full one now. NULL when nothing of it could be read. */
const struct sample *observe_look(struct observer *watch);
/* Fills pids: the descendants of this process, without the load's session. */
void observe_family(struct observer *watch);
bool observe_has(const struct observer *watch, pid_t pid);
/* Fills rss and pss of the sample: sums over pids. */
void observe_resident(const struct observer *watch, struct sample *sample);
/* After the last process ended: reads the rows of every segment. */
void observe_finish(struct observer *watch);
void observe_free(struct observer *watch); /* all but the samples and sizes */

#endif
