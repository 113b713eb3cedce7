/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * known.c - one thread, every way to allocate that C has, and its books as JSON.
 *
 * Each site_* function allocates in one way, so that a stack is known by its innermost function. Sizes,
 * counts, growth and failure of realloc, failures of the others, aligned forms, a peak in the middle.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>

#include "expect.h"

static void *site_malloc(size_t n) { return malloc(n); }
static void *site_zero(void) { return malloc(0); }
static void *site_calloc(size_t n, size_t size) { return calloc(n, size); }
static void *site_realloc_new(size_t n) { return realloc(NULL, n); }
static void *site_grow(void *p, size_t n) { return realloc(p, n); }
static void *site_shrink(void *p, size_t n) { return realloc(p, n); }
static void *site_grow_fails(void *p, size_t n) { return realloc(p, n); }
static void *site_realloc_zero(void *p) { return realloc(p, 0); }
static void *site_reallocarray(void *p, size_t n, size_t size) { return reallocarray(p, n, size); }
static void *site_memalign(size_t alignment, size_t n) { return memalign(alignment, n); }
static void *site_aligned_alloc(size_t alignment, size_t n) { return aligned_alloc(alignment, n); }
static void *site_valloc(size_t n) { return valloc(n); }
static void *site_pvalloc(size_t n) { return pvalloc(n); }
static char *site_strdup(const char *text) { return strdup(text); }
static void *site_huge(size_t n) { return malloc(n); }
static void *site_before(size_t n) { return malloc(n); }
static void *site_at_peak(size_t n) { return malloc(n); }
static void *site_after(size_t n) { return malloc(n); }
static void *site_shared(size_t n) { return malloc(n); }
static void *left_path(size_t n) { return site_shared(n); }
static void *right_path(size_t n) { return site_shared(n); }

static void *site_posix_memalign(size_t alignment, size_t n)
{
	void *p = NULL;
	return posix_memalign(&p, alignment, n) == 0 ? p : NULL;
}

static void require(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "known: %s\n", what);
	exit(3);
}

static void plain(void)
{
	SITE(s, "site_malloc", "plain");
	void *p[100];
	for (size_t i = 0; i < 100; i++)
		p[i] = booked(&s, site_malloc(1 + i * 37), 1 + i * 37);
	for (size_t i = 0; i < 100; i += 3) {
		unbooked(&s, 1 + i * 37);
		free(p[i]);
	}
	free(NULL);

	SITE(zero, "site_zero");
	for (size_t i = 0; i < 5; i++)
		booked(&zero, site_zero(), 0);

	SITE(cleared, "site_calloc");
	char *c = booked(&cleared, site_calloc(12, 100), 1200);
	for (size_t i = 0; i < 1200; i++)
		require(c[i] == 0, "calloc is not zero");
	require(booked(&cleared, site_calloc(SIZE_MAX / 2, 3), 0) == NULL, "calloc that overflows");

	SITE(huge, "site_huge");
	errno = 0;
	require(booked(&huge, site_huge(SIZE_MAX / 4), 0) == NULL && errno == ENOMEM, "malloc of too much");
	booked(&huge, site_huge(9 << 20), 9 << 20);

	SITE(copy, "site_strdup");
	for (size_t i = 0; i < 3; i++)
		booked(&copy, site_strdup("nine byte"), 10);
}

static void resizing(void)
{
	SITE(fresh, "site_realloc_new");
	SITE(grow, "site_grow");
	SITE(fails, "site_grow_fails");
	SITE(shrink, "site_shrink");
	SITE(zero, "site_realloc_zero");
	SITE(array, "site_reallocarray");

	char *p = booked(&fresh, site_realloc_new(10), 10);
	strcpy(p, "survives");
	p = rebooked(&fresh, 10, &grow, site_grow(p, 100), 100);
	for (size_t n = 200; n <= 300000; n += n / 2)
		p = rebooked(&grow, grow.live_bytes, &grow, site_grow(p, n), n);
	require(strcmp(p, "survives") == 0, "realloc lost the contents");

	errno = 0;
	require(booked(&fails, site_grow_fails(p, SIZE_MAX / 4), 0) == NULL && errno == ENOMEM, "realloc of too much");
	require(strcmp(p, "survives") == 0, "a failed realloc lost the block");
	p = rebooked(&grow, grow.live_bytes, &shrink, site_shrink(p, 50), 50);
	require(strcmp(p, "survives") == 0, "shrinking lost the contents");

	/* Freed and NULL, or a new block of no bytes: both exist. */
	char *q = booked(&fresh, site_realloc_new(77), 77);
	unbooked(&fresh, 77);
	booked(&zero, site_realloc_zero(q), 0);

	q = booked(&array, site_reallocarray(NULL, 10, 24), 240);
	errno = 0;
	require(site_reallocarray(q, SIZE_MAX / 2, 4) == NULL && errno == ENOMEM, "reallocarray that overflows");
	rebooked(&array, 240, &array, site_reallocarray(q, 20, 24), 480);
}

