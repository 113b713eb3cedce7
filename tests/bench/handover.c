/* SPDX-License-Identifier: BSD-2-Clause */
/* handover.c PAIRS DEPTH - one thread allocates, another frees: blocks go from the one to the other through a ring. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define RING 4096u
static void *_Atomic ring[RING];
static unsigned long pairs;

static void *consume(void *unused)
{
	for (unsigned long i = 0; i < pairs; i++) {
		void *p;
		while (!(p = atomic_exchange_explicit(&ring[i % RING], NULL, memory_order_acquire)))
			sched_yield();
		free(p);
	}
	return unused;
}

static void produce(void)
{
	for (unsigned long i = 0; i < pairs; i++) {
		char *p = malloc(16 + i % 200);
		p[0] = 1;
		while (atomic_load_explicit(&ring[i % RING], memory_order_relaxed))
			sched_yield();
		atomic_store_explicit(&ring[i % RING], p, memory_order_release);
	}
}

static int deeper(int left)
{
	volatile int here = left;
	if (left > 1)
		return deeper(left - 1) + here;
	produce();
	return here;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	pairs = strtoul(argv[1], NULL, 10);
	pthread_t thread;
	pthread_create(&thread, NULL, consume, NULL);
	deeper(atoi(argv[2]));
	pthread_join(thread, NULL);
	return 0;
}
