/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_threadstorm.c [THREADS] - short-lived threads (3,000, eight at a time, on the smallest stacks there are)
 * that keep one block each; half of them end by a TLS destructor that allocates, sets its key again, and allocates
 * once more. The books know what is left.
 */
#include <limits.h>

#include "expect.h"

SITE(body, "site_in_thread");
SITE(ending, "site_in_destructor");
static void *site_in_thread(size_t n) { return malloc(n); }
static void *site_in_destructor(size_t n) { return malloc(n); }

static pthread_key_t key;

static void destroy(void *round)
{
	booked(&ending, site_in_destructor(70), 70);
	free(malloc(1000));
	if ((size_t)round < 3)
		pthread_setspecific(key, (void *)((size_t)round + 1));
}

static void *live(void *number)
{
	booked(&body, site_in_thread(50), 50);
	free(calloc(3, 77));
	if ((size_t)number % 2)
		pthread_setspecific(key, (void *)1);
	return NULL;
}

int main(int argc, char **argv)
{
	const size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 3000;
	pthread_attr_t small;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, (size_t)PTHREAD_STACK_MIN + 16384);
	pthread_key_create(&key, destroy);
	for (size_t i = 0; i < count; i += 8) {
		pthread_t threads[8];
		for (size_t j = 0; j < 8; j++) {
			if (pthread_create(&threads[j], &small, live, (void *)(i + j)) != 0)
				return 3;
		}
		for (size_t j = 0; j < 8; j++)
			pthread_join(threads[j], NULL);
	}
	expect_print(1);
	return 0;
}
