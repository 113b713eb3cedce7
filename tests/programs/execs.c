/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execs.c [LEFT] - allocates, prints its books, and execs itself LEFT times under the same pid. Each life
 * is a program of its own, with books of its own.
 */
#include "expect.h"

SITE(s, "site_in_a_life");
static void *site_in_a_life(size_t n) { return malloc(n); }

int main(int argc, char **argv)
{
	const int left = argc > 1 ? atoi(argv[1]) : 1;
	for (int i = 0; i <= left; i++)
		booked(&s, site_in_a_life(1000), 1000);
	expect_print(1);
	if (left == 0)
		return 0;
	char number[16];
	snprintf(number, sizeof number, "%d", left - 1);
	execl("/proc/self/exe", argv[0], number, (char *)NULL);
	return 3;
}
