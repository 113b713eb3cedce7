/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xalloc.h - memory for a short-lived tool: these never return NULL; without memory the reporter ends
 * with status 2. What repeats is freed, the rest is left to exit. Not for sizes a segment names: those
 * are checked first.
 */
#ifndef HEAPRAY_XALLOC_H
#define HEAPRAY_XALLOC_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *xalloc_check(void *p)
{
	if (!p) {
		fputs("heapray: out of memory\n", stderr);
		exit(2);
	}
	return p;
}

static inline void *xcalloc(size_t count, size_t size)
{
	return xalloc_check(calloc(count ? count : 1, size));
}

static inline void *xreallocarray(void *p, size_t count, size_t size)
{
	return xalloc_check(reallocarray(p, count ? count : 1, size));
}

static inline char *xstrdup(const char *text)
{
	return xalloc_check(strdup(text));
}

/* Like asprintf, the result is the caller's. */
#define xasprintf(...)                                                                                            \
	({                                                                                                        \
		char *xasprintf_text = NULL;                                                                      \
		if (asprintf(&xasprintf_text, __VA_ARGS__) < 0)                                                   \
			xasprintf_text = NULL;                                                                    \
		(char *)xalloc_check(xasprintf_text);                                                             \
	})

/* Makes room for one more element: `array`, its count and its capacity are lvalues. */
#define xgrow(array, count, capacity)                                                                             \
	do {                                                                                                      \
		if ((count) == (capacity)) {                                                                      \
			(capacity) = (capacity) ? (capacity) * 2 : 16;                                            \
			(array) = xreallocarray((array), (capacity), sizeof(*(array)));                           \
		}                                                                                                 \
	} while (0)

#endif
