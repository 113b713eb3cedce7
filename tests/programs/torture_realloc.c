/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_realloc.c [ROUNDS] - four threads take blocks out of shared slots, resize them (to nothing, in place, far
 * away, to what no allocator has), check their contents and put them back or free them. All is freed at the end.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 64

struct block {
	size_t size;
	unsigned char bytes[];
};
static struct block *_Atomic slots[SLOTS];
static _Atomic int wrong;
static int rounds = 100000;

static struct block *resized(struct block *block, size_t size)
{
	const size_t old = block ? block->size : 0, kept = old < size ? old : size;
	struct block *p = realloc(block, sizeof *p + size);
	if (!p)
		abort();
	for (size_t i = 0; i < kept; i++)
		wrong += p->bytes[i] != 0x5a;
	p->size = size;
	memset(p->bytes, 0x5a, size);
	return p;
}

static void *work(void *argument)
{
	unsigned seed = (unsigned)(size_t)argument;
	for (int i = 0; i < rounds; i++) {
		const unsigned dice = (unsigned)rand_r(&seed);
		struct block *mine = __atomic_exchange_n((struct block **)&slots[dice % SLOTS], NULL, __ATOMIC_ACQ_REL);
		if (dice % 61 == 0) {
			free(mine);
			continue;
		}
		if (mine && dice % 13 == 0 && realloc(mine, SIZE_MAX / 2 - dice) != NULL)
			wrong++;
		mine = resized(mine, dice % 997 == 0 ? 300000 : dice % 700);
		free(__atomic_exchange_n((struct block **)&slots[(dice / SLOTS) % SLOTS], mine, __ATOMIC_ACQ_REL));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		rounds = atoi(argv[1]);
	pthread_t threads[4];
	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, work, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < SLOTS; i++)
		free(slots[i]);
	printf("%d wrong\n", wrong);
	return wrong != 0;
}
