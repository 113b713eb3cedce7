/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pair_index.h - numbers pairs of 32-bit numbers, in the order in which they are first asked for.
 *
 * A hash table with linear probing over one array of pairs: a trie of a million nodes is a million
 * look-ups, each of which touches two cache lines.
 */
#ifndef HEAPRAY_PAIR_INDEX_H
#define HEAPRAY_PAIR_INDEX_H

#include "xalloc.h"

#include <stdbool.h>
#include <stdint.h>

struct pair {
	uint32_t first, second;
};

/* Starts as {0}. */
struct pair_index {
	struct pair *pairs;
	size_t count, capacity;
	uint32_t *slots; /* number + 1, 0: free; a power of two of them, at most half full */
	size_t slot_count;
};

static inline size_t pair_slot(const struct pair_index *index, struct pair pair)
{
	/* Both numbers are small and dense: each gets a multiplier, so that neither leaves low bits empty. */
	const uint64_t hash = pair.first * 0x9e3779b97f4a7c15ull ^ pair.second * 0xc2b2ae3d27d4eb4full;
	size_t slot = (hash >> 32 ^ hash) & (index->slot_count - 1);

	while (index->slots[slot]) {
		const struct pair *have = &index->pairs[index->slots[slot] - 1];
		if (have->first == pair.first && have->second == pair.second)
			break;
		slot = (slot + 1) & (index->slot_count - 1);
	}
	return slot;
}

static inline void pair_index_grow(struct pair_index *index)
{
	free(index->slots);
	index->slot_count = index->slot_count ? index->slot_count * 2 : 1024;
	index->slots = xcalloc(index->slot_count, sizeof(*index->slots));
	for (size_t i = 0; i < index->count; i++)
		index->slots[pair_slot(index, index->pairs[i])] = i + 1;
}

/* The pair's number; it is new when that is the count there was before. */
static inline uint32_t pair_number(struct pair_index *index, uint32_t first, uint32_t second)
{
	if (index->count * 2 >= index->slot_count)
		pair_index_grow(index);
	const size_t slot = pair_slot(index, (struct pair){first, second});
	if (index->slots[slot])
		return index->slots[slot] - 1;
	xgrow(index->pairs, index->count, index->capacity);
	index->pairs[index->count++] = (struct pair){first, second};
	index->slots[slot] = index->count;
	return index->count - 1;
}

static inline void pair_index_free(struct pair_index *index)
{
	free(index->pairs);
	free(index->slots);
	*index = (struct pair_index){0};
}

#endif
