/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live_table.c - walks the live table of a running process from outside.
 *
 * The header tells where the shards are. A shard's words (entries, capacity, used) are read first and
 * checked against each other; a shard that was replaced while it was read gives entries that fail the
 * checks below or nothing, never more than its capacity.
 */
#include "live_table.h"

#include <time.h>

#include "ledger.h"
#include "xalloc.h"

#define ENTRY 16u
#define CHUNK (1u << 16) /* entries read at a time: 1 MiB */
#define MOST_SHARDS 65536u
#define MOST_ENTRIES (1ull << 36)
#define USER_ADDRESSES (1ull << 47)

struct walk {
	struct peek *peek;
	const struct hr_header *header;
	uint64_t site_limit, now_ns, entries;
	int64_t visited;
	bool (*visit)(void *context, const struct live_block *block);
	void *context;
	uint64_t *buffer;
};

/* False when the words cannot be an entry. */
static bool decode(const struct walk *walk, const uint64_t *words, struct live_block *block)
{
	if (!words[0])
		return false;
	block->address = HR_LIVE_ADDRESS(words[0]);
	block->size = HR_LIVE_SIZE(words[1]);
	block->site = (uint32_t)HR_LIVE_SITE(words[1]);
	if (!block->address || block->address + block->size > USER_ADDRESSES ||
		block->site >= walk->site_limit)
		return false;
	uint64_t born = walk->header->start_ns + HR_LIVE_AGE(words[0]) * HR_LIVE_AGE_NS;
	block->age_ns = born < walk->now_ns ? walk->now_ns - born : 0;
	block->inherited = HR_LIVE_GENERATION(words[0]) != (walk->header->live.generation & 3);
	return true;
}

/* False when visit has seen enough. */
static bool walk_shard(struct walk *walk, uint64_t entries, uint64_t capacity)
{
	for (uint64_t at = 0; at < capacity;) {
		uint64_t count = capacity - at < CHUNK ? capacity - at : CHUNK;
		if (!peek_range(walk->peek, entries + at * ENTRY, walk->buffer, count * ENTRY))
			return true; /* the shard went away */
		for (size_t i = 0; i < count; i++) {
			struct live_block block;
			if (!decode(walk, &walk->buffer[2 * i], &block))
				continue;
			walk->visited++;
			if (!walk->visit(walk->context, &block))
				return false;
		}
		at += count;
	}
	return true;
}

static bool sane(const struct hr_live_geometry *live)
{
	return live->shards && live->shard_count && live->shard_count <= MOST_SHARDS &&
	       live->shard_stride >= 3 * 8 && live->shard_stride <= 4096;
}

/* The next shard's entries and capacity; false when it has none that can be right. */
static bool read_shard(struct peek *peek, const struct hr_live_geometry *live, uint64_t index,
	uint64_t *entries, uint64_t *capacity)
{
	uint64_t words[3];
	if (!peek_at(peek, live->shards + index * live->shard_stride, words, sizeof words))
		return false;
	*entries = words[0];
	*capacity = words[1];
	return words[0] && words[2] <= words[1] && words[1] <= MOST_ENTRIES;
}

int64_t live_table_walk(struct peek *peek, const struct hr_header *header, uint64_t site_limit,
	bool (*visit)(void *context, const struct live_block *block), void *context)
{
	const struct hr_live_geometry *live = &header->live;
	struct timespec now;
	uint64_t entries, capacity;
	uint8_t first;
	if (!sane(live) || !peek_at(peek, live->shards, &first, 1))
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	struct walk walk = {
		.peek = peek,
		.header = header,
		.site_limit = site_limit,
		.now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
		.visit = visit,
		.context = context,
		.buffer = xcalloc(CHUNK, ENTRY),
	};
	for (uint64_t i = 0; i < live->shard_count; i++) {
		if (!read_shard(peek, live, i, &entries, &capacity))
			continue;
		walk.entries += capacity;
		if (walk.entries > MOST_ENTRIES || !walk_shard(&walk, entries, capacity))
			break;
	}
	free(walk.buffer);
	return walk.visited;
}

void live_table_claim(struct peek *peek, const struct hr_header *header, struct claims *claims)
{
	uint64_t entries, capacity;
	if (!sane(&header->live))
		return;
	for (uint64_t i = 0; i < header->live.shard_count; i++)
		if (read_shard(peek, &header->live, i, &entries, &capacity))
			claims_add(claims, entries, entries + capacity * ENTRY, RANK_HEAPRAY, C_HEAPRAY,
				"live table");
}
