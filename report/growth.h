/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth.h - all that `heapray growth` says, gathered before anything is printed.
 *
 *   time line  what each heap held since the start, from the segments
 *   samples    live bytes by stack, read again and again (--for), or one reading a snapshot of a folder
 *   ages       when the blocks that live now were born
 *
 * The findings are of the samples when there are any, else of ages: a heap that grows by its time line,
 * and the stacks whose survivors explain how fast.
 */
#ifndef HEAPRAY_GROWTH_H
#define HEAPRAY_GROWTH_H

#include "growth_ages.h"
#include "growth_find.h"
#include "growth_samples.h"
#include "options.h"
#include "quality.h"
#include "timeline_read.h"

struct growth_options {
	struct options common;
	uint64_t for_ns, every_ns; /* for_ns 0: no sampling */
	uint64_t until_bytes;      /* 0: not given */
	const char *per, *since;
};

/* How a heap's time line goes. */
struct heap_trend {
	const char *name;
	double live;
	struct trend trend;
};

struct growth {
	const struct growth_options *options;
	const struct family *family;
	struct quality quality;
	struct timeline timeline;
	size_t timeline_first;     /* points before are warm-up, or before the mark */
	struct heap_trend *heaps;  /* as many as timeline.domain_count */
	struct samples *samples;   /* NULL: not sampled */
	size_t samples_first;
	struct model *model;       /* the samples', or one of its own */
	struct ages ages;
	struct findings findings;
	bool by_ages;              /* where the findings are from */
	double resident, held, used, live; /* bytes, now; NAN = not known */
	double slope;              /* of all findings, bytes a second */
	uint64_t limit;            /* of the cgroup, 0 = none; limit_usage: what it counts now */
	uint64_t limit_usage;
	char verdict[256];
};

/* growth_judge.c: findings and verdict from what was gathered. */
void growth_judge(struct growth *growth);
/* Returns the exit status. */
int growth_print_json(struct growth *growth);
int growth_print_text(struct growth *growth);

#endif
