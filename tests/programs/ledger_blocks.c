/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_blocks.c MIB - allocates MIB in blocks of 200 bytes, then frees every other one. Prints "full", waits for
 * a line on standard input, frees, prints "half", ends when standard input does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 200u

int main(int argc, char **argv)
{
	const size_t count = (size_t)(argc > 1 ? atol(argv[1]) : 64) * 1024 * 1024 / BLOCK;
	char line[16];
	void **blocks = malloc(count * sizeof *blocks);
	for (size_t i = 0; i < count; i++)
		memset(blocks[i] = malloc(BLOCK), 1, BLOCK);
	puts("full");
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		return 1;
	for (size_t i = 0; i < count; i += 2)
		free(blocks[i]);
	/* Events go on, as in any program, so that what is published is of now. */
	for (int i = 0; i < 100000; i++)
		free(malloc(BLOCK));
	puts("half");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin))
		free(malloc(BLOCK));
	return 0;
}
