/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_count.c - counts slabs in one walk, and compares the counts with nginx's own.
 */
#include "zone_count.h"

#include "xalloc.h"

static void add_size(struct zone_sizes *sizes, uint64_t bytes, uint64_t count)
{
	size_t i = 0;

	if (count == 0)
		return;
	sizes->count += count;
	sizes->bytes += bytes * count;
	for (size_t low = 0, high = sizes->length; low < high; i = low) {
		const size_t middle = (low + high) / 2;
		if (sizes->rows[middle].bytes < bytes)
			low = middle + 1;
		else
			high = middle;
	}
	if (i < sizes->length && sizes->rows[i].bytes == bytes) {
		sizes->rows[i].count += count;
		return;
	}
	xgrow(sizes->rows, sizes->length, sizes->room);
	memmove(&sizes->rows[i + 1], &sizes->rows[i], (sizes->length - i) * sizeof(sizes->rows[0]));
	sizes->rows[i] = (struct zone_size){bytes, count};
	sizes->length++;
}

static unsigned count_bits(const struct zone_cursor *item)
{
	unsigned used = 0, i = 0;
	uint64_t word;

	for (; i + 64 <= item->chunks; i += 64) {
		memcpy(&word, item->bits + i / 8, sizeof(word));
		used += __builtin_popcountll(word);
	}
	for (; i < item->chunks; i++)
		used += zone_chunk_used(item, i);
	return used;
}

static bool has_offset(const struct zone_head *head, const struct zone_cursor *item, uint64_t offset)
{
	return offset >= head->start_at && (offset - head->start_at) >> head->page_shift == item->page;
}

static void count_chunks(
	const struct zone_head *head, const struct zone_cursor *item, struct zone_counts *counts)
{
	struct zone_slot *slot = &counts->slots[item->slot];
	const unsigned used = count_bits(item);
	/* The zone's name and its module's own data stay for ever. */
	const unsigned pool = has_offset(head, item, head->log_context) + has_offset(head, item, head->data);

	for (unsigned i = 0; i < item->own; i++) {
		if (!zone_chunk_used(item, i)) {
			counts->torn++;
			return;
		}
	}
	slot->pages++;
	slot->chunks += item->chunks;
	slot->used += used;
	slot->own += item->own;
	slot->pool += pool;
	counts->bytes_free_chunks += (item->chunks - used) * item->chunk_size;
	if (pool == 0 && 4 * (used - item->own) <= item->chunks - item->own)
		slot->sparse_pages++;
}

static void sum_slots(const struct zone_head *head, struct zone_counts *counts)
{
	for (unsigned i = 0; i < head->slots; i++) {
		struct zone_slot *slot = &counts->slots[i];
		slot->size = 1ull << (head->min_shift + i);
		add_size(&counts->used, slot->size, slot->used);
		add_size(&counts->free, slot->size, slot->chunks - slot->used);
		if (slot->pages == 0)
			continue;
		const uint64_t a_page = (slot->chunks - slot->own) / slot->pages,
			       used = slot->used - slot->own;
		slot->spare_pages = slot->pages - (used + a_page - 1) / a_page;
	}
	add_size(&counts->free, zone_page_size(head), counts->pages_free);
}

void zone_count(const struct zone_copy *copy, struct zone_counts *counts)
{
	const struct zone_head *head = &copy->head;
	struct zone_cursor item = {0};

	memset(counts, 0, sizeof(*counts));
	counts->pages = head->page_count;
	while (zone_next(copy, &item)) {
		switch (item.kind) {
		case ZONE_ITEM_FREE:
			counts->pages_free += item.pages;
			counts->free_runs++;
			if (item.pages > counts->largest_free_run)
				counts->largest_free_run = item.pages;
			break;
		case ZONE_ITEM_RUN:
			counts->run_pages += item.pages;
			add_size(&counts->used, item.pages << head->page_shift, 1);
			break;
		case ZONE_ITEM_CHUNKS:
			count_chunks(head, &item, counts);
			break;
		case ZONE_ITEM_TORN:
			counts->torn++;
			break;
		}
	}
	sum_slots(head, counts);
}

void zone_counts_free(struct zone_counts *counts)
{
	free(counts->used.rows);
	free(counts->free.rows);
	memset(counts, 0, sizeof(*counts));
}

const char *zone_count_differs(const struct zone_copy *copy, const struct zone_counts *counts)
{
	const struct zone_head *head = &copy->head;
	uint64_t runs, pages;

	if (counts->torn)
		return "some page descriptors make no sense";
	if (!zone_free_list(copy, &runs, &pages))
		return "the list of free pages is broken";
	if (runs != counts->free_runs || pages != counts->pages_free)
		return "the list of free pages is not what the pages say";
	if (head->pages_free != ZONE_UNKNOWN && head->pages_free != counts->pages_free)
		return "the pool's count of free pages is another";
	for (unsigned i = 0; head->has_stats && i < head->slots; i++) {
		const struct zone_slot *slot = &counts->slots[i];
		if (head->stats[i].total != slot->chunks - slot->own ||
			head->stats[i].used != slot->used - slot->own)
			return "the pool's counts of its slots are others";
	}
	return NULL;
}

uint64_t zone_failures(const struct zone_head *head)
{
	uint64_t failures = 0;

	if (!head->has_stats)
		return ZONE_UNKNOWN;
	for (unsigned i = 0; i < head->slots; i++)
		failures += head->stats[i].failures;
	return failures;
}
