/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * early.c - allocates before any constructor (preinit), in a constructor, in atexit handlers and destructors;
 * resizes and frees in main what came before it. The books hold what main and later did.
 */
#include <stdio.h>

#include "expect.h"

static void *first, *second, *third;

static void preinit(void)
{
	first = malloc(100);
	second = calloc(10, 10);
	memset(first, 1, 100);
}
__attribute__((section(".preinit_array"), used)) static void (*const run_first)(void) = preinit;

__attribute__((constructor(101))) static void constructor(void)
{
	third = malloc(200);
	second = realloc(second, 500);
}

SITE(in_main, "site_in_main");
SITE(at_exit, "site_at_exit");
static void *site_in_main(void *p, size_t n) { return realloc(p, n); }
static void *site_at_exit(size_t n) { return malloc(n); }

static void leave(void)
{
	booked(&at_exit, site_at_exit(55), 55);
}

__attribute__((destructor)) static void destructor(void)
{
	booked(&at_exit, site_at_exit(66), 66);
	expect_print(1);
}

int main(void)
{
	atexit(leave);
	first = booked(&in_main, site_in_main(first, 3000), 3000);
	if (((char *)first)[99] != 1)
		return 3;
	free(second);
	third = booked(&in_main, site_in_main(third, 10), 10);
	return 0;
}
