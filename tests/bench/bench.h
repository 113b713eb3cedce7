/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.h - what the programs that only allocate share: going down to a depth, sizes, and an end in time.
 *
 * A program does the number of pairs it is told, or as many as it can in $BENCH_SECONDS; it says at its end
 * how many that were (`pairs N`), so that what a pair costs is known for tools that would take minutes, too.
 */
#ifndef HEAPRAY_BENCH_H
#define HEAPRAY_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* How often a loop looks at the clock: once in so many pairs (a power of two). */
#define LOOK 1024u

/* Calls work(argument) from a stack `depth` functions deep. */
static inline int descend(int depth, void (*work)(void *), void *argument)
{
	volatile int here = depth;
	if (depth > 1)
		return descend(depth - 1, work, argument) + here;
	work(argument);
	return here;
}

/* The next of a row of numbers without a pattern; *x is its state. */
static inline uint32_t next_number(uint64_t *x)
{
	*x = *x * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*x >> 32);
}

/* The seconds this process has, from $BENCH_SECONDS. */
static inline double seconds_given(void)
{
	const char *text = getenv("BENCH_SECONDS");
	return text ? atof(text) : 1e9;
}

static inline double seconds_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
