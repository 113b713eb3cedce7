/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_stats.h - the arithmetic of a comparison: medians, and whether two sets of runs differ.
 */
#ifndef HEAPRAY_COMPARE_STATS_H
#define HEAPRAY_COMPARE_STATS_H

#include <stddef.h>

/* NAN for no values. Sorts them. */
double stats_median(double *values, size_t count);
/* Half of the distance between the lowest and the highest. */
double stats_spread(const double *values, size_t count);
/*
 * The probability that two sets that do not differ are ordered as unevenly as these or more (Mann and
 * Whitney, two-sided, ties by mid-rank). Exact up to 60 values in all, by the normal curve above. 1 when one is empty.
 */
double stats_probability(const double *a, size_t a_count, const double *b, size_t b_count);
/* Holm: makes `count` probabilities such that one below p means: at most p that any of the set is chance. */
void stats_holm(double *probabilities, size_t count);
/* The median of the slopes between all pairs (Theil and Sen): an outlier does not tilt it. NAN under 3 points. */
double stats_slope(const double *x, const double *y, size_t count);

#endif
