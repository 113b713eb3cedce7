/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * measure.c FILE SECONDS COMMAND... - runs a command and writes `wall user system peak status stopped` to
 * FILE: seconds (user and system of the whole tree that was waited for), the resident bytes of the largest
 * process of it, the exit status, and whether it was stopped because it ran for SECONDS.
 *
 * Small itself, because a child's peak begins at its parent's size.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t pid;
static volatile sig_atomic_t alarms;

/* The first time the whole group is asked to end, later it is made to. */
static void on_alarm(int unused)
{
	kill(-pid, alarms++ == 0 ? SIGTERM : SIGKILL);
	alarm(2);
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void start(char **argv, double limit)
{
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		execvp(argv[0], argv);
		_exit(127);
	}
	setpgid(pid, pid);
	const struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	const struct itimerval timer = {
		.it_value = {(time_t)limit, (suseconds_t)((limit - (time_t)limit) * 1e6)}};
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	struct timespec a, b;
	struct rusage usage;
	int status;
	clock_gettime(CLOCK_MONOTONIC, &a);
	start(argv + 3, atof(argv[2]));
	if (pid < 0 || wait4(pid, &status, 0, &usage) != pid)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &b);
	alarm(0);
	FILE *f = fopen(argv[1], "w");
	if (!f)
		return 2;
	fprintf(f, "%.6f %.6f %.6f %ld %d %d\n",
		(double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9,
		seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss * 1024,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), alarms > 0);
	return fclose(f) != 0;
}
