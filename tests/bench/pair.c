/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair.c PAIRS DEPTH [THREADS] - malloc and free, PAIRS of them in all, from a stack DEPTH deep: the price of one
 * event where the program does nothing else. Each thread has its share, and its own blocks.
 */
#include <pthread.h>
#include <stdlib.h>

static unsigned long pairs;
static int depth;

static void loop(unsigned long n)
{
	for (unsigned long i = 0; i < n; i++) {
		char *p = malloc(16 + i % 200);
		p[0] = 1;
		free(p);
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

static void *work(void *share)
{
	deeper(depth, (unsigned long)share);
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	pairs = strtoul(argv[1], NULL, 10);
	depth = atoi(argv[2]);
	const unsigned long threads = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
	if (threads == 1) {
		work((void *)pairs);
		return 0;
	}
	pthread_t ids[16];
	for (unsigned long i = 0; i < threads && i < 16; i++)
		pthread_create(&ids[i], NULL, work, (void *)(pairs / threads));
	for (unsigned long i = 0; i < threads && i < 16; i++)
		pthread_join(ids[i], NULL);
	return 0;
}
