/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libtorture_one.c - for torture_loads: small frames, and blocks from its constructor and destructor.
 */
#include <stdlib.h>

void *one_keep(int depth, size_t n);

static void *block;

static void *site_of_one(size_t n) { return malloc(n); }
__attribute__((constructor)) static void load(void) { block = malloc(500); }
__attribute__((destructor)) static void unload(void) { free(realloc(block, 900)); }

void *one_keep(int depth, size_t n)
{
	return depth > 0 ? one_keep(depth - 1, n) : site_of_one(n);
}
