/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_pool.c - recognises a slab pool and reads its head, for all four layouts nginx has had.
 *
 * The layout is found by fingerprint, never assumed: a pool names its own address, its end, the
 * address of its lock, and the size of its smallest chunk, and all of them must fit one layout. The
 * page size follows from where the descriptors begin. A value from the zone is used only after it
 * was compared with the zone's bounds.
 */
#include "zone_pool.h"

#include <string.h>

#define HEAD_MAX 256
#define ABSENT 0xffff

/* Offsets of ngx_slab_pool_t's members on 64-bit Linux (sem_t of 32 bytes). */
struct layout {
	const char *name;
	uint16_t length, min_size, min_shift, pages, last, free, stats, pfree, start, end, mutex, log_ctx,
		data, addr;
};

static const struct layout layouts[] = {
	{"nginx 1.11.7+", 200, 16, 24, 32, 40, 48, 72, 80, 88, 96, 104, 168, 184, 192},
	{"nginx 1.11.7+, no semaphores", 144, 8, 16, 24, 32, 40, 64, 72, 80, 88, 96, 112, 128, 136},
	{"nginx 1.7.2 to 1.11.6", 184, 16, 24, 32, 40, 48, ABSENT, ABSENT, 72, 80, 88, 152, 168, 176},
	{"nginx 1.1.9 to 1.7.1", 176, 16, 24, 32, ABSENT, 40, ABSENT, ABSENT, 64, 72, 80, 144, 160, 168},
};

static uint64_t word(const uint8_t *head, unsigned offset)
{
	uint64_t value;

	memcpy(&value, head + offset, sizeof(value));
	return value;
}

/* An address in the zone as its offset; 0 when it is outside, or in the pool's head. */
static uint64_t inside(const struct zone_head *head, uint64_t address, unsigned head_length)
{
	const uint64_t offset = address - head->address;

	return address > head->address && offset >= head_length && offset < head->size ? offset : 0;
}

/* The number of slots tells the page size: nginx has one slot for each power of two below it. */
static bool find_page_size(struct zone_head *head, const struct layout *l)
{
	const unsigned row = sizeof(struct zone_page) + (l->stats == ABSENT ? 0 : sizeof(struct zone_stat));
	const uint64_t rows = head->pages_at - l->length;

	if (head->pages_at < l->length || rows % row || rows / row == 0 || rows / row > ZONE_SLOTS)
		return false;
	head->slots = rows / row;
	head->page_shift = head->slots + head->min_shift;
	return head->page_shift >= 12 && head->page_shift <= 16;
}

static bool count_pages(struct zone_head *head, const struct layout *l, const uint8_t *bytes)
{
	if (head->start_at <= head->pages_at || head->start_at >= head->size)
		return false;
	if ((head->address + head->start_at) & (zone_page_size(head) - 1))
		return false;
	const uint64_t room = (head->size - head->start_at) >> head->page_shift;
	const uint64_t described = (head->start_at - head->pages_at) / sizeof(struct zone_page);
	head->page_count = described < room ? described : room;
	if (l->last != ABSENT) {
		const uint64_t last = word(bytes, l->last) - head->address;
		if (last < head->pages_at || last > head->start_at ||
			(last - head->pages_at) % sizeof(struct zone_page))
			return false;
		const uint64_t count = (last - head->pages_at) / sizeof(struct zone_page);
		if (count > room)
			return false;
		head->page_count = count;
	}
	return head->page_count > 0;
}

static bool decode(
	struct zone_head *head, const struct layout *l, const uint8_t *bytes, uint64_t address, uint64_t size)
{
	const uint64_t shift = word(bytes, l->min_shift), end = word(bytes, l->end);

	memset(head, 0, sizeof(*head));
	if (word(bytes, l->addr) != address || word(bytes, l->mutex) != address)
		return false;
	if (shift < 3 || shift > 11 || word(bytes, l->min_size) != 1ull << shift)
		return false;
	/* A mapping is whole pages, a pool ends where the configuration says. */
	if (end <= address || end - address > size || size - (end - address) >= 1u << 16)
		return false;

	head->layout = l->name;
	head->address = address;
	head->size = end - address;
	head->min_shift = shift;
	head->pages_at = word(bytes, l->pages) - address;
	head->start_at = word(bytes, l->start) - address;
	head->free_at = l->free;
	if (!find_page_size(head, l) || !count_pages(head, l, bytes))
		return false;
	if (l->stats != ABSENT &&
		word(bytes, l->stats) - address != l->length + head->slots * sizeof(struct zone_page))
		return false;

	head->lock = word(bytes, 0);
	head->has_stats = l->stats != ABSENT;
	head->pages_free = l->pfree == ABSENT ? ZONE_UNKNOWN : word(bytes, l->pfree);
	head->log_context = inside(head, word(bytes, l->log_ctx), l->length);
	head->data = inside(head, word(bytes, l->data), l->length);
	return true;
}

int zone_head_decode(struct zone_head *head, const void *bytes, size_t length, const void *stats,
	size_t stats_length, uint64_t stats_at, uint64_t address, uint64_t size)
{
	uint8_t room[HEAD_MAX] = {0};

	memcpy(room, bytes, length < HEAD_MAX ? length : HEAD_MAX);
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		if (length < layouts[i].length || !decode(head, &layouts[i], room, address, size))
			continue;
		if (!head->has_stats)
			return 0;
		const uint64_t at = layouts[i].length + head->slots * sizeof(struct zone_page);
		if (at != stats_at || stats_length < head->slots * sizeof(struct zone_stat))
			return -1;
		memcpy(head->stats, stats, head->slots * sizeof(struct zone_stat));
		return 0;
	}
	return -1;
}

int zone_head_read(const struct zone_bytes *zone, struct zone_head *head)
{
	uint8_t bytes[HEAD_MAX], stats[ZONE_SLOTS * sizeof(struct zone_stat)];

	/* Any pool is longer than this: one page of data alone is. */
	if (!zone_bytes_read(zone, 0, bytes, sizeof(bytes)))
		return -1;
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		if (!decode(head, &layouts[i], bytes, zone->address, zone->size))
			continue;
		if (!head->has_stats)
			return 0;
		const uint64_t at = layouts[i].length + head->slots * sizeof(struct zone_page);
		if (!zone_bytes_read(zone, at, stats, head->slots * sizeof(struct zone_stat)))
			return -1;
		memcpy(head->stats, stats, head->slots * sizeof(struct zone_stat));
		return 0;
	}
	return -1;
}
