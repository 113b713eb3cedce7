/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jump.c - leaves malloc by siglongjmp (from a handler, while libjump.so's malloc runs) and goes on. A guard
 * that was up in the hook is of a frame that is gone; what comes later must be in the books all the same.
 */
#include <setjmp.h>
#include <signal.h>

#include "expect.h"

SITE(later, "site_after_jump");
static void *site_after_jump(size_t n) { return malloc(n); }

static sigjmp_buf back;

static void leave(int number)
{
	siglongjmp(back, 1);
}

static void *jumps(int depth)
{
	volatile char pad[100];
	pad[0] = 1;
	return depth > 0 ? jumps(depth - pad[0]) : malloc(4242);
}

int main(void)
{
	signal(SIGUSR1, leave);
	static volatile int left;
	for (volatile int i = 0; i < 50; i++) {
		if (sigsetjmp(back, 1) == 0)
			jumps(i);
		else
			left++;
		for (int j = 0; j < 3; j++) {
			void *p = booked(&later, site_after_jump(64), 64);
			if (j > 0)
				continue;
			unbooked(&later, 64);
			free(p);
		}
	}
	if (left != 50)
		fputs("jump: run with libjump.so as the allocator\n", stderr);
	expect_print(1);
	return left == 50 ? 0 : 3;
}
