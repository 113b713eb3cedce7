/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pidspace.c - in a pid namespace of its own, without exec: many children that end at once, then one that says its pid and lives
 * until standard input ends.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int first_process(void)
{
	char byte;
	for (int i = 0; i < 300; i++) { /* past the pids that exist outside: nobody there has this one's */
		if (fork() == 0)
			_exit(0);
		wait(NULL);
	}
	if (fork() == 0) {
		free(malloc(1));
		printf("%d\n", (int)getpid());
		fflush(stdout);
		_exit((int)read(0, &byte, 1));
	}
	wait(NULL);
	return 0;
}

int main(void)
{
	free(malloc(1));
	if (unshare(CLONE_NEWPID) != 0) {
		perror("unshare");
		return 1;
	}
	if (fork() == 0)
		_exit(first_process());
	wait(NULL);
	return 0;
}
