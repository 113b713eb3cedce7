/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sampled.c - holds 400,000 blocks of 100 bytes and ten of 4 MiB, after as many small ones came and went, and forks a child
 * that allocates one block. Prints both pids, and waits until standard input ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL 400000
#define LARGE 10

static void *site_gone(size_t n) { return malloc(n); }
static void *site_small(size_t n) { return malloc(n); }
static void *site_large(size_t n) { return malloc(n); }

static void *gone[SMALL], *small[SMALL], *large[LARGE];

static int in_child(void)
{
	char byte;
	free(malloc(1));
	dprintf(1, "%d %d\n", (int)getppid(), (int)getpid());
	return (int)read(0, &byte, 1);
}

int main(void)
{
	for (int i = 0; i < SMALL; i++) {
		gone[i] = site_gone(100);
		small[i] = site_small(100);
	}
	for (int i = 0; i < SMALL; i++)
		free(gone[i]);
	for (int i = 0; i < LARGE; i++)
		large[i] = site_large(4u << 20);
	if (fork() == 0)
		_exit(in_child());
	wait(NULL);
	return small[0] == NULL || large[0] == NULL;
}
