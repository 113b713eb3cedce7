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
#define USER_ADDRESSES (1ull << 47)
#define THREADS_MAX 65536u /* that have a hand */
#define MOST_POOL (16ull << 30)

struct walk {
	const struct hr_header *header;
	uint64_t site_limit, now_ns;
	int64_t visited;
	bool (*visit)(void *context, const struct live_block *block);
	void *context;
};

/* Shows a block that can be right to `visit`. False when that has seen enough. `age`: in steps, since the start. */
static bool show(struct walk *walk, struct live_block block, uint64_t age)
{
	if (block.address < 4096 || block.address >= USER_ADDRESSES || block.size > USER_ADDRESSES - block.address ||
		block.site >= walk->site_limit)
		return true;
	uint64_t born = walk->header->start_ns + age * HR_LIVE_AGE_NS;
	block.age_ns = born < walk->now_ns ? walk->now_ns - born : 0;
	walk->visited++;
	return walk->visit(walk->context, &block);
}

/* The slots of one leaf, `count` words. False when visit has seen enough. */
static bool walk_leaf(struct walk *walk, uint64_t head, const uint64_t *slots, uint64_t count)
{
	bool wide = HR_LIVE_HEAD_WIDE(head);
	if (!HR_LIVE_HEAD_USED(head) || (wide && count < 2))
		return true;
	for (uint64_t i = 0; i < count; i += wide ? 2 : 1) {
		const uint64_t entry = slots[i];
		if (HR_LIVE_LABEL(entry) == 0)
			continue;
		const struct live_block block = {
			.address = HR_LIVE_HEAD_PAGE(head) + HR_LIVE_OFFSET(entry),
			.size = wide ? slots[i + 1] : HR_LIVE_SIZE(entry),
			.site = (uint32_t)HR_LIVE_SITE(entry),
			.inherited = HR_LIVE_LABEL(entry) != walk->header->live.label,
		};
		if (!show(walk, block, HR_LIVE_AGE(entry)))
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
			uint64_t step = HR_LIVE_HEAD_BYTES(piece[i]) / 8;
			if (step == 0 || step > HR_LIVE_WORDS_MAX)
				return true;
			if (i + step > words)
				break; /* with the next piece */
			if (!walk_leaf(walk, piece[i], &piece[i + 1], step - 1))
				return false;
			i += step;
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
	       pool->start < USER_ADDRESSES && pool->size <= USER_ADDRESSES - pool->start && pool->used <= pool->size && pool->used <= MOST_POOL;
}

/* The blocks that are in threads' hands. False when visit has seen enough. */
static bool walk_hands(struct walk *walk, struct peek *peek)
{
	const struct hr_live_geometry *live = &walk->header->live;
	for (uint64_t i = 0; i < live->thread_count && i < THREADS_MAX; i++) {
		uint64_t thread;
		struct hr_live_hand hand;
		if (!peek_at(peek, live->threads + i * sizeof thread, &thread, sizeof thread) || thread >= USER_ADDRESSES ||
			!peek_at(peek, thread + live->hand_offset, &hand, sizeof hand))
			return true;
		const struct live_block block = {
			.address = hand.block, .size = hand.size, .site = hand.site, .inherited = hand.inherited,
		};
		if (hand.block && !show(walk, block, hand.age))
			return false;
	}
	return true;
}

static bool sane(const struct hr_live_geometry *live)
{
	return live->pools && live->pools < USER_ADDRESSES && live->threads < USER_ADDRESSES && live->hand_offset < USER_ADDRESSES && live->pool_count <= HR_LIVE_POOLS;
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
	bool more = walk_hands(&walk, peek);
	for (uint64_t i = 0; more && i < header->live.pool_count; i++)
		if (read_pool(peek, &header->live, i, &pool) && !walk_pool(&walk, peek, &pool, piece))
			break;
	free(piece);
	return walk.visited;
}
