/* SPDX-License-Identifier: BSD-2-Clause */
/* chain.c LENGTH FILE - forks, each child the next once its parent is gone; the last one makes FILE. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	for (int left = atoi(argv[1]); left > 0; left--) {
		const pid_t parent = getpid();
		if (fork() != 0)
			_exit(0);
		while (getppid() == parent)
			usleep(1000);
	}
	return creat(argv[2], 0600) < 0;
}
