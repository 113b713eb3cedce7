/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot.c - what is handed out before the next allocator is known.
 *
 * dlsym allocates when a symbol is missing, and the loader may allocate before any constructor ran:
 * those few blocks come from a static arena. They are never freed, and stay recognisable for ever, since
 * libdl frees some of them at exit. Each block is preceded by its size.
 *
 *   | size | block ... | size | block ...        all 16-aligned
 */
#include <string.h>

#include "shim.h"

char hr_boot_arena[BOOT_BYTES] __attribute__((aligned(4096)));
static _Atomic size_t used;

void *hr_boot_alloc(size_t size, size_t alignment)
{
	if (alignment < 16)
		alignment = 16;
	if (size > BOOT_BYTES || alignment > BOOT_BYTES)
		return NULL;
	size_t need = 16 + alignment + ((size + 15) & ~(size_t)15);
	size_t at = atomic_fetch_add_explicit(&used, need, memory_order_relaxed);
	if (at + need > BOOT_BYTES)
		return NULL; /* dlsym copes with that */
	uintptr_t block = ((uintptr_t)hr_boot_arena + at + 16 + alignment - 1) & ~(alignment - 1);
	((size_t *)block)[-1] = size;
	return (void *)block;
}

size_t hr_boot_size(const void *p)
{
	return ((const size_t *)p)[-1];
}

void *hr_boot_realloc(void *p, size_t size)
{
	void *q = hr_next.malloc ? hr_next.malloc(size) : hr_boot_alloc(size, 16);
	if (q == NULL)
		return NULL;
	size_t old = hr_boot_size(p);
	memcpy(q, p, old < size ? old : size);
	return q;
}
