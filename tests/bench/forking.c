/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forking.c [ROUNDS] - what fork costs a program with 10,000 sites and a million live blocks. Prints medians in
 * microseconds, a name and a figure a line:
 *
 *   fork            of the call, in the parent
 *   exec            from the call until a child that execs at once is gone
 *   child_begins    from the call to the child's first instruction after it
 *   child_malloc    the child's first malloc and free
 *   copying         in the parent after a fork with the child still there: 100,000 frees and mallocs of random blocks
 *   not_copying     the same without a fork
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIVE 1000000u
#define SITES 10000u

#include "../programs/callsites.h"

void *allocate_here(size_t n) { return malloc(n); }

static void *blocks[LIVE];
static uint64_t *shared; /* where a child leaves its figures */

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* One of SITES stacks: a call site, by one of three ways there. */
static void *way_a(unsigned i, size_t n) { return call_from(i, n); }
static void *way_b(unsigned i, size_t n) { return call_from(i, n); }
static void *way_c(unsigned i, size_t n) { return call_from(i, n); }
static void *at_site(unsigned site, size_t n)
{
	static void *(*const ways[])(unsigned, size_t) = {way_a, way_b, way_c};
	return ways[site / call_count % 3](site % call_count, n);
}

static void touch(void)
{
	static uint64_t x = 88172645463325252ull;
	for (int i = 0; i < 100000; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		const unsigned at = (unsigned)((x >> 32) * LIVE >> 32);
		free(blocks[at]);
		blocks[at] = at_site((unsigned)i % SITES, 32);
	}
}

static int ascending(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void median(const char *name, uint64_t *ns, int n)
{
	qsort(ns, (size_t)n, sizeof *ns, ascending);
	printf("%s %.1f\n", name, (double)ns[n / 2] / 1000);
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 15;
	uint64_t in_fork[64], exec[64], begins[64], first[64], copying[64], apart[64];
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (unsigned i = 0; i < LIVE; i++)
		blocks[i] = at_site(i % SITES, 32);
	touch();
	for (int r = 0; r < rounds && r < 64; r++) {
		uint64_t before = now();
		touch();
		apart[r] = now() - before;

		before = now();
		pid_t pid = fork();
		if (pid == 0) {
			shared[0] = now();
			free(malloc(100));
			shared[1] = now();
			pause();
			_exit(0);
		}
		in_fork[r] = now() - before;
		while (!*(volatile uint64_t *)&shared[1])
			usleep(1000);
		begins[r] = shared[0] - before;
		first[r] = shared[1] - shared[0];
		before = now();
		touch();
		copying[r] = now() - before;
		kill(pid, 9);
		waitpid(pid, NULL, 0);
		memset(shared, 0, 4096);

		before = now();
		pid = fork();
		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
		exec[r] = now() - before;
	}
	median("fork", in_fork, rounds);
	median("exec", exec, rounds);
	median("child_begins", begins, rounds);
	median("child_malloc", first, rounds);
	median("copying", copying, rounds);
	median("not_copying", apart, rounds);
	return 0;
}
