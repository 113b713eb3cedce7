/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heaps.c - a pool of the program's own, announced as heap "pool": 1 MiB chunks from malloc and from mmap, 1,000
 * blocks of 300 bytes, of which 400 are given back, one resized to 1,000. Prints `ready` and waits for its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../../include/heapray.h"

__attribute__((noinline)) static void cut(int pool, char *p, size_t size)
{
	heapray_heap_alloc(pool, p, size);
	__asm__ volatile("" ::: "memory");
}

int main(void)
{
	int pool = heapray_heap("pool");
	char *chunk = malloc(1 << 20), *mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	heapray_heap_chunk(pool, chunk, 1 << 20);
	heapray_heap_chunk(pool, mapped, 1 << 20);
	for (int i = 0; i < 1000; i++)
		cut(pool, (i % 2 ? chunk : mapped) + i * 304L, 300);
	for (int i = 0; i < 400; i++)
		heapray_heap_free(pool, (i % 2 ? chunk : mapped) + i * 304L);
	heapray_heap_resize(pool, chunk + 999 * 304L, chunk + 999 * 304L, 1000);
	puts("ready");
	fflush(stdout);
	getchar();
	free(chunk); /* its blocks go unnoticed: the program never gave them back */
	return 0;
}
