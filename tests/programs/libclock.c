/* SPDX-License-Identifier: BSD-2-Clause */
/* libclock.c - preloaded: every clock is a second further back each time it is asked. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time)
{
	static _Atomic long back;
	const long result = syscall(SYS_clock_gettime, clock, time), behind = ++back;
	time->tv_sec = time->tv_sec > behind ? time->tv_sec - behind : 1;
	return (int)result;
}
