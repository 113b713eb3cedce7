/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_fragment.c FILE - sizes that grow, while survivors of each generation pin the pages of it.
 *
 * Every generation allocates blocks of one size, touches them, and frees all but each sixteenth. The next
 * one is larger, so that little of what was freed can be used again. Then FILE gets what the program itself
 * holds, and what its allocator says that it keeps:
 *
 *   requested HELD
 *
 * HELD is asked in each allocator's own way, 0 where it has none. Then it waits to be killed.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GENERATIONS 14
#define BYTES (16u << 20) /* of a generation */
#define KEPT 16

static size_t grow(void)
{
	size_t size = 48, requested = 0;
	for (int g = 0; g < GENERATIONS; g++, size = size * 4 / 3 / 16 * 16 + 16) {
		const size_t count = BYTES / size;
		char **blocks = malloc(count * sizeof *blocks);
		for (size_t i = 0; i < count; i++) {
			blocks[i] = malloc(size);
			memset(blocks[i], 1, size);
		}
		for (size_t i = 0; i < count; i++) {
			if (i % KEPT)
				free(blocks[i]);
			else
				requested += size;
		}
		free(blocks);
	}
	return requested;
}

/* mimalloc 2.0 tells of its heap page by page; committed is what was used of each at any time. */
struct area {
	void *blocks;
	size_t reserved, committed, used, block_size;
};
static size_t mimalloc_committed;

static _Bool visit(const void *heap, const struct area *area, void *block, size_t size, void *arg)
{
	mimalloc_committed += area->committed;
	return 1;
}

static size_t held(void)
{
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
	int (*property)(const char *, size_t *);
	void *(*heap)(void);
	_Bool (*visit_blocks)(const void *, _Bool, void *, void *);
	*(void **)&mallctl = dlsym(RTLD_DEFAULT, "mallctl");
	*(void **)&property = dlsym(RTLD_DEFAULT, "MallocExtension_GetNumericProperty");
	*(void **)&heap = dlsym(RTLD_DEFAULT, "mi_heap_get_default");
	*(void **)&visit_blocks = dlsym(RTLD_DEFAULT, "mi_heap_visit_blocks");
	if (mallctl) {
		uint64_t epoch = 1;
		size_t resident = 0, size = sizeof epoch;
		mallctl("epoch", &epoch, &size, &epoch, size);
		size = sizeof resident;
		mallctl("stats.resident", &resident, &size, NULL, 0);
		return resident;
	}
	if (property) {
		size_t all = 0, unmapped = 0;
		property("generic.heap_size", &all);
		property("tcmalloc.pageheap_unmapped_bytes", &unmapped);
		return all - unmapped;
	}
	if (heap && visit_blocks) {
		visit_blocks(heap(), 0, (void *)visit, NULL);
		return mimalloc_committed;
	}
	const struct mallinfo2 m = mallinfo2();
	return m.arena + m.hblkhd;
}

int main(int argc, char **argv)
{
	const size_t requested = grow(), kept = held();
	FILE *file = argc > 1 ? fopen(argv[1], "w") : stdout;
	fprintf(file, "%zu %zu\n", requested, kept);
	fclose(file);
	for (;;)
		pause();
}
