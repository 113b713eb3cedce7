/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * churn.c EVENTS DEPTH - a million live blocks; then EVENTS times one of them, at random, is freed and another
 * allocated in its place: caches miss, in the allocator and in whoever watches it.
 */
#include <stdint.h>
#include <stdlib.h>

#define LIVE 1000000u
static void *blocks[LIVE];

static void loop(unsigned long events)
{
	uint64_t x = 88172645463325252ull;
	for (unsigned long i = 0; i < LIVE; i++)
		blocks[i] = malloc(16 + i % 112);
	for (unsigned long i = 0; i < events; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		const unsigned at = (unsigned)((x >> 32) * LIVE >> 32);
		free(blocks[at]);
		*(char *)(blocks[at] = malloc(16 + (x & 127))) = 1;
	}
}

static int deeper(int left, unsigned long n)
{
	volatile int here = left;
	if (left > 1)
		return deeper(left - 1, n) + here;
	loop(n);
	return here;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	deeper(atoi(argv[2]), strtoul(argv[1], NULL, 10));
	return 0;
}
