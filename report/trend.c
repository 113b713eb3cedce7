/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trend.c - Theil-Sen's slope, Mann-Kendall's test, and whether growth goes on.
 *
 * The slope is the median of the slopes between all pairs of points: up to 29 % of the points may be
 * anything. The test counts the pairs that rise less those that fall, S; without a trend S is normal
 * around 0 with a known variance, which also says between which of the sorted slopes the true one lies.
 * Both look at the whole. Whether it goes on is asked of the last third alone: a cache that has filled
 * rose significantly, and is no leak.
 *
 * The work is quadratic, so a long series is thinned to MOST points first.
 */
#include "trend.h"

#include "xalloc.h"

#include <math.h>

#define MOST 256
#define AROUND 12 /* one of so many points to each side make a level */
#define SIGNIFICANT 2.576 /* 1 % */
#define SUGGESTIVE 1.645  /* 10 %: of a third of the points */
#define INTERVAL 1.960    /* 95 % */

struct pairs {
	double *slopes; /* ascending */
	size_t count;
	double s, variance; /* Mann-Kendall's */
};

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* n(n-1)(2n+5)/18, less the same of each group of equal values. */
static double variance_of(const double *y, size_t count)
{
	double *sorted = xcalloc(count, sizeof(*sorted));
	double n = (double)count, variance = n * (n - 1) * (2 * n + 5);

	memcpy(sorted, y, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), ascending);
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && sorted[end] == sorted[i];)
			end++;
		const double t = (double)(end - i);
		variance -= t * (t - 1) * (2 * t + 5);
	}
	free(sorted);
	return variance / 18;
}

static struct pairs pairs_of(const double *x, const double *y, size_t count)
{
	struct pairs p = {.slopes = xcalloc(count * count / 2 + 1, sizeof(double)), .variance = variance_of(y, count)};

	for (size_t i = 0; i < count; i++) {
		for (size_t j = i + 1; j < count; j++) {
			p.s += (y[j] > y[i]) - (y[j] < y[i]);
			if (x[j] > x[i])
				p.slopes[p.count++] = (y[j] - y[i]) / (x[j] - x[i]);
		}
	}
	qsort(p.slopes, p.count, sizeof(*p.slopes), ascending);
	return p;
}

/* The slope at a rank that may lie between two, or outside. */
static double at_rank(const struct pairs *p, double rank)
{
	if (p->count == 0)
		return 0;
	if (rank <= 0)
		return p->slopes[0];
	if (rank >= (double)(p->count - 1))
		return p->slopes[p->count - 1];
	const size_t below = (size_t)rank;
	return p->slopes[below] + (rank - (double)below) * (p->slopes[below + 1] - p->slopes[below]);
}

static double median(const struct pairs *p)
{
	return at_rank(p, ((double)p->count - 1) / 2);
}

static double z_of(const struct pairs *p)
{
	if (p->variance <= 0 || p->s == 0)
		return 0;
	return (p->s - (p->s > 0 ? 1 : -1)) / sqrt(p->variance); /* continuity */
}

/* Up to MOST of the points, the first and the last among them. */
static size_t thin(const double *from, size_t count, double *to)
{
	const size_t kept = count < MOST ? count : MOST;

	for (size_t i = 0; i < kept; i++)
		to[i] = from[kept < 2 ? 0 : i * (count - 1) / (kept - 1)];
	return kept;
}

double trend_slope(const double *x, const double *y, size_t count)
{
	double tx[MOST], ty[MOST];

	thin(x, count, tx);
	struct pairs p = pairs_of(tx, ty, thin(y, count, ty));
	const double slope = median(&p);
	free(p.slopes);
	return slope;
}

/* The first point of the last third of the effort. */
static size_t last_third(const double *effort, size_t count)
{
	const double from = effort[0] + (effort[count - 1] - effort[0]) * 2 / 3;
	size_t i = 0;

	while (i < count && effort[i] < from)
		i++;
	return i;
}

/* The median of the values around one. */
static double level(const double *values, size_t count, size_t at)
{
	double near[2 * MOST / AROUND + 1];
	const size_t reach = count / AROUND, from = at > reach ? at - reach : 0, to = at + reach < count ? at + reach : count - 1;

	memcpy(near, values + from, (to - from + 1) * sizeof(*near));
	qsort(near, to - from + 1, sizeof(*near), ascending);
	return near[(to - from) / 2];
}

/* The part of all growth that was made in the last third; of a straight line it is a third. */
static double late_part(const double *values, size_t count, size_t third)
{
	const double start = level(values, count, 0), end = level(values, count, count - 1);

	return end > start ? (end - level(values, count, third)) / (end - start) : 0;
}

/* A series that rose significantly: does it go on? */
static enum trend_shape judge_rise(struct trend *trend, const double *effort, const double *values, size_t count)
{
	const size_t third = last_third(effort, count);

	/* Most of the effort was made in too few steps: nothing can be said of how it ends. */
	if (third < 3 || count - third < 3)
		return effort[count - 1] > effort[0] ? TREND_TOO_LITTLE : TREND_PLATEAU;
	struct pairs late = pairs_of(effort + third, values + third, count - third);
	trend->early = trend_slope(effort, values, third);
	trend->late = median(&late);
	const bool rises = z_of(&late) > (count - third < TREND_FEWEST ? 1 : SUGGESTIVE);
	free(late.slopes);
	/* As fast as before is going on, even where the ups and downs of so few points hide it from the test; but
	 * what came at once in the beginning, and was followed by a small slope, is not. */
	const bool as_much = rises || late_part(values, count, third) >= TREND_SLOWING_BELOW / 6;
	if (as_much && trend->late > 0 && trend->late >= TREND_SLOWING_BELOW * trend->early)
		return TREND_GROWING;
	return rises && trend->late > 0 ? TREND_SLOWING : TREND_PLATEAU;
}

struct trend trend_fit(const double *seconds, const double *effort, const double *values, size_t count)
{
	struct trend trend = {.shape = TREND_TOO_LITTLE};
	double t[MOST], e[MOST], v[MOST];

	if (count < TREND_FEWEST || seconds[count - 1] <= seconds[0])
		return trend;
	thin(effort ? effort : seconds, count, e);
	thin(values, count, v);
	count = thin(seconds, count, t);
	struct pairs p = pairs_of(t, v, count);
	const double spread = INTERVAL * sqrt(fmax(p.variance, 0)), middle = ((double)p.count - 1) / 2;
	trend.slope = median(&p);
	trend.low = at_rank(&p, middle - spread / 2);
	trend.high = at_rank(&p, middle + spread / 2);
	trend.z = z_of(&p);
	free(p.slopes);
	if (trend.z < -SIGNIFICANT)
		trend.shape = TREND_FALLING;
	else if (trend.z <= SIGNIFICANT)
		trend.shape = TREND_FLAT;
	else
		trend.shape = judge_rise(&trend, e, v, count);
	return trend;
}

double trend_seconds_to(double value, double limit, double slope)
{
	if (value >= limit)
		return 0;
	return slope > 0 ? (limit - value) / slope : INFINITY;
}

const char *trend_name(enum trend_shape shape)
{
	static const char *const names[] = {"too little data", "steady", "falling", "growing", "slowing", "plateau"};

	return names[shape];
}
