/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signals.c - allocates in signal handlers, on the thread's stack and on a signal stack, at moments when the
 * program itself is not inside the allocator. The stack goes on through the signal frame to who was interrupted.
 */
#include <signal.h>

#include "expect.h"

SITE(plain, "site_in_handler");
SITE(apart, "site_on_signal_stack");
SITE(jumped, "site_after_jump");
static void *site_in_handler(size_t n) { return malloc(n); }
static void *site_on_signal_stack(size_t n) { return malloc(n); }
static void *site_after_jump(size_t n) { return malloc(n); }

static void on_usr1(int number)
{
	booked(&plain, site_in_handler(120), 120);
}

static void on_usr2(int number)
{
	booked(&apart, site_on_signal_stack(130), 130);
}

static void interrupted(int number)
{
	raise(number);
}

int main(void)
{
	static char space[1 << 16];
	stack_t stack = {.ss_sp = space, .ss_size = sizeof space};
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_usr1}, NULL);
	sigaction(SIGUSR2, &(struct sigaction){.sa_handler = on_usr2, .sa_flags = SA_ONSTACK}, NULL);
	for (int i = 0; i < 100; i++) {
		interrupted(SIGUSR1);
		interrupted(SIGUSR2);
		booked(&jumped, site_after_jump(10), 10);
	}
	expect_print(1);
	return 0;
}
