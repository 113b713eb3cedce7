/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_coroutines.c - makecontext coroutines on mapped stacks of 32 KiB: they allocate, are left in the middle and
 * entered again from deeper callers, and their stacks are unmapped while the blocks stay. The next round gets the
 * same addresses. One thread moves the coroutines of another.
 */
#include <sys/mman.h>
#include <ucontext.h>

#include "expect.h"

#define COROUTINES 16
#define STACK 32768

SITE(inside, "site_in_coroutine");
static void *site_in_coroutine(size_t n) { return malloc(n); }

static ucontext_t outside, contexts[COROUTINES];
static int current;

static void climb(int depth)
{
	volatile char pad[100];
	pad[0] = 1;
	if (depth > 0)
		climb(depth - pad[0]);
	else
		booked(&inside, site_in_coroutine(90), 90);
	swapcontext(&contexts[current], &outside);
}

static void coroutine(void)
{
	climb(current);
}

static void resume_from(int depth)
{
	volatile char pad[200];
	pad[0] = 1;
	if (depth > 0)
		resume_from(depth - pad[0]);
	else
		swapcontext(&outside, &contexts[current]);
}

static void *resume_all(void *rounds)
{
	for (int i = 0; i < (int)(size_t)rounds; i++) {
		for (current = 0; current < COROUTINES; current++) {
			if (i <= current + 1)
				resume_from(i);
		}
	}
	return NULL;
}

static void play(int round)
{
	char *stacks = mmap(NULL, COROUTINES * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < COROUTINES; i++) {
		getcontext(&contexts[i]);
		contexts[i].uc_stack.ss_sp = stacks + i * STACK;
		contexts[i].uc_stack.ss_size = STACK;
		contexts[i].uc_link = &outside;
		makecontext(&contexts[i], coroutine, 0);
	}
	if (round % 4 == 0) {
		pthread_t thread;
		pthread_create(&thread, NULL, resume_all, (void *)10);
		pthread_join(thread, NULL);
	} else {
		resume_all((void *)10);
	}
	munmap(stacks, COROUTINES * STACK);
}

int main(void)
{
	for (int round = 0; round < 200; round++)
		play(round);
	expect_print(1);
	return 0;
}
