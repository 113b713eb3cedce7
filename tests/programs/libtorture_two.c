/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libtorture_two.c - for torture_loads: large and realigned frames where libtorture_one.so had small ones. Its
 * pages are as many, so that the loader puts it into the same place.
 */
#include <stdlib.h>
#include <string.h>

void *two_keep(int depth, size_t n);

static void *block;

static void *site_of_two(size_t n) { return malloc(n); }
__attribute__((constructor)) static void load(void) { block = calloc(5, 100); }
__attribute__((destructor)) static void unload(void) { free(block); }

void *two_keep(int depth, size_t n)
{
	volatile char pad[300] __attribute__((aligned(64)));
	char *copy = __builtin_alloca((size_t)depth * 16 + 16);
	pad[0] = 1;
	memset(copy, depth, 16);
	void *p = depth > 0 ? two_keep(depth - pad[0], n) : site_of_two(n);
	pad[1] = copy[0];
	return p;
}
