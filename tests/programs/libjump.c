/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libjump.c - an allocator (glibc's underneath) in which a signal arrives: malloc(4242) raises SIGUSR1 inside.
 * For jump.c, whose handler leaves by siglongjmp.
 */
#include <signal.h>
#include <stddef.h>

extern void *__libc_malloc(size_t);
extern void __libc_free(void *);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

void *malloc(size_t n)
{
	if (n == 4242)
		raise(SIGUSR1);
	return __libc_malloc(n);
}

void free(void *p)
{
	__libc_free(p);
}

void *calloc(size_t n, size_t size)
{
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return __libc_realloc(p, n);
}
