/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_walk.c - reads page descriptors: what each page of a pool is.
 *
 * A descriptor is {slab, next, prev}; the low two bits of prev are the page's type:
 *   0 whole pages   slab = START | n: first of n in use;  n: first of a run of n free pages
 *   1 big chunks    slab: low 4 bits the chunk's shift, bitmap from bit 32 up
 *   2 exact chunks  1/64 page each, slab is the bitmap
 *   3 small chunks  slab: low 4 bits the chunk's shift, bitmap in the first chunks of the page
 * The same in every nginx since 1.1.9. A page that is full is on no list, its type bits stay.
 */
#include "zone_pool.h"

#include <string.h>

#define TYPE_MASK 3u
#define SHIFT_MASK 15u
#define RUN_START (1ull << 63)

enum { TYPE_PAGE, TYPE_BIG, TYPE_EXACT, TYPE_SMALL };

static void whole_pages(const struct zone_copy *copy, struct zone_cursor *item, uint64_t slab)
{
	const uint64_t count = slab & ~RUN_START;

	item->kind = slab & RUN_START ? ZONE_ITEM_RUN : ZONE_ITEM_FREE;
	/* Zero, or the all-ones of a page inside a run, is no first page of anything. */
	if (count == 0 || count > copy->head.page_count - item->page)
		item->kind = ZONE_ITEM_TORN;
	else
		item->pages = count;
}

static void chunks(const struct zone_copy *copy, struct zone_cursor *item, unsigned type)
{
	const struct zone_head *head = &copy->head;
	const struct zone_page *page = &copy->pages[item->page];
	const unsigned exact = head->page_shift - 6;
	const unsigned shift = type == TYPE_EXACT ? exact : page->slab & SHIFT_MASK;
	const bool fits = type == TYPE_SMALL ? shift < exact : type == TYPE_BIG ? shift > exact : true;

	if (!fits || shift < head->min_shift || shift >= head->page_shift)
		return; /* torn */
	item->kind = ZONE_ITEM_CHUNKS;
	item->slot = shift - head->min_shift;
	item->chunk_size = 1ull << shift;
	item->chunks = 1u << (head->page_shift - shift);
	item->own = 0;
	/* Little-endian words: byte i of the bitmap holds chunks 8i to 8i+7. */
	item->bits = (const uint8_t *)&page->slab + (type == TYPE_BIG ? 4 : 0);
	if (type != TYPE_SMALL)
		return;

	const size_t bytes = item->chunks / 8;
	item->own = bytes >> shift ? bytes >> shift : 1;
	/* Not there yet while the copy is being made, by this same walk. */
	item->bits = item->next_bitmap < copy->bitmaps_used ? copy->bitmaps + item->next_bitmap : NULL;
	item->next_bitmap += bytes;
}

bool zone_next(const struct zone_copy *copy, struct zone_cursor *cursor)
{
	if (cursor->next_page >= copy->head.page_count)
		return false;
	const struct zone_page *page = &copy->pages[cursor->next_page];
	const unsigned type = page->prev & TYPE_MASK;

	cursor->page = cursor->next_page;
	cursor->pages = 1;
	cursor->kind = ZONE_ITEM_TORN;
	if (type == TYPE_PAGE)
		whole_pages(copy, cursor, page->slab);
	else
		chunks(copy, cursor, type);
	cursor->next_page += cursor->pages;
	return true;
}

uint64_t zone_item_used(const struct zone_head *head, const struct zone_cursor *item)
{
	uint64_t used = 0;

	switch (item->kind) {
	case ZONE_ITEM_FREE:
		return 0;
	case ZONE_ITEM_CHUNKS:
		for (unsigned i = 0; i < item->chunks; i++)
			used += zone_chunk_used(item, i);
		return used * item->chunk_size;
	default:
		return item->pages << head->page_shift;
	}
}

bool zone_free_list(const struct zone_copy *copy, uint64_t *runs, uint64_t *pages)
{
	const struct zone_head *head = &copy->head;
	uint64_t next = copy->free_list;

	*runs = *pages = 0;
	while (next != head->address + head->free_at) {
		const uint64_t offset = next - head->address - head->pages_at;
		const uint64_t page = offset / sizeof(struct zone_page);
		if (next < head->address + head->pages_at || offset % sizeof(struct zone_page) ||
			page >= head->page_count)
			return false;
		const uint64_t count = copy->pages[page].slab;
		/* The sum can never pass the pages there are, so a list in a circle ends here. */
		if (count == 0 || count > head->page_count - *pages)
			return false;
		*runs += 1;
		*pages += count;
		next = copy->pages[page].next;
	}
	return true;
}
