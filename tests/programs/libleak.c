/* SPDX-License-Identifier: BSD-2-Clause */
/* libleak.c - a C library that a Lua handler calls by FFI: what it is asked to keep it keeps for ever. */
#include <stdlib.h>
#include <string.h>

void *leak_keep(size_t bytes);
static void *volatile kept;

static void *copy_of_request(size_t bytes)
{
	void *p = malloc(bytes);

	memset(p, 1, bytes);
	return p;
}

void *leak_keep(size_t bytes)
{
	kept = copy_of_request(bytes); /* the one before is lost */
	return kept;
}
