/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trend.h - does a series of measurements grow, how fast, and does it go on growing.
 *
 * Robust throughout: a minority of wild points (a garbage collection, a burst) moves neither answer.
 */
#ifndef HEAPRAY_TREND_H
#define HEAPRAY_TREND_H

#include <stdbool.h>
#include <stddef.h>

#define TREND_FEWEST 8 /* points; with fewer there is no answer */

enum trend_shape {
	TREND_TOO_LITTLE, /* too few points, or all at one time */
	TREND_FLAT,       /* neither up nor down, as far as this can tell */
	TREND_FALLING,
	TREND_GROWING,    /* up, and at the end still as fast as before */
	TREND_SLOWING,    /* up, but at the end at less than TREND_SLOWING_BELOW of its speed: warm-up, a cache that fills */
	TREND_PLATEAU,    /* went up, and stopped */
};
#define TREND_SLOWING_BELOW 0.6

struct trend {
	enum trend_shape shape;
	double slope, low, high; /* units a second: Theil-Sen, with its 95 % interval */
	double z;                /* Mann-Kendall: how many standard deviations from "no trend"; ties corrected */
	double early, late;      /* slopes of the first two thirds and of the last, a unit of `effort` */
};

/*
 * seconds ascending; values[i] was measured at seconds[i]. effort[i], not descending, says how much had been
 * done until then (requests, allocations): whether growth goes on is judged by it, so that a load that ends
 * does not look like a plateau. NULL: the time itself.
 */
struct trend trend_fit(const double *seconds, const double *effort, const double *values, size_t count);

/* The median of the slopes between all pairs of points with different x; 0 when there are none. */
double trend_slope(const double *x, const double *y, size_t count);

/* Until `value` has doubled, or reached `limit`, at this slope; INFINITY when never, 0 when it has. */
double trend_seconds_to(double value, double limit, double slope);

/* "growing", ... as in reports. */
const char *trend_name(enum trend_shape shape);

#endif
