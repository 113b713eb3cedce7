/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_altstack.c - a handler on an alternate stack of 16 KiB allocates, 500 times, at different depths, on the
 * first thread's and on another's; then the alternate stack is unmapped.
 */
#include <signal.h>
#include <sys/mman.h>

#include "expect.h"

#define BYTES 16384

SITE(handled, "site_in_handler");
static void *site_in_handler(size_t n) { return malloc(n); }

static void handler(int number)
{
	booked(&handled, site_in_handler(40), 40);
	free(calloc(10, 10));
}

static void deep(int depth)
{
	volatile char pad[64];
	pad[0] = (char)depth;
	if (depth > 0)
		deep(depth - 1);
	else
		raise(SIGUSR1);
	pad[1] = pad[0];
}

static void *work(void *unused)
{
	stack_t stack = {.ss_size = BYTES}, off = {.ss_flags = SS_DISABLE};
	stack.ss_sp = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaltstack(&stack, NULL);
	for (int i = 0; i < 250; i++)
		deep(i % 80);
	sigaltstack(&off, NULL);
	munmap(stack.ss_sp, BYTES);
	free(malloc(100));
	return NULL;
}

int main(void)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
	sigaction(SIGUSR1, &action, NULL);
	pthread_t thread;
	work(NULL);
	pthread_create(&thread, NULL, work, NULL);
	pthread_join(thread, NULL);
	expect_print(1);
	return 0;
}
