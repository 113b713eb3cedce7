/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.c - anonymous memory by mmap: whole and partial munmap, one munmap over many maps, MAP_FIXED over old
 * ones, growth, shrinking and moving by mremap; books as JSON. Blocks cut in two are booked in bytes only
 * (count -1: not to be compared).
 */
#include <sys/mman.h>

#include "expect.h"

#define PAGE 4096ul

static void *get(void *at, size_t n, int flags)
{
	void *p = mmap(at, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

static void *site_whole(size_t n) { return get(NULL, n, 0); }
static void *site_cut(size_t n) { return get(NULL, n, 0); }
static void *site_row(void *at, size_t n) { return get(at, n, MAP_FIXED); }
static void *site_under(size_t n) { return get(NULL, n, 0); }
static void *site_over(void *at, size_t n) { return get(at, n, MAP_FIXED); }
static void *site_grown(size_t n) { return get(NULL, n, 0); }
static void *site_moving(size_t n) { return get(NULL, n, 0); }
static void *site_reserve(size_t n) { return mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); }

static void require(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "maps: %s\n", what);
	exit(3);
}

static void set_live(struct site *s, int64_t bytes)
{
	s->live_bytes = bytes;
	s->live_count = s->allocated_count = s->allocated_bytes = -1;
}

int main(void)
{
	SITE(whole, "get", "site_whole");
	void *p[5];
	for (int i = 0; i < 5; i++)
		p[i] = booked(&whole, site_whole((10 + i) * PAGE), (10 + i) * PAGE);
	for (int i = 0; i < 2; i++) {
		unbooked(&whole, (10 + i) * PAGE);
		munmap(p[i], (10 + i) * PAGE);
	}

	/* 100 pages, of which the first ten, the last ten and five in the middle go. */
	SITE(cut, "get", "site_cut");
	char *c = booked(&cut, site_cut(100 * PAGE), 100 * PAGE);
	munmap(c, 10 * PAGE);
	munmap(c + 90 * PAGE, 10 * PAGE);
	munmap(c + 50 * PAGE, 5 * PAGE);
	set_live(&cut, 75 * PAGE);

	/* Eight maps side by side, then one munmap from the middle of the first to the middle of the last. */
	SITE(row, "get", "site_row");
	SITE(reserve, "site_reserve");
	char *r = site_reserve(80 * PAGE);
	booked(&reserve, r, 80 * PAGE);
	for (int i = 0; i < 8; i++)
		require(booked(&row, site_row(r + i * 10 * PAGE, 10 * PAGE), 10 * PAGE) != NULL, "MAP_FIXED");
	munmap(r + 5 * PAGE, 70 * PAGE);
	set_live(&row, 10 * PAGE);
	set_live(&reserve, 0);

	/* A new map over the middle of an old one. */
	SITE(under, "get", "site_under");
	SITE(over, "get", "site_over");
	char *u = booked(&under, site_under(30 * PAGE), 30 * PAGE);
	booked(&over, site_over(u + 10 * PAGE, 10 * PAGE), 10 * PAGE);
	set_live(&under, 20 * PAGE);

	SITE(grown, "get", "site_grown");
	void *g = booked(&grown, site_grown(16 * PAGE), 16 * PAGE);
	g = mremap(g, 16 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	g = mremap(g, 64 * PAGE, 48 * PAGE, MREMAP_MAYMOVE);
	require(g != MAP_FAILED, "mremap");
	SITE(moving, "get", "site_moving");
	void *m = booked(&moving, site_moving(16 * PAGE), 16 * PAGE);
	char *to = site_reserve(40 * PAGE);
	m = mremap(m, 16 * PAGE, 32 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 4 * PAGE);
	require(m == to + 4 * PAGE, "mremap to a place");
	set_live(&reserve, 8 * PAGE);
	/* Whose they are after mremap, the first caller's or mremap's, is a matter of taste; not in the books. */
	grown.path[0] = moving.path[0] = NULL;

	expect_print(1);
	return 0;
}
