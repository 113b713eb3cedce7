/* SPDX-License-Identifier: BSD-2-Clause */
/* gzip.h - whole buffers into gzip and back. gzip.c is the only file that knows which library does it. */
#ifndef HEAPRAY_GZIP_H
#define HEAPRAY_GZIP_H

#include <stdbool.h>
#include <stddef.h>

/* Packs; the result is the caller's. The same bytes give the same result: no time, no name in it. */
void *gzip_pack(const void *bytes, size_t length, size_t *packed);
/*
 * Unpacks at most `most` bytes, with a NUL behind them; the caller's. NULL when it is not gzip, cut off,
 * damaged (it has a checksum), or longer.
 */
char *gzip_unpack(const void *packed, size_t length, size_t most, size_t *unpacked);
/* Whether bytes begin like it. */
bool gzip_is(const void *bytes, size_t length);

#endif
