/* SPDX-License-Identifier: BSD-2-Clause */
/* gzip.c - zlib's deflate and inflate with gzip's header. */
#include "gzip.h"

#include "xalloc.h"

#include <stdint.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* 16: gzip's header and trailer */
#define STEP (1u << 20)

void *gzip_pack(const void *bytes, size_t length, size_t *packed)
{
	z_stream z = {0};
	size_t capacity = 0;
	char *out = NULL;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		xalloc_check(NULL);
	z.next_in = (unsigned char *)bytes;
	for (int state = Z_OK; state != Z_STREAM_END;) {
		const size_t left = length - (size_t)(z.next_in - (unsigned char *)bytes);
		if (z.avail_in == 0)
			z.avail_in = left < STEP ? left : STEP;
		if (z.avail_out == 0) {
			out = xreallocarray(out, capacity + STEP, 1);
			z.next_out = (unsigned char *)out + capacity;
			z.avail_out = STEP;
			capacity += STEP;
		}
		state = deflate(&z, left <= STEP ? Z_FINISH : Z_NO_FLUSH);
	}
	*packed = capacity - z.avail_out;
	deflateEnd(&z);
	return out;
}

char *gzip_unpack(const void *packed, size_t length, size_t most, size_t *unpacked)
{
	z_stream z = {0};
	size_t capacity = 0;
	char *out = NULL;
	int state = Z_OK;

	if (length > UINT32_MAX || inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return NULL;
	z.next_in = (unsigned char *)packed;
	z.avail_in = length;
	while (state == Z_OK && capacity - z.avail_out <= most) {
		if (z.avail_out == 0) {
			out = xreallocarray(out, capacity + STEP + 1, 1);
			z.next_out = (unsigned char *)out + capacity;
			z.avail_out = STEP;
			capacity += STEP;
		}
		state = inflate(&z, Z_NO_FLUSH);
	}
	*unpacked = capacity - z.avail_out;
	inflateEnd(&z);
	if (state != Z_STREAM_END || *unpacked > most) {
		free(out);
		return NULL;
	}
	out[*unpacked] = '\0';
	return out;
}

bool gzip_is(const void *bytes, size_t length)
{
	return length >= 2 && memcmp(bytes, "\x1f\x8b", 2) == 0;
}