static void aligned(void)
{
	SITE(posix, "site_posix_memalign");
	SITE(iso, "site_aligned_alloc");
	SITE(old, "site_memalign");
	SITE(page, "site_valloc");
	SITE(pages, "site_pvalloc");

	static const size_t alignments[] = {16, 64, 1024, 4096}; /* mimalloc 2.0.9 gives too little for 256 and 512 */
	for (size_t i = 0; i < sizeof alignments / sizeof alignments[0]; i++) {
		const size_t alignment = alignments[i];
		void *p = booked(&posix, site_posix_memalign(alignment, 100), 100);
		require(((uintptr_t)p & (alignment - 1)) == 0, "posix_memalign is not aligned");
		p = booked(&iso, site_aligned_alloc(alignment, 2 * alignment), 2 * alignment);
		require(((uintptr_t)p & (alignment - 1)) == 0, "aligned_alloc is not aligned");
		p = booked(&old, site_memalign(alignment, 333), 333);
		require(((uintptr_t)p & (alignment - 1)) == 0, "memalign is not aligned");
		unbooked(&old, 333);
		free(p);
	}
	require(site_posix_memalign(3, 100) == NULL, "posix_memalign with an alignment of 3");
	void *p = booked(&page, site_valloc(5000), 5000);
	void *q = booked(&pages, site_pvalloc(5000), 5000);
	require((((uintptr_t)p | (uintptr_t)q) & 4095) == 0, "valloc is not aligned");
	require(malloc_usable_size(p) >= 5000 && malloc_usable_size(q) >= 5000, "malloc_usable_size");
	unbooked(&page, 5000);
	free(p);
}

/* C23's forms of free: not in every libc, so only where something provides them. */
static void sized(void)
{
	SITE(s, "site_malloc", "sized");
	void (*free_sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
	void (*free_aligned_sized)(void *, size_t, size_t) =
		(void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized");
	if (!free_sized || !free_aligned_sized)
		return;
	for (size_t i = 0; i < 4; i++) {
		void *p = booked(&s, site_malloc(640), 640);
		if (i == 0)
			continue;
		unbooked(&s, 640);
		if (i == 1)
			free_sized(p, 640);
		else
			free_aligned_sized(p, 16, 640);
	}
}

static void paths(void)
{
	SITE(left, "site_shared", "left_path", "paths");
	SITE(right, "site_shared", "right_path", "paths");
	for (size_t i = 0; i < 7; i++) {
		booked(&left, left_path(64), 64);
		void *p = booked(&right, right_path(128), 128);
		if (i % 2)
			continue;
		unbooked(&right, 128);
		free(p);
	}
}

/* The highest total is reached twice, by one byte: what was live at the second moment counts. */
static void peak(void)
{
	SITE(before, "site_before");
	SITE(at, "site_at_peak");
	SITE(after, "site_after");
	void *p[4], *q[5];
	for (size_t i = 0; i < 4; i++)
		p[i] = booked(&before, site_before(8 << 20), 8 << 20);
	for (size_t i = 0; i < 5; i++)
		q[i] = booked(&at, site_at_peak(100000), 100000);
	unbooked(&before, 8 << 20);
	free(p[0]);
	booked(&at, site_at_peak((8 << 20) + 1), (8 << 20) + 1); /* the peak */
	for (size_t i = 1; i < 4; i++) {
		unbooked(&before, 8 << 20);
		free(p[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		unbooked(&at, 100000);
		free(q[i]);
	}
	booked(&after, site_after(1 << 20), 1 << 20);
}

int main(void)
{
	plain();
	resizing();
	aligned();
	sized();
	paths();
	peak();
	expect_print(1);
	return 0;
}
