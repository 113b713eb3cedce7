/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth_ages.h - when the blocks that are live now were born, by stack.
 *
 *            bucket 0   1   2  ...  n-1        since the start (or a mark), each bucket_ns long
 *   leak        ##  ##  ##  ##  ##  ##         as many survivors of every time
 *   churn                           ##         only the young are alive
 *   plateau     ##  ##                         filled once, then no more
 *
 * So one look at a live process tells what a series of readings would. Of a snapshot the ages are those
 * that were kept with it.
 */
#ifndef HEAPRAY_GROWTH_AGES_H
#define HEAPRAY_GROWTH_AGES_H

#include "model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGE_BUCKETS 48

struct age_row {
	uint32_t path, domain;
	double bytes[AGE_BUCKETS], count[AGE_BUCKETS]; /* survivors by birth */
	double older;          /* bytes born before bucket 0 */
	double lifetime;       /* seconds its blocks usually live, by how many die; INFINITY when none did */
	double overdue_bytes, overdue_count; /* alive for more than AGE_OVERDUE usual lifetimes */
	/* What the shape says: */
	bool leaking;          /* survivors of all times alike */
	double rate, low, high; /* survivors' bytes a second, 95 % */
};
#define AGE_OVERDUE 10

struct ages {
	struct age_row *rows; /* by path, then domain */
	size_t count;
	uint64_t bucket_ns;   /* a multiple of the table's resolution, 4 s */
	size_t buckets;       /* in use, at most AGE_BUCKETS */
	bool told;            /* at least one table could be read */
	bool enough;          /* the time is long enough to judge by */
};

/* Reads the live tables of a family; since_ns: CLOCK_MONOTONIC of the first birth that counts, 0 = after warm-up. */
struct ages ages_read(struct model *model, const struct family *family, uint64_t since_ns);
/* The row of a stack; NULL. */
const struct age_row *ages_find(const struct ages *ages, uint32_t path, uint32_t domain);
void ages_free(struct ages *ages);

/* Judges one row by its survivors; exposed for its test. */
void ages_judge(struct age_row *row, size_t buckets, uint64_t bucket_ns);

#endif
