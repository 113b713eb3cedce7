/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_stats.c - order statistics. Runs of a program are few and have outliers on one side (something
 * else ran), so nothing here takes them for normally distributed.
 *
 * The exact test: of all ways to choose which a_count of the ranks are a's, how many give a rank sum that
 * is at least as far from the middle? Counted by dynamic programming over {how many chosen, their sum};
 * ranks are doubled so that mid-ranks of ties are integers.
 */
#include "compare_stats.h"

#include "xalloc.h"

#include <math.h>

#define EXACT_MOST 60

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double stats_median(double *values, size_t count)
{
	if (count == 0)
		return NAN;
	qsort(values, count, sizeof(*values), by_value);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double stats_spread(const double *values, size_t count)
{
	if (count == 0)
		return NAN;
	double low = values[0], high = values[0];
	for (size_t i = 1; i < count; i++) {
		low = fmin(low, values[i]);
		high = fmax(high, values[i]);
	}
	return (high - low) / 2;
}

/* Twice the mid-rank of `value` among all: 1 + those below, averaged over those equal to it. */
static size_t doubled_rank(double value, const double *all, size_t count)
{
	size_t below = 0, equal = 0;

	for (size_t i = 0; i < count; i++) {
		below += all[i] < value;
		equal += all[i] == value;
	}
	return 2 * below + equal + 1;
}

/* ways[k][s]: how many choices of k of the ranks have the sum s. */
static double exact(const size_t *ranks, size_t count, size_t chosen, size_t sum)
{
	const size_t most = 2 * count * count + 1, expected = chosen * (count + 1);
	double *ways = xcalloc((chosen + 1) * most, sizeof(*ways)), all = 0, extreme = 0;

	ways[0] = 1;
	for (size_t i = 0; i < count; i++) {
		for (size_t k = (i < chosen ? i + 1 : chosen); k > 0; k--)
			for (size_t s = ranks[i]; s < most; s++)
				ways[k * most + s] += ways[(k - 1) * most + s - ranks[i]];
	}
	const size_t far = sum > expected ? sum - expected : expected - sum;
	for (size_t s = 0; s < most; s++) {
		const size_t here = s > expected ? s - expected : expected - s;
		all += ways[chosen * most + s];
		extreme += here >= far ? ways[chosen * most + s] : 0;
	}
	free(ways);
	return extreme / all;
}

double stats_probability(const double *a, size_t a_count, const double *b, size_t b_count)
{
	const size_t count = a_count + b_count;
	size_t sum = 0, *ranks;

	if (a_count == 0 || b_count == 0)
		return 1;
	double *all = xcalloc(count, sizeof(*all)), probability, squares = 0;
	memcpy(all, a, a_count * sizeof(*a));
	memcpy(all + a_count, b, b_count * sizeof(*b));
	ranks = xcalloc(count, sizeof(*ranks));
	for (size_t i = 0; i < count; i++) {
		ranks[i] = doubled_rank(all[i], all, count);
		sum += i < a_count ? ranks[i] : 0;
		squares += pow((double)ranks[i] - (double)(count + 1), 2);
	}
	if (count <= EXACT_MOST) {
		probability = exact(ranks, count, a_count, sum);
	} else {
		const double variance = squares / (count - 1) * a_count * b_count / count;
		const double far = fabs((double)sum - (double)a_count * (count + 1));
		probability = variance > 0 ? erfc(fmax(0, far - 1) / sqrt(2 * variance)) : 1;
	}
	free(ranks);
	free(all);
	return fmin(1, probability);
}

void stats_holm(double *probabilities, size_t count)
{
	double floor = 0;

	/* The smallest is multiplied by count, the next by count - 1, ...; none below one before it. */
	for (size_t left = count; left > 0; left--) {
		size_t smallest = count;
		for (size_t i = 0; i < count; i++)
			if (probabilities[i] >= 0 && (smallest == count || probabilities[i] < probabilities[smallest]))
				smallest = i;
		floor = fmax(floor, fmin(1, probabilities[smallest] * left));
		probabilities[smallest] = -1 - floor; /* done: below 0 */
	}
	for (size_t i = 0; i < count; i++)
		probabilities[i] = -1 - probabilities[i];
}

double stats_slope(const double *x, const double *y, size_t count)
{
	double *slopes = xcalloc(count * count / 2 + 1, sizeof(*slopes));
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++)
			if (x[k] > x[i])
				slopes[used++] = (y[k] - y[i]) / (x[k] - x[i]);
	const double slope = used >= 3 ? stats_median(slopes, used) : NAN;
	free(slopes);
	return slope;
}
