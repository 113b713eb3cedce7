/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_stacks.c [BITS] - 2^BITS (20: a million) distinct stacks, one live block of 16 bytes on each: more than
 * the tables hold. Prints how many bytes it keeps. What found no room is on <tables full>; totals stay exact.
 */
#include <stdio.h>
#include <stdlib.h>

static size_t kept;

static void left_turn(unsigned path, int depth);
static void right_turn(unsigned path, int depth);

static void turn(unsigned path, int depth)
{
	if (depth == 0)
		kept += malloc(16) ? 16 : 0;
	else if (path & 1)
		left_turn(path >> 1, depth - 1);
	else
		right_turn(path >> 1, depth - 1);
}

static void left_turn(unsigned path, int depth)
{
	turn(path, depth);
}

static void right_turn(unsigned path, int depth)
{
	turn(path, depth);
}

int main(int argc, char **argv)
{
	const int bits = argc > 1 ? atoi(argv[1]) : 20;
	for (unsigned path = 0; path < 1u << bits; path++)
		turn(path, bits);
	printf("%zu\n", kept);
	return 0;
}
