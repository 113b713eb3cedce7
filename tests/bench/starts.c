/* SPDX-License-Identifier: BSD-2-Clause */
/* starts.c N COMMAND... - starts a command N times, one after the other; prints the median in microseconds.
 */
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static int ascending(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	const size_t n = strtoul(argv[1], NULL, 10);
	uint64_t *took = calloc(n, sizeof *took);
	for (size_t i = 0; i < n; i++) {
		struct timespec a, b;
		clock_gettime(CLOCK_MONOTONIC, &a);
		pid_t pid;
		if (posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ) != 0)
			return 1;
		waitpid(pid, NULL, 0);
		clock_gettime(CLOCK_MONOTONIC, &b);
		took[i] = (uint64_t)((b.tv_sec - a.tv_sec) * 1000000000ll + b.tv_nsec - a.tv_nsec);
	}
	qsort(took, n, sizeof *took, ascending);
	printf("start %.1f\n", (double)took[n / 2] / 1000);
	return 0;
}
