/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_nofds.c FILE - closes every descriptor, 0 to 2 too, allows no more than three, and allocates on new stacks,
 * in a thread and in a forked child. What it opens after that is 0, 1, 2. The result goes to FILE.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callsites.h"

void *allocate_here(size_t n) { return malloc(n); }

static void *allocate(void *unused)
{
	for (unsigned i = 0; i < call_count; i++)
		free(call_from(i, 100 + i));
	return NULL;
}

int main(int argc, char **argv)
{
	const struct rlimit three = {3, 3};
	for (int fd = 0; fd < 1024; fd++)
		close(fd);
	setrlimit(RLIMIT_NOFILE, &three);
	pthread_t thread;
	pthread_create(&thread, NULL, allocate, NULL);
	pthread_join(thread, NULL);
	const pid_t pid = fork();
	if (pid == 0) {
		allocate(NULL);
		_exit(open("/dev/null", O_RDONLY));
	}
	int status = 99;
	waitpid(pid, &status, 0);
	for (int i = 0; i < 3; i++) {
		if (open(argc > 1 ? argv[1] : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600) != i)
			return 4;
	}
	return write(2, status == 0 ? "fine\n" : "bad.\n", 5) != 5;
}
