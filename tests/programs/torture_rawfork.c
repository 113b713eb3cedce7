/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_rawfork.c - children made behind the back of libc: SYS_fork, SYS_clone, clone() on a stack of its own
 * with and without the parent's memory (CLONE_VM|CLONE_VFORK). No atfork handler runs; the children allocate.
 * What those in the parent's memory keep is the parent's: it is in the books printed.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "expect.h"

SITE(before, "site_before");
SITE(shared, "site_in_shared_memory");
static void *site_before(size_t n) { return malloc(n); }
static void *site_in_shared_memory(size_t n) { return malloc(n); }
static void *site_in_copy(size_t n) { return malloc(n); }

static void *blocks[16];

static int in_copy(void *unused)
{
	for (int i = 0; i < 16; i++) {
		free(blocks[i]);
		blocks[i] = site_in_copy(200);
	}
	for (int i = 0; i < 16; i += 2)
		blocks[i] = realloc(blocks[i], 5000);
	return 0;
}

static int in_shared(void *unused)
{
	booked(&shared, site_in_shared_memory(333), 333);
	return 0;
}

static int waited(pid_t pid)
{
	int status;
	return pid < 0 || waitpid(pid, &status, __WALL) != pid || status != 0;
}

int main(void)
{
	int wrong = 0;
	char *stack = mmap(NULL, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 16; i++)
		blocks[i] = booked(&before, site_before(100), 100);
	for (int i = 0; i < 50; i++) {
		pid_t pid = (pid_t)syscall(SYS_fork);
		if (pid == 0)
			_exit(in_copy(NULL));
		wrong += waited(pid);
		pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (pid == 0)
			_exit(in_copy(NULL));
		wrong += waited(pid);
		wrong += waited(clone(in_copy, stack + (1 << 18), SIGCHLD, NULL));
		wrong += waited(clone(in_shared, stack + (1 << 18), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
	}
	expect_print(1);
	return wrong != 0;
}
