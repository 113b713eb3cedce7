/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spawns.c - vfork and posix_spawn: children that share their parent's memory until they exec or exit. What
 * a vfork child allocates is in its parent's memory, and in its parent's books.
 */
#include <spawn.h>
#include <sys/wait.h>

#include "expect.h"

extern char **environ;
SITE(parent_site, "site_in_parent");
SITE(child_site, "site_in_vfork_child");
static void *site_in_parent(size_t n) { return malloc(n); }
static void *site_in_vfork_child(size_t n) { return malloc(n); }

static int status_of(pid_t pid)
{
	int status = -1;
	waitpid(pid, &status, 0);
	return status;
}

int main(void)
{
	for (volatile int i = 0; i < 20; i++) {
		booked(&parent_site, site_in_parent(100), 100);
		pid_t pid = vfork();
		if (pid == 0) {
			booked(&child_site, site_in_vfork_child(50), 50);
			_exit(0);
		}
		if (pid < 0 || status_of(pid) != 0)
			return 3;
		booked(&parent_site, site_in_parent(100), 100);

		char *arguments[] = {"true", NULL};
		if (posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ) != 0 || status_of(pid) != 0)
			return 4;
		pid = vfork();
		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(9);
		}
		if (status_of(pid) != 0 || system("exit 3") != 3 << 8)
			return 5;
	}
	expect_print(1);
	return 0;
}
