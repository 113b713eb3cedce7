/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * churn.c PAIRS DEPTH - a million live blocks of 16 to 143 bytes; then one of them at random is freed and
 * another allocated in its place, again and again: caches miss, in the allocator and in whoever watches it.
 * PAIRS counts the first million, too.
 */
#include "bench.h"

#define LIVE 1000000u
static char *blocks[LIVE];
static unsigned long pairs, done;
static double end;

static void fill(unsigned at, size_t size)
{
	char *p = blocks[at] = malloc(size);
	p[0] = p[size - 1] = 1;
}

static void loop(void *unused)
{
	uint64_t x = 1;
	for (; done < pairs; done++) {
		if (done % LOOK == 0 && seconds_now() > end)
			break;
		const unsigned at =
			done < LIVE ? (unsigned)done : (unsigned)((uint64_t)next_number(&x) * LIVE >> 32);
		free(blocks[at]);
		fill(at, 16 + (next_number(&x) & 127));
	}
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	pairs = strtoul(argv[1], NULL, 10);
	end = seconds_now() + seconds_given();
	descend(atoi(argv[2]), loop, NULL);
	printf("pairs %lu\n", done);
	return 0;
}
