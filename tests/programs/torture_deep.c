/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_deep.c [LEFT] - recursion that allocates on every level until LEFT bytes (24 KiB) of the stack are left,
 * on the first thread and on one of 256 KiB.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static size_t left = 24576;

static unsigned long descend(const char *low)
{
	volatile char pad[512];
	void *p = malloc(32);
	const char *here = __builtin_frame_address(0);
	pad[0] = p ? 1 : 100;
	if ((size_t)(here - low) > left + 1024)
		pad[0] += descend(low) > 100000000;
	free(p);
	return (unsigned long)pad[0];
}

static void *work(void *unused)
{
	pthread_attr_t attributes;
	void *low;
	size_t size;
	pthread_getattr_np(pthread_self(), &attributes);
	pthread_attr_getstack(&attributes, &low, &size);
	pthread_attr_destroy(&attributes);
	printf("%s\n", descend(low) == 1 ? "returned" : "no memory");
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		left = strtoul(argv[1], NULL, 10);
	pthread_attr_t attributes;
	pthread_t thread;
	work(NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 262144);
	pthread_create(&thread, &attributes, work, NULL);
	pthread_join(thread, NULL);
	return 0;
}
