/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_threads.c [COUNT [KIB]] - COUNT threads (100) named t0, t1, ..., each with KIB (64) of its stack written
 * and one live block, all asleep. Prints "ready", ends when standard input does.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t kib = 64;
static pthread_barrier_t there;

static __attribute__((noinline)) void deep(size_t bytes)
{
	volatile char *room = __builtin_alloca(bytes);
	for (size_t i = 0; i < bytes; i += 1024)
		room[i] = 1;
}

static void *sleeper(void *name)
{
	pthread_setname_np(pthread_self(), name);
	void *block = malloc(5000);
	memset(block, 1, 5000);
	deep(kib << 10);
	pthread_barrier_wait(&there);
	pause();
	return block;
}

int main(int argc, char **argv)
{
	const size_t count = argc > 1 ? (size_t)atol(argv[1]) : 100;
	char byte;
	if (argc > 2)
		kib = (size_t)atol(argv[2]);
	pthread_barrier_init(&there, NULL, (unsigned)count + 1);
	for (size_t i = 0; i < count; i++) {
		pthread_t thread;
		char *name = malloc(16);
		snprintf(name, 16, "t%zu", i);
		if (pthread_create(&thread, NULL, sleeper, name) != 0)
			return 1;
	}
	pthread_barrier_wait(&there);
	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
