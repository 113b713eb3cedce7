/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_fulllater.c FILE - allocates, fills the file system of FILE until there is no room, and goes on allocating
 * on thousands of stacks and threads, and forks. The pages of a segment that were never populated are not there now.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callsites.h"

void *allocate_here(size_t n) { return malloc(n); }

static size_t again(int depth, size_t n)
{
	return depth > 0 ? again(depth - 1, n) : (size_t)(call_from((unsigned)n % call_count, 10) != NULL);
}

static void *work(void *unused)
{
	size_t count = 0;
	for (size_t i = 0; i < 100000; i++)
		count += again((int)(i / call_count) * 4, i);
	return (void *)count;
}

int main(int argc, char **argv)
{
	static char zeros[65536];
	const int fd = open(argc > 1 ? argv[1] : "/dev/null", O_WRONLY | O_CREAT, 0600);
	free(malloc(100));
	for (int size = sizeof zeros; argc > 1 && size > 0; size /= 2) {
		while (write(fd, zeros, (size_t)size) == size)
			continue;
	}
	pthread_t thread;
	void *count;
	pthread_create(&thread, NULL, work, NULL);
	pthread_join(thread, &count);
	const pid_t pid = fork();
	if (pid == 0)
		_exit(work(NULL) != (void *)100000);
	int status;
	waitpid(pid, &status, 0);
	printf("%zu blocks, child %d\n", (size_t)count, status);
	return 0;
}
