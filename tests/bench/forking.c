/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forking.c [ROUNDS] - what fork costs a program with 10,000 sites and a million live blocks. Prints medians
 * in microseconds, a name and a figure a line:
 *
 *   fork          of the call, in the parent
 *   until_exec    from the call until a child that execs at once has done so (a pipe closes then)
 *   child_first   from the call until the child has its first block
 *   copying       the parent, the child still there: 50,000 frees and mallocs at random, pages copied on
 * write not_copying   the same without a child
 */
#include "bench.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIVE 1000000u
#define MAX_ROUNDS 64

/* 100 functions that each allocate, and 100 that call one of them: 10,000 stacks. Each has a frame of its
 * own, or the compiler would make one of them. */
/* clang-format off */
#define TEN(make, n) \
	make(n##0) make(n##1) make(n##2) make(n##3) make(n##4) make(n##5) make(n##6) make(n##7) make(n##8) make(n##9)
#define HUNDRED(make) \
	TEN(make, 0) TEN(make, 1) TEN(make, 2) TEN(make, 3) TEN(make, 4) \
	TEN(make, 5) TEN(make, 6) TEN(make, 7) TEN(make, 8) TEN(make, 9)
/* clang-format on */
#define NAME_INNER(n) inner_##n,
#define NAME_OUTER(n) outer_##n,
#define INNER(n)                                      \
	static char *inner_##n(void)                  \
	{                                             \
		volatile char frame[8 + __COUNTER__]; \
		frame[0] = 0;                         \
		return (char *)malloc(32) + frame[0]; \
	}
#define OUTER(n)                                      \
	static char *outer_##n(unsigned i)            \
	{                                             \
		volatile char frame[8 + __COUNTER__]; \
		frame[0] = 0;                         \
		return inner[i]() + frame[0];         \
	}
HUNDRED(INNER)
static char *(*const inner[])(void) = {HUNDRED(NAME_INNER)};
HUNDRED(OUTER)
static char *(*const outer[])(unsigned) = {HUNDRED(NAME_OUTER)};

static char *blocks[LIVE];
static double *shared; /* where a child leaves the time */

static char *allocate(unsigned i)
{
	return outer[i % 100](i / 100 % 100);
}

static void touch(void)
{
	static uint64_t x = 1;
	for (unsigned i = 0; i < 50000; i++) {
		const unsigned at = (unsigned)((uint64_t)next_number(&x) * LIVE >> 32);
		free(blocks[at]);
		blocks[at] = allocate(i);
	}
}

static double touching(void)
{
	const double before = seconds_now();
	touch();
	return seconds_now() - before;
}

/* A child that allocates and stays; the parent works on meanwhile. */
static void with_child(double *in_fork, double *first, double *copying)
{
	*(volatile double *)shared = 0;
	const double before = seconds_now();
	const pid_t pid = fork();
	if (pid == 0) {
		*(volatile char *)malloc(100) = 1;
		*(volatile double *)shared = seconds_now();
		pause();
		_exit(0);
	}
	*in_fork = seconds_now() - before;
	while (*(volatile double *)shared == 0)
		usleep(100);
	*first = *shared - before;
	*copying = touching();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static double until_exec(void)
{
	int ends[2];
	char byte;
	if (pipe2(ends, O_CLOEXEC) != 0)
		exit(1);
	const double before = seconds_now();
	const pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	close(ends[1]);
	const ssize_t got = read(ends[0], &byte, 1);
	const double took = seconds_now() - before;
	close(ends[0]);
	waitpid(pid, NULL, 0);
	if (got != 0)
		exit(1);
	return took;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void median(const char *name, double *seconds, int n)
{
	qsort(seconds, (size_t)n, sizeof *seconds, ascending);
	printf("%s %.1f\n", name, seconds[n / 2] * 1e6);
}

int main(int argc, char **argv)
{
	const int asked = argc > 1 ? atoi(argv[1]) : 7;
	const int rounds = asked < 1 || asked > MAX_ROUNDS ? MAX_ROUNDS : asked;
	double in_fork[MAX_ROUNDS], exec[MAX_ROUNDS], first[MAX_ROUNDS], copying[MAX_ROUNDS],
		apart[MAX_ROUNDS];
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	for (unsigned i = 0; i < LIVE; i++)
		blocks[i] = allocate(i);
	for (int r = 0; r < rounds; r++) {
		touch(); /* after a fork each page costs a fault once more */
		apart[r] = touching();
		with_child(&in_fork[r], &first[r], &copying[r]);
		exec[r] = until_exec();
	}
	median("fork", in_fork, rounds);
	median("until_exec", exec, rounds);
	median("child_first", first, rounds);
	median("copying", copying, rounds);
	median("not_copying", apart, rounds);
	return 0;
}
