/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * closefrom.c - a program that closes all descriptors from 3 on, as daemons do, and then talks over a
 * socketpair while it allocates: what one end sent is what the other receives, byte for byte, and no
 * descriptor is open that the program did not open.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *deep(int depth, size_t n)
{
	void *p = depth > 0 ? deep(depth - 1, n) : malloc(n);
	return p;
}

static void print_descriptors(const char *when)
{
	printf("%s:", when);
	for (int fd = 0; fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) != -1)
			printf(" %d", fd);
	}
	printf("\n");
}

int main(void)
{
	for (int i = 0; i < 50; i++)
		free(deep(i, 100));
	print_descriptors("at first");
	closefrom(3);
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return 3;
	unsigned long wrong = 0;
	for (int i = 0; i < 2000; i++) {
		char buffer[64];
		void *p = deep(i % 60, 10 + i);
		if (write(pair[0], "hello", 5) != 5)
			wrong++;
		free(deep((i * 7) % 60, 5 + i));
		ssize_t n = read(pair[1], buffer, sizeof buffer);
		if (n != 5 || memcmp(buffer, "hello", 5) != 0) {
			if (wrong++ == 0)
				for (ssize_t j = 0; j < n; j++)
					printf("%02x%c", buffer[j], j + 1 == n ? '\n' : ' ');
		}
		free(p);
	}
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	char more;
	if (read(pair[1], &more, 1) == 1)
		wrong++;
	print_descriptors("at last");
	printf("%lu wrong\n", wrong);
	return wrong != 0;
}
