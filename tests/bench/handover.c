/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handover.c PAIRS DEPTH - one thread allocates, another frees: blocks go from the one to the other through a
 * ring. Its last block is a mark: the end, early or not.
 */
#include "bench.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define RING 4096u
static void *_Atomic ring[RING];
static unsigned long pairs, done;
static double end;
static char mark;

static void *consume(void *unused)
{
	for (unsigned long i = 0;; i++) {
		void *p;
		while (!(p = atomic_exchange_explicit(&ring[i % RING], NULL, memory_order_acquire)))
			sched_yield();
		if (p == &mark)
			return unused;
		free(p);
	}
}

static void give(unsigned long i, void *p)
{
	while (atomic_load_explicit(&ring[i % RING], memory_order_relaxed))
		sched_yield();
	atomic_store_explicit(&ring[i % RING], p, memory_order_release);
}

static void produce(void *unused)
{
	uint64_t x = 1;
	for (; done < pairs; done++) {
		if (done % LOOK == 0 && seconds_now() > end)
			break;
		const size_t size = 16 + (size_t)((uint64_t)next_number(&x) * 1009 >> 32);
		char *p = malloc(size);
		p[0] = p[size - 1] = 1;
		give(done, p);
	}
	give(done, &mark);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	pthread_t thread;
	pairs = strtoul(argv[1], NULL, 10);
	end = seconds_now() + seconds_given();
	pthread_create(&thread, NULL, consume, NULL);
	descend(atoi(argv[2]), produce, NULL);
	pthread_join(thread, NULL);
	printf("pairs %lu\n", done);
	return 0;
}
