/* SPDX-License-Identifier: BSD-2-Clause */
/* exitleak.c - runs for two seconds and ends with blocks that it made once, and with blocks that it leaked all along. */
#include <stdlib.h>
#include <unistd.h>

#define ONCE 1000
#define LEAKED 2000

static void *volatile kept[ONCE + LEAKED];

static void made_once(void)
{
	for (int i = 0; i < ONCE; i++)
		kept[i] = malloc(100);
}

static void leaks_all_along(int i)
{
	kept[ONCE + i] = malloc(200);
}

int main(void)
{
	made_once();
	for (int i = 0; i < LEAKED; i++) {
		leaks_all_along(i);
		for (int j = 0; j < 5; j++)
			free(malloc(50));
		usleep(900);
	}
	return 3;
}
