/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_forkstorm.c [FORKS] - forks (2,000 times) while three threads allocate, so that a child is born with
 * somebody else's events half done. Each child allocates, frees what it inherited, and ends; every fourth forks
 * again, three deep.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic int done;

static void *churn(void *argument)
{
	void *ring[128] = {0};
	unsigned seed = (unsigned)(size_t)argument;
	for (unsigned n = 1; !done; n++) {
		const unsigned i = (unsigned)rand_r(&seed);
		ring[i % 128] = realloc(ring[i % 128], 1 + i % 3000);
		if (n % 256 == 0)
			usleep(100); /* the forks are to get on */
	}
	for (int i = 0; i < 128; i++)
		free(ring[i]);
	return NULL;
}

static int child(char **inherited, int depth)
{
	for (int i = 0; i < 50; i++) {
		char *p = calloc(1, 100 + (size_t)i * 40);
		if (!p || p[99] != 0 || strcmp(inherited[i], "inherited") != 0)
			return 1;
		free(i % 2 ? p : inherited[i]);
	}
	if (depth == 0)
		return 0;
	for (int i = 0; i < 50; i += 2)
		inherited[i] = strdup("inherited");
	const pid_t pid = fork();
	if (pid == 0)
		_exit(child(inherited, depth - 1));
	int status;
	return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
}

int main(int argc, char **argv)
{
	const int forks = argc > 1 ? atoi(argv[1]) : 2000;
	char *inherited[50];
	int wrong = 0;
	for (int i = 0; i < 50; i++)
		inherited[i] = strdup("inherited");
	pthread_t threads[3];
	for (size_t i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, churn, (void *)(i + 1));
	for (int i = 0; i < forks; i++) {
		const pid_t pid = fork();
		if (pid == 0)
			_exit(child(inherited, i % 4 == 0 ? 3 : 0));
		int status;
		wrong += pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
	}
	done = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("%d children, %d wrong\n", forks, wrong);
	return wrong != 0;
}
