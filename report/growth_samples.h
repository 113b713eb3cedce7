/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth_samples.h - live bytes of every stack, again and again.
 *
 *   seconds   t0   t1   t2  ...          one column for each reading
 *   series    [{path, domain}]  v0 v1 v2 ...   0 before it was first seen
 *
 * When SAMPLES_MOST columns are full every second one is dropped, and from then on every second reading
 * is left out, and so on: a day takes as much memory as an hour.
 */
#ifndef HEAPRAY_GROWTH_SAMPLES_H
#define HEAPRAY_GROWTH_SAMPLES_H

#include "model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAMPLES_MOST 256

struct series {
	uint32_t path, domain; /* as in the model's rows */
	uint32_t next;         /* of the same path; 0 = none */
	bool estimated;
	double variance;       /* of the last value, bytes squared: estimates only */
	double live[SAMPLES_MOST], allocated[SAMPLES_MOST]; /* bytes; allocated: ever */
};

/* What is measured beside the stacks. */
struct sample {
	double seconds;              /* since any moment, the same for all */
	double events;               /* of the counter asked for; 0 = none */
	double resident, held, used; /* bytes; NAN = not known */
};

struct samples {
	struct model *model;
	size_t count;
	double seconds[SAMPLES_MOST], effort[SAMPLES_MOST], events[SAMPLES_MOST]; /* effort: allocations made */
	double resident[SAMPLES_MOST], held[SAMPLES_MOST], used[SAMPLES_MOST], total[SAMPLES_MOST];
	struct series **series; /* series[0] is none */
	size_t series_count, series_capacity;
	uint32_t *by_path; /* the first series of a path */
	size_t path_capacity;
	uint64_t readings, stride; /* one reading of `stride` is kept */
};

/* The first reading builds the model; quality hears what is approximate. */
struct samples *samples_new(const struct family *family, struct quality *quality);
/* Reads the family's rows anew and keeps them as a column. */
void samples_add(struct samples *samples, const struct family *family, struct sample sample);
void samples_free(struct samples *samples);

#endif
