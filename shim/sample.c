/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.c - which allocations are sampled, and what each sampled one stands for.
 *
 * Points lie at random on the axis of allocated bytes, on average one in each interval T (a Poisson
 * process); an allocation with a point in it is sampled. One of n bytes is so with p = 1 - exp(-n/T), and
 * stands for n/p bytes and 1/p blocks (Horvitz and Thompson): summed over samples that is right on average,
 * however sizes are mixed. Its share of the sum's variance is n^2 (1-p) / p^2. T = 1: every allocation,
 * exactly.
 *
 * libm is not ours to call: logarithm and exponential are series here, good to 1e-12.
 */
#include "shim.h"

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull; /* splitmix64 */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* In (0, 1]. */
static double uniform(uint64_t *state)
{
	return (double)((next_random(state) >> 11) + 1) * 0x1p-53;
}

/* ln x, x > 0 and normal. */
static double logarithm(double x)
{
	union { double d; uint64_t u; } bits = {.d = x};
	int exponent = (int)(bits.u >> 52) - 1023;
	bits.u = (bits.u & ((1ull << 52) - 1)) | 1023ull << 52; /* [1, 2) */
	if (bits.d > 1.4142135623730951) {
		bits.d /= 2;
		exponent++;
	}
	double s = (bits.d - 1) / (bits.d + 1), square = s * s, sum = 0;
	for (int k = 17; k > 0; k -= 2)
		sum = sum * square + 1.0 / k;
	return exponent * 0.6931471805599453 + 2 * s * sum;
}

/* 1 - exp(-x), x >= 0. */
static double probability(double x)
{
	if (x > 40)
		return 1;
	if (x > 0.5) {
		double half = probability(x / 2);
		return half * (2 - half);
	}
	double sum = 1;
	for (int k = 14; k > 1; k--)
		sum = 1 - x / k * sum;
	return x * sum;
}

int64_t hr_sample_next(uint64_t *random, uint64_t interval)
{
	if (interval <= 1)
		return interval ? 0 : INT64_MAX;
	return (int64_t)(-logarithm(uniform(random)) * (double)interval);
}

struct estimate hr_sample_estimate(uint64_t interval, uint64_t real)
{
	if (interval <= 1)
		return (struct estimate){.real = real, .bytes = real};
	double n = (double)real, p = probability(n / (double)interval);
	return (struct estimate){
		.real = real, .bytes = (uint64_t)(n / p + 0.5), .variance = n * n * (1 - p) / (p * p), .estimated = p < 1,
	};
}

uint32_t hr_sample_count(uint64_t interval, uint64_t real, uint64_t *random)
{
	if (interval <= 1)
		return 1;
	double weight = 1 / probability((double)real / (double)interval);
	return (uint32_t)(weight + 1 - uniform(random));
}
