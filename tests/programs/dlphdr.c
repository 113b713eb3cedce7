/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dlphdr.c [SECONDS] - a dl_iterate_phdr callback that allocates, while another thread allocates from thousands
 * of call sites. An unwinder that holds a lock across dl_iterate_phdr closes the cycle and hangs; then the
 * alarm ends the program.
 */
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "callsites.h"

void *allocate_here(size_t n) { return malloc(n); }

static _Atomic int done;

static int callback(struct dl_phdr_info *info, size_t size, void *counter)
{
	static unsigned next;
	for (int i = 0; i < 20; i++)
		free(call_from((next += 7) % call_count, 64));
	++*(unsigned long *)counter;
	return 0;
}

static void *iterate(void *counter)
{
	while (!done)
		dl_iterate_phdr(callback, counter);
	return NULL;
}

static void *allocate(void *counter)
{
	while (!done) {
		for (unsigned i = 0; i < call_count; i++)
			free(call_from(i, i));
		++*(unsigned long *)counter;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 5;
	unsigned long iterated = 0, allocated = 0;
	pthread_t a, b;
	alarm(seconds + 20);
	pthread_create(&a, NULL, iterate, &iterated);
	pthread_create(&b, NULL, allocate, &allocated);
	sleep(seconds);
	done = 1;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	puts(iterated > 0 && allocated > 0 ? "done" : "nothing was done");
	return 0;
}
