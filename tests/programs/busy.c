/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * busy.c [BLOCKS] - allocates on thousands of stacks and keeps the blocks, so that what watches it needs room;
 * checks their contents, writes a file, and exits with 7. Its output depends on nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "callsites.h"

void *allocate_here(size_t n) { return malloc(n); }

static void *deeper(int depth, unsigned which, size_t n)
{
	if (depth == 0)
		return call_from(which % call_count, n);
	void *p = depth & 1 ? deeper(depth - 1, which, n) : deeper(depth - 1, which + 1, n);
	return p;
}

int main(int argc, char **argv)
{
	const size_t blocks = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
	unsigned char **kept = malloc(blocks * sizeof *kept);
	unsigned long sum = 0;
	for (size_t i = 0; i < blocks; i++) {
		const size_t n = 8 + i % 120;
		errno = 42;
		kept[i] = deeper((int)(i % 30), (unsigned)i, n);
		if (errno != 42)
			return 3;
		memset(kept[i], (int)(i & 255), n);
	}
	for (size_t i = 0; i < blocks; i++) {
		const size_t n = 8 + i % 120;
		for (size_t j = 0; j < n; j++)
			sum += kept[i][j] ^ j;
		if (i % 2)
			free(kept[i]);
	}
	FILE *f = tmpfile();
	fprintf(f, "%lu\n", sum);
	rewind(f);
	unsigned long back = 0;
	if (fscanf(f, "%lu", &back) != 1 || back != sum)
		return 4;
	printf("%lu\n", sum);
	return 7;
}
