/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair.c PAIRS DEPTH fixed|varied [THREADS] - malloc and free, PAIRS of them in all, from a stack DEPTH deep:
 * what one event costs where the program does nothing else. Each thread has its share, and its own blocks.
 *
 * fixed is the tightest loop there is, 64 bytes of which one is written: the allocator hands out the same
 * block for ever. varied takes 16 to 1024 bytes and writes the first and the last, as a program would.
 */
#include "bench.h"
#include <pthread.h>
#include <string.h>

#define MAX_THREADS 16u

struct share {
	unsigned long pairs, done;
	double end;
};

static int depth;

static void fixed(void *argument)
{
	struct share *s = argument;
	unsigned long i = 0;
	for (; i < s->pairs; i++) {
		if (i % LOOK == 0 && seconds_now() > s->end)
			break;
		char *p = malloc(64);
		p[0] = 1;
		free(p);
	}
	s->done = i;
}

static void varied(void *argument)
{
	struct share *s = argument;
	uint64_t x = 1;
	unsigned long i = 0;
	for (; i < s->pairs; i++) {
		if (i % LOOK == 0 && seconds_now() > s->end)
			break;
		const size_t size = 16 + (size_t)((uint64_t)next_number(&x) * 1009 >> 32);
		char *p = malloc(size);
		p[0] = p[size - 1] = 1;
		free(p);
	}
	s->done = i;
}

static void (*loop)(void *);

static void *work(void *share)
{
	descend(depth, loop, share);
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	const unsigned long threads = argc > 4 ? strtoul(argv[4], NULL, 10) : 1;
	const struct share share = {strtoul(argv[1], NULL, 10) / threads, 0, seconds_now() + seconds_given()};
	struct share shares[MAX_THREADS];
	pthread_t ids[MAX_THREADS];
	unsigned long done = 0;
	depth = atoi(argv[2]);
	loop = strcmp(argv[3], "fixed") == 0 ? fixed : varied;

	for (unsigned long i = 0; i < threads && i < MAX_THREADS; i++)
		shares[i] = share;
	if (threads == 1)
		work(&shares[0]);
	for (unsigned long i = 0; threads > 1 && i < threads && i < MAX_THREADS; i++)
		pthread_create(&ids[i], NULL, work, &shares[i]);
	for (unsigned long i = 0; threads > 1 && i < threads && i < MAX_THREADS; i++)
		pthread_join(ids[i], NULL);
	for (unsigned long i = 0; i < threads && i < MAX_THREADS; i++)
		done += shares[i].done;
	printf("pairs %lu\n", done);
	return 0;
}
