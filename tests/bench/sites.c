/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sites.c - 100,000 stacks over 10,000 different return addresses, a live block on each: a large segment to
 * read. Each of 5,000 outer call sites leads to 20 of 5,000 inner ones.
 */
#include <stdlib.h>

static unsigned inner;
static void *leaf(size_t n)
{
	return malloc(n);
}
static void *call_inner(size_t n);
#include "sites.h"

static void *call_inner(size_t n)
{
	return inner_sites[inner](n);
}

int main(void)
{
	for (unsigned outer = 0; outer < outer_count; outer++) {
		for (unsigned i = 0; i < 20; i++) {
			inner = (outer * 7 + i * 251) % inner_count;
			if (!outer_sites[outer](64))
				return 1;
		}
	}
	return 0;
}
