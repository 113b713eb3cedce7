/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_nomemory.c - RLIMIT_AS: allocates on thousands of stacks until there is no more, five times over; each NULL
 * comes with ENOMEM, what was allocated is whole, and there is memory again after it was freed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "callsites.h"

void *allocate_here(size_t n) { return malloc(n); }

static size_t address_space(void)
{
	char text[64] = "";
	FILE *file = fopen("/proc/self/statm", "r");
	if (!file || !fgets(text, sizeof text, file))
		exit(3);
	fclose(file);
	return strtoul(text, NULL, 10) * 4096;
}

int main(void)
{
	static char *blocks[100000];
	int wrong = 0, ended = 0;
	free(malloc(100));
	const size_t limit = address_space() + (48u << 20);
	setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit});
	for (int round = 0; round < 5; round++) {
		int n = 0;
		errno = 0;
		for (; n < 100000 && (blocks[n] = call_from((unsigned)n % call_count, 4000 + (size_t)n % 100)); n++)
			memset(blocks[n], n % 100, 4000);
		/* how much there is again is the allocator's affair: jemalloc gave 486 to 5,700 blocks after 12,600 */
		ended += n > 100 && n < 100000 && errno == ENOMEM;
		for (int i = 0; i < n; i++) {
			wrong += blocks[i][0] != i % 100 || blocks[i][3999] != i % 100;
			free(blocks[i]);
		}
	}
	printf("%d times no memory, %d wrong\n", ended, wrong);
	return wrong != 0;
}
