/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live_table.c - walks the live table of a running process from outside.
 *
 * The header tells where the pools are; each is leaves, one after the other. A pool is read in pieces, leaf by leaf;
 * what is changed meanwhile gives entries that fail the checks below or nothing.
 */
#include "live_table.h"

#include <time.h>

#include "xalloc.h"

#define PIECE (1u << 20)
#define CLASS_MAX 12u /* of a leaf: no page has more slots */
#define USER_ADDRESSES (1ull << 47)

struct walk {
	const struct hr_header *header;
	uint64_t site_limit, now_ns;
	int64_t visited;
	bool (*visit)(void *context, const struct live_block *block);
	void *context;
};

/* False when the words cannot be an entry. */
static bool decode(const struct walk *walk, uint64_t page, bool wide, const uint64_t *words, struct live_block *block)
{
	if (HR_LIVE_LABEL(words[0]) == 0)
		return false;
	block->address = page + HR_LIVE_OFFSET(words[0]);
	block->size = wide ? words[1] : HR_LIVE_SIZE(words[0]);
	block->site = (uint32_t)HR_LIVE_SITE(words[0]);
	if (page == 0 || block->address >= USER_ADDRESSES || block->size > USER_ADDRESSES - block->address ||
		block->site >= walk->site_limit)
		return false;
	uint64_t born = walk->header->start_ns + HR_LIVE_AGE(words[0]) * HR_LIVE_AGE_NS;
	block->age_ns = born < walk->now_ns ? walk->now_ns - born : 0;
	block->inherited = HR_LIVE_LABEL(words[0]) != walk->header->live.label;
	return true;
}

/* The slots of one leaf, `count` words. False when visit has seen enough. */
static bool walk_leaf(struct walk *walk, uint64_t head, const uint64_t *slots, uint64_t count)
{
	struct live_block block;
	bool wide = HR_LIVE_HEAD_WIDE(head);
	if (!HR_LIVE_HEAD_USED(head) || (wide && count < 2))
		return true;
	for (uint64_t i = 0; i < count; i += wide ? 2 : 1) {
		if (!decode(walk, HR_LIVE_HEAD_PAGE(head), wide, &slots[i], &block))
			continue;
		walk->visited++;
		if (!walk->visit(walk->context, &block))
			return false;
	}
	return true;
}

/* False when visit has seen enough. A pool that goes away, or makes no sense, ends early. */
static bool walk_pool(struct walk *walk, struct peek *peek, const struct hr_live_pool *pool, uint64_t *piece)
{
	for (uint64_t at = 0; at + 16 <= pool->used;) {
		uint64_t bytes = pool->used - at < PIECE ? pool->used - at : PIECE, words = bytes / 8, i = 0;
		if (!peek_range(peek, pool->start + at, piece, bytes))
			return true;
		while (i < words) {
			uint32_t class = HR_LIVE_HEAD_CLASS(piece[i]);
			if (class > CLASS_MAX)
				return true;
			uint64_t count = 1ull << class;
			if (i + 1 + count > words)
				break; /* with the next piece */
			if (!walk_leaf(walk, piece[i], &piece[i + 1], count))
				return false;
			i += 1 + count;
		}
		if (i == 0)
			return true;
		at += i * 8;
	}
	return true;
}

/* The next pool; false when there is none that can be right. */
static bool read_pool(struct peek *peek, const struct hr_live_geometry *live, uint64_t index, struct hr_live_pool *pool)
{
	return peek_at(peek, live->pools + index * sizeof *pool, pool, sizeof *pool) && pool->start && pool->start % 8 == 0 &&
	       pool->start < USER_ADDRESSES && pool->size <= USER_ADDRESSES - pool->start && pool->used <= pool->size;
}

/* The block that is in hand. False when visit has seen enough. */
static bool walk_hand(struct walk *walk, struct peek *peek)
{
	struct hr_live_hand hand;
	uint64_t words[2];
	struct live_block block;
	if (!walk->header->live.hand || !peek_at(peek, walk->header->live.hand, &hand, sizeof hand) || !hand.block)
		return true;
	uint64_t label = walk->header->live.label;
	words[0] = (hand.block & 0xfff) >> 3 | (uint64_t)hand.site << 25 | (hand.age & 0x3ffff) << 44 |
		(hand.inherited ? label % 3 + 1 : label) << 62;
	words[1] = hand.size;
	if (!decode(walk, hand.block & ~0xfffull, true, words, &block))
		return true;
	walk->visited++;
	return walk->visit(walk->context, &block);
}

static bool sane(const struct hr_live_geometry *live)
{
	return live->pools && live->pools < USER_ADDRESSES && live->pool_count <= HR_LIVE_POOLS;
}

int64_t live_table_walk(struct peek *peek, const struct hr_header *header, uint64_t site_limit,
	bool (*visit)(void *context, const struct live_block *block), void *context)
{
	struct hr_live_pool pool;
	struct timespec now;
	if (!sane(&header->live) || !peek_at(peek, header->live.pools, &pool, sizeof pool))
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	struct walk walk = {
		.header = header,
		.site_limit = site_limit,
		.now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
		.visit = visit,
		.context = context,
	};
	uint64_t *piece = xcalloc(PIECE, 1);
	bool more = walk_hand(&walk, peek);
	for (uint64_t i = 0; more && i < header->live.pool_count; i++)
		if (read_pool(peek, &header->live, i, &pool) && !walk_pool(&walk, peek, &pool, piece))
			break;
	free(piece);
	return walk.visited;
}
