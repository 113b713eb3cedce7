/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_pool.h - the slab pool in an nginx zone: recognised, copied, walked. Nothing here is trusted.
 *
 *   address                                              start                        end
 *   | pool head | slot heads | stats | page descriptors | page 0 | page 1 | ... | page n-1 |
 *
 * A page is free, part of a run of pages handed out as one, or cut into chunks of one slot's size.
 * Chunks under 1/64 page keep their bitmap in the first chunks of the page itself ("own" chunks,
 * which count as used); for larger ones the bitmap is in the page's descriptor.
 *
 * Use: zone_copy_take, then any number of walks with zone_next over the copy, which always agree.
 */
#ifndef HEAPRAY_ZONE_POOL_H
#define HEAPRAY_ZONE_POOL_H

#include "zone_bytes.h"

#define ZONE_SLOTS 13 /* 8 bytes to half a 64 KiB page */
#define ZONE_UNKNOWN UINT64_MAX

struct zone_stat {
	uint64_t total, used, requests, failures; /* chunks, chunks, allocations asked for, refused */
};

struct zone_head {
	const char *layout;                    /* which nginx wrote it */
	uint64_t address, size;                /* of the pool */
	unsigned min_shift, page_shift, slots; /* slot i holds chunks of 1 << (min_shift + i) */
	uint64_t pages_at, start_at, free_at;  /* offsets of the descriptors, of page 0, of the free list */
	uint64_t page_count;
	uint64_t lock;       /* pid of the holder, 0 = free */
	uint64_t pages_free; /* the pool's own count; ZONE_UNKNOWN before nginx 1.11.7 */
	bool has_stats;      /* since nginx 1.11.7 */
	struct zone_stat stats[ZONE_SLOTS];
	uint64_t log_context, data; /* offsets in the zone; 0 = not set */
};

/* A page's descriptor, as in the zone. */
struct zone_page {
	uint64_t slab, next, prev;
};

struct zone_copy {
	struct zone_head head;
	struct zone_page *pages; /* head.page_count of them */
	uint8_t *bitmaps;        /* of the pages that keep theirs inside, in address order */
	size_t bitmaps_used, bitmaps_size;
	uint64_t free_list; /* address of the first descriptor on the pool's list of free pages */
	unsigned tries;
	bool changing; /* it was written during every try: the copy may mix two moments */
	bool locked;   /* its lock was held, by head.lock, at the last try */
	bool missing;  /* a page whose bitmap it should hold was not resident */
};

/* Recognises a pool in the zone's first bytes: 0, or -1 when there is none. */
int zone_head_read(const struct zone_bytes *zone, struct zone_head *head);
/* Decodes a head from plain copies (what the shim published): `stats` was at offset stats_at. */
int zone_head_decode(struct zone_head *head, const void *bytes, size_t length, const void *stats,
	size_t stats_length, uint64_t stats_at, uint64_t address, uint64_t size);

/*
 * Copies the pool without its lock: copy, see that nothing changed meanwhile, try again for up to
 * budget_ms. Returns 0 also when it never held still (see `changing`); -1 when there is no pool or
 * its descriptors cannot be read, with the reason in *why.
 */
int zone_copy_take(struct zone_bytes *zone, struct zone_copy *copy, unsigned budget_ms, const char **why);
void zone_copy_free(struct zone_copy *copy);

enum zone_item_kind {
	ZONE_ITEM_FREE,   /* a run of free pages */
	ZONE_ITEM_RUN,    /* pages handed out as one */
	ZONE_ITEM_CHUNKS, /* one page cut into chunks */
	ZONE_ITEM_TORN,   /* a descriptor that makes no sense; one page */
};

/* Where a walk is: starts as {0}. zone_next fills in the item and returns false past the last. */
struct zone_cursor {
	enum zone_item_kind kind;
	uint64_t page, pages; /* first page, how many */
	unsigned slot;        /* CHUNKS: which slot, */
	unsigned chunks, own; /* how many, how many of them are the bitmap itself */
	uint64_t chunk_size;
	const uint8_t *bits; /* bit i: chunk i is used */
	uint64_t next_page;
	size_t next_bitmap;
};
bool zone_next(const struct zone_copy *copy, struct zone_cursor *cursor);
/* Bytes of an item that are used: all, none, or those of its used chunks. */
uint64_t zone_item_used(const struct zone_head *head, const struct zone_cursor *item);

static inline bool zone_chunk_used(const struct zone_cursor *item, unsigned chunk)
{
	return item->bits[chunk / 8] >> (chunk % 8) & 1;
}
static inline uint64_t zone_page_size(const struct zone_head *head)
{
	return 1ull << head->page_shift;
}

/* Follows the pool's own list of free pages: false when it is broken. */
bool zone_free_list(const struct zone_copy *copy, uint64_t *runs, uint64_t *pages);

#endif
