/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_copy.c - takes a copy of a pool's bookkeeping while nginx goes on writing it.
 *
 * The pool's lock is never taken: its holder may be any process at any moment. Instead the head is
 * copied before and after the descriptors and the bitmaps, with the lock free both times. An
 * allocation in between raises a request count in the head, a free lowers a use count or adds a free
 * page, so an unchanged head and unchanged descriptors mean one moment. The copy is small: 24 bytes
 * a page, and up to 64 for a page of small chunks.
 */
#include "zone_pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAUSE_NS 50000
#define MOST_TRIES 1000
#define MOST_MISSING 10         /* tries: nginx writes the bitmap of a page right after its descriptor */
#define MOST_PAGES (1ull << 26) /* 256 GiB of 4 KiB pages; their descriptors take 1.5 GiB */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool grow(struct zone_copy *copy, size_t bytes)
{
	if (copy->bitmaps_size - copy->bitmaps_used >= bytes)
		return true;
	const size_t size = 2 * (copy->bitmaps_size + bytes) + 4096;
	uint8_t *bitmaps = realloc(copy->bitmaps, size);
	if (!bitmaps)
		return false;
	copy->bitmaps = bitmaps;
	copy->bitmaps_size = size;
	return true;
}

/* Copies the bitmaps that lie in pages; a page that became resident only now makes the try void. */
static bool take_bitmaps(const struct zone_bytes *zone, struct zone_copy *copy)
{
	struct zone_cursor item = {0};
	const struct zone_head *head = &copy->head;

	copy->bitmaps_used = 0;
	while (zone_next(copy, &item)) {
		if (item.kind != ZONE_ITEM_CHUNKS || item.own == 0)
			continue;
		const size_t bytes = item.chunks / 8;
		if (!grow(copy, bytes))
			return false;
		if (!zone_bytes_read(zone, head->start_at + (item.page << head->page_shift),
			    copy->bitmaps + copy->bitmaps_used, bytes)) {
			/* As a walk sees it: full. The copy is not called exact then. */
			memset(copy->bitmaps + copy->bitmaps_used, 0xff, bytes);
			copy->missing = true;
		}
		copy->bitmaps_used += bytes;
	}
	return true;
}

/* Everything before the descriptors: at most 200 bytes and 13 slots of 24 + 32. */
#define HEAD_BYTES 928

static bool pages_unchanged(const struct zone_bytes *zone, const struct zone_copy *copy)
{
	const uint64_t count = copy->head.page_count;
	struct zone_page again[512];

	for (uint64_t i = 0; i < count; i += 512) {
		const size_t length = (count - i < 512 ? count - i : 512) * sizeof(struct zone_page);
		if (!zone_bytes_read(zone, copy->head.pages_at + i * sizeof(struct zone_page), again, length))
			return false;
		if (memcmp(again, copy->pages + i, length) != 0)
			return false;
	}
	return true;
}

/* One try. Returns 0 with copy->changing and ->locked set, or -1: hopeless. */
static int attempt(const struct zone_bytes *zone, struct zone_copy *copy, const char **why)
{
	struct zone_head *head = &copy->head;
	const uint64_t page_count = head->page_count, length = head->pages_at;
	const uint64_t stats_length = head->has_stats ? head->slots * sizeof(struct zone_stat) : 0;
	uint8_t before[HEAD_BYTES], after[HEAD_BYTES];

	*why = "its head is not in memory";
	if (length > HEAD_BYTES || !zone_bytes_read(zone, 0, before, length))
		return -1;
	*why = "its head was overwritten";
	if (zone_head_decode(head, before, length, before + length - stats_length, stats_length,
		    length - stats_length, zone->address, zone->size) != 0 ||
		head->page_count != page_count)
		return -1;
	memcpy(&copy->free_list, before + head->free_at + offsetof(struct zone_page, next),
		sizeof(copy->free_list));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);

	*why = "its page table is not in memory";
	copy->changing = copy->missing = false;
	if (!zone_bytes_read(zone, head->pages_at, copy->pages, page_count * sizeof(struct zone_page)))
		return -1;
	*why = "out of memory";
	if (!take_bitmaps(zone, copy))
		return -1;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);

	*why = "its head is not in memory";
	if (!zone_bytes_read(zone, 0, after, length))
		return -1;
	copy->locked = head->lock != 0;
	copy->changing = memcmp(before, after, length) != 0 || !pages_unchanged(zone, copy);
	return 0;
}

static bool again(const struct zone_copy *copy)
{
	if (copy->changing || copy->locked)
		return copy->tries < MOST_TRIES;
	return copy->missing && copy->tries < MOST_MISSING;
}

int zone_copy_take(struct zone_bytes *zone, struct zone_copy *copy, unsigned budget_ms, const char **why)
{
	memset(copy, 0, sizeof(*copy));
	*why = "no slab pool";
	if (zone_head_read(zone, &copy->head) != 0)
		return -1;
	*why = "too large";
	if (copy->head.page_count > MOST_PAGES)
		return -1;
	*why = "out of memory";
	const size_t length = copy->head.page_count * sizeof(struct zone_page);
	const size_t rounded = (length + zone->page - 1) / zone->page * zone->page;
	copy->pages = aligned_alloc(zone->page, rounded);
	if (!copy->pages)
		return -1;
	madvise(copy->pages, rounded, MADV_POPULATE_WRITE); /* in one call; else a page fault for each page */

	const uint64_t end = now_ms() + budget_ms;
	do {
		if (copy->tries++ > 0) {
			nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
			if (copy->missing)
				zone_bytes_refresh(zone);
		}
		if (attempt(zone, copy, why) != 0) {
			zone_copy_free(copy);
			return -1;
		}
	} while (again(copy) && now_ms() < end);
	return 0;
}

void zone_copy_free(struct zone_copy *copy)
{
	free(copy->pages);
	free(copy->bitmaps);
	memset(copy, 0, sizeof(*copy));
}
