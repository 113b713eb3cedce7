/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_execthread.c [LEFT] - a thread, not the first, calls exec while two others allocate; LEFT times (20).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((noreturn)) static void *churn(void *unused)
{
	for (size_t i = 0;; i++)
		free(malloc(i % 5000));
}

static void *execute(void *left)
{
	usleep(2000);
	execl("/proc/self/exe", "torture_execthread", left, (char *)NULL);
	_exit(3);
}

int main(int argc, char **argv)
{
	const int left = argc > 1 ? atoi(argv[1]) : 20;
	if (left == 0) {
		puts("executed");
		return 0;
	}
	static char text[16];
	snprintf(text, sizeof text, "%d", left - 1);
	pthread_t thread;
	pthread_create(&thread, NULL, churn, NULL);
	pthread_create(&thread, NULL, churn, NULL);
	pthread_create(&thread, NULL, execute, text);
	pthread_join(thread, NULL);
	return 4;
}
