/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heapray.h - what a program may tell heapray about itself.
 *
 * Nothing needs to be linked: the functions are weak, and calling one does nothing in a process that was
 * not started under heapray. A call takes well under a microsecond and never allocates.
 */
#ifndef HEAPRAY_H
#define HEAPRAY_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Something happened: a phase began ("warm"), or one more of what the program does was done ("request").
 * Each name keeps the times of its first and last call and their number. `heapray growth --since warm` starts
 * there; `--per request` divides by that number. At most 256 names; the text is copied.
 */
void heapray_mark(const char *name) __attribute__((weak));
#define heapray_mark(name) (heapray_mark ? heapray_mark(name) : (void)0)

/*
 * A pool of the program's own: what it cuts out of larger pieces, by its own bookkeeping. Announced as a heap
 * it is a domain of its own, `heap:NAME`, whose blocks have stacks, totals and ages like malloc's.
 *
 *	int pool = heapray_heap("cache");              once; the same name gives the same heap; -1: no room
 *	heapray_heap_chunk(pool, chunk, size);         a piece from malloc or mmap now only holds blocks: it counts
 *	                                               as held by the heap, no longer as a block itself
 *	heapray_heap_alloc(pool, p, size);             a block was cut out of it
 *	heapray_heap_resize(pool, old, p, size);       it grew, shrank or moved
 *	heapray_heap_free(pool, p);                    it went back to the pool
 *
 * The chunk itself is given back with free or munmap as usual, after its blocks.
 */
#include <stddef.h>

int heapray_heap(const char *name) __attribute__((weak));
void heapray_heap_chunk(int heap, const void *chunk, size_t size) __attribute__((weak));
void heapray_heap_alloc(int heap, const void *block, size_t size) __attribute__((weak));
void heapray_heap_resize(int heap, const void *old, const void *block, size_t size) __attribute__((weak));
void heapray_heap_free(int heap, const void *block) __attribute__((weak));

#define heapray_heap(name) (heapray_heap ? heapray_heap(name) : -1)
#define heapray_heap_chunk(heap, chunk, size) (heapray_heap_chunk ? heapray_heap_chunk(heap, chunk, size) : (void)0)
#define heapray_heap_alloc(heap, block, size) (heapray_heap_alloc ? heapray_heap_alloc(heap, block, size) : (void)0)
#define heapray_heap_resize(heap, old, block, size) \
	(heapray_heap_resize ? heapray_heap_resize(heap, old, block, size) : (void)0)
#define heapray_heap_free(heap, block) (heapray_heap_free ? heapray_heap_free(heap, block) : (void)0)

#ifdef __cplusplus
}
#endif

#endif
