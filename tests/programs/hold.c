/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold.c BYTES SIZE [TITLE] - takes BYTES in blocks of SIZE, touches them, prints its pid and waits to be
 * killed; for two seconds it allocates a little more now and then. With a TITLE it writes that over its arguments first, as daemons do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *site_held(size_t n) { return malloc(n); }

int main(int argc, char **argv)
{
	const size_t bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 1 << 20;
	const size_t size = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
	void **last = NULL;
	for (size_t sum = 0; sum < bytes; sum += size) {
		void **p = site_held(size);
		memset(p, 0, size);
		*p = last;
		last = p;
	}
	printf("%d\n", (int)getpid());
	fflush(stdout);
	if (argc > 3) {
		char title[64];
		snprintf(title, sizeof title, "%s", argv[3]);
		memset(argv[0], 0, (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]));
		strcpy(argv[0], title);
	}
	/* A few events more, so that the shim asks the allocator once all is there. */
	for (int i = 0; i < 20; i++) {
		usleep(100000);
		for (int n = 0; n < 64; n++)
			free(site_held(size));
	}
	for (;;)
		pause();
}
