/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forks.c [CHILDREN] - books of a parent and of its forked children, one line of JSON each, the parent's last.
 *
 * A second thread of the parent allocates all the time on site_noise, so that a child is born in the middle
 * of somebody else's events: in a child that site must stand still. Children free some of what they inherited,
 * allocate their own, and the last one forks a grandchild. No peak: the noise has a part in it.
 */
#include <sys/wait.h>

#include "expect.h"

SITE(before, "site_before_fork");
SITE(child_own, "site_in_child");
SITE(resized, "site_resize");
SITE(parent_own, "site_in_parent");

static void *site_before_fork(size_t n) { return malloc(n); }
static void *site_in_child(size_t n) { return malloc(n); }
static void *site_resize(void *p, size_t n) { return realloc(p, n); }
static void *site_in_parent(size_t n) { return malloc(n); }
static void *site_noise(size_t n) { return malloc(n); }

static _Atomic int done;

static void *noise(void *unused)
{
	static void *ring[64];
	for (size_t i = 0; !done; i++) {
		free(ring[i % 64]);
		ring[i % 64] = site_noise(100 + i % 300);
	}
	return unused;
}

static void wait_for(pid_t pid)
{
	int status;
	if (waitpid(pid, &status, 0) != pid || status != 0)
		_exit(4);
}

static void child(void **blocks, int number, int last)
{
	expect_forked();
	for (int i = 0; i < 3; i++) {
		unbooked(&before, 1000);
		free(blocks[i]);
	}
	rebooked(&before, 1000, &resized, site_resize(blocks[3], 5000), 5000);
	for (int i = 0; i < 5 + number; i++) {
		void *p = booked(&child_own, site_in_child(100), 100);
		if (i > 0)
			continue;
		unbooked(&child_own, 100);
		free(p);
	}
	if (last) {
		pid_t pid = fork();
		if (pid == 0) {
			expect_forked();
			unbooked(&before, 1000);
			free(blocks[4]);
			booked(&child_own, site_in_child(7), 7);
			expect_print(1);
			_exit(0);
		}
		wait_for(pid);
	}
	expect_print(1);
	_exit(0);
}

int main(int argc, char **argv)
{
	const int children = argc > 1 ? atoi(argv[1]) : 3;
	void *blocks[10];
	for (int i = 0; i < 10; i++)
		blocks[i] = booked(&before, site_before_fork(1000), 1000);
	pthread_t thread;
	pthread_create(&thread, NULL, noise, NULL);
	usleep(20000);
	for (int i = 0; i < children; i++) {
		pid_t pid = fork();
		if (pid == 0)
			child(blocks, i, i + 1 == children);
		wait_for(pid);
		booked(&parent_own, site_in_parent(300), 300);
	}
	done = 1;
	pthread_join(thread, NULL);
	expect_print(1);
	return 0;
}
