/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_model.h - a slab pool made for tests, in any layout and page size, with what it holds known.
 *
 * It writes pool heads, descriptors and bitmaps as nginx documents them, allocates and frees by the
 * same rules, and keeps its own plain books, which the walker's must equal. The lists of slots are
 * not kept: no reader needs them.
 */
#ifndef ZONE_MODEL_H
#define ZONE_MODEL_H

#include "zone_pool.h"

#include <stdlib.h>
#include <string.h>

#define MODEL_ADDRESS 0x7f1200000000ull
#define MODEL_LAYOUTS 4

/* Offsets of {length, min_size, min_shift, pages, last, free, stats, pfree, start, end, mutex, log_ctx, data,
 * addr}; 0 = absent. */
static const unsigned model_layout[MODEL_LAYOUTS][14] = {
	{200, 16, 24, 32, 40, 48, 72, 80, 88, 96, 104, 168, 184, 192},
	{144, 8, 16, 24, 32, 40, 64, 72, 80, 88, 96, 112, 128, 136},
	{184, 16, 24, 32, 40, 48, 0, 0, 72, 80, 88, 152, 168, 176},
	{176, 16, 24, 32, 0, 40, 0, 0, 64, 72, 80, 144, 160, 168},
};
enum {
	L_LENGTH,
	L_MIN_SIZE,
	L_MIN_SHIFT,
	L_PAGES,
	L_LAST,
	L_FREE,
	L_STATS,
	L_PFREE,
	L_START,
	L_END,
	L_MUTEX,
	L_LOG,
	L_DATA,
	L_ADDR
};

struct model {
	uint8_t *bytes;
	uint64_t size, pages_at, start_at, count;
	unsigned page_shift, slots;
	const unsigned *layout;
	struct zone_page *pages;
	uint8_t *state; /* of each page: 0 free, 1 chunks, 2 first of a run, 3 inside one */
	uint64_t used[ZONE_SLOTS], chunk_pages[ZONE_SLOTS], own[ZONE_SLOTS], free_pages, runs;
};

static inline void model_put(struct model *m, unsigned member, uint64_t value)
{
	if (m->layout[member] || member == L_LENGTH)
		memcpy(m->bytes + m->layout[member], &value, 8);
}

static inline struct zone_stat *model_stat(struct model *m, unsigned slot)
{
	return (struct zone_stat *)(m->bytes + m->layout[L_LENGTH] + m->slots * sizeof(struct zone_page)) +
	       slot;
}

static inline uint64_t model_page_address(const struct model *m, uint64_t page)
{
	return MODEL_ADDRESS + m->pages_at + page * sizeof(struct zone_page);
}

/* Writes the runs of free pages, and the list of them, from the states. */
static inline void model_free_runs(struct model *m)
{
	const uint64_t head = MODEL_ADDRESS + m->layout[L_FREE];
	uint64_t last = head, *link = (uint64_t *)(m->bytes + m->layout[L_FREE] + 8);

	m->free_pages = m->runs = 0;
	for (uint64_t i = 0, n; i < m->count; i += n ? n : 1) {
		for (n = 0; i + n < m->count && m->state[i + n] == 0; n++)
			m->pages[i + n] = (struct zone_page){0};
		if (n == 0)
			continue;
		m->pages[i + n - 1].prev = model_page_address(m, i);
		m->pages[i].slab = n;
		m->pages[i].prev = last;
		*link = last = model_page_address(m, i);
		link = &m->pages[i].next;
		m->free_pages += n;
		m->runs++;
	}
	*link = head;
	model_put(m, L_PFREE, m->free_pages);
}

static inline void model_init(struct model *m, unsigned layout, unsigned page_shift, uint64_t size)
{
	const uint64_t page = 1ull << page_shift;

	memset(m, 0, sizeof(*m));
	m->bytes = calloc(1, size);
	m->size = size;
	m->page_shift = page_shift;
	m->slots = page_shift - 3;
	m->layout = model_layout[layout];
	m->pages_at =
		m->layout[L_LENGTH] +
		m->slots * (sizeof(struct zone_page) + (m->layout[L_STATS] ? sizeof(struct zone_stat) : 0));
	m->count = (size - m->pages_at) / (page + sizeof(struct zone_page));
	m->start_at = (m->pages_at + m->count * sizeof(struct zone_page) + page - 1) & ~(page - 1);
	if (m->count > (size - m->start_at) / page)
		m->count = (size - m->start_at) / page;
	m->pages = (struct zone_page *)(m->bytes + m->pages_at);
	m->state = calloc(1, m->count);
	model_put(m, L_MIN_SIZE, 8);
	model_put(m, L_MIN_SHIFT, 3);
	model_put(m, L_PAGES, MODEL_ADDRESS + m->pages_at);
	model_put(m, L_LAST, MODEL_ADDRESS + m->pages_at + m->count * sizeof(struct zone_page));
	model_put(m, L_STATS, MODEL_ADDRESS + m->layout[L_LENGTH] + m->slots * sizeof(struct zone_page));
	model_put(m, L_START, MODEL_ADDRESS + m->start_at);
	model_put(m, L_END, MODEL_ADDRESS + size);
	model_put(m, L_MUTEX, MODEL_ADDRESS);
	model_put(m, L_ADDR, MODEL_ADDRESS);
	model_free_runs(m);
}

static inline void model_done(struct model *m)
{
	free(m->bytes);
	free(m->state);
}

/* The bitmap of a page of chunks: in its first bytes, or in its descriptor. */
static inline uint8_t *model_bitmap(struct model *m, uint64_t page)
{
	switch (m->pages[page].prev & 3) {
	case 3:
		return m->bytes + m->start_at + (page << m->page_shift);
	case 1:
		return (uint8_t *)&m->pages[page].slab + 4;
	default:
		return (uint8_t *)&m->pages[page].slab;
	}
}

static inline unsigned model_shift(const struct model *m, uint64_t page)
{
	return (m->pages[page].prev & 3) == 2 ? m->page_shift - 6 : m->pages[page].slab & 15;
}

static inline int64_t model_take_pages(struct model *m, uint64_t count)
{
	for (uint64_t i = 0, n; i < m->count; i += n + 1) {
		for (n = 0; n < count && i + n < m->count && m->state[i + n] == 0;)
			n++;
		if (n < count)
			continue;
		for (n = 0; n < count; n++) {
			m->pages[i + n] = (struct zone_page){.slab = n ? UINT64_MAX : 1ull << 63 | count};
			m->state[i + n] = n ? 3 : 2;
		}
		model_free_runs(m);
		return i;
	}
	return -1;
}

static inline int64_t model_new_chunk_page(struct model *m, unsigned shift)
{
	const unsigned exact = m->page_shift - 6, chunks = 1u << (m->page_shift - shift), slot = shift - 3;
	const int64_t page = model_take_pages(m, 1);
	unsigned own = 0;

	if (page < 0)
		return -1;
	m->state[page] = 1;
	m->pages[page].slab = shift == exact ? 0 : shift;
	m->pages[page].prev =
		(MODEL_ADDRESS + m->layout[L_LENGTH] + slot * 24) | (shift < exact           ? 3
									    : shift == exact ? 2
											     : 1);
	if (shift < exact) {
		memset(model_bitmap(m, page), 0, chunks / 8);
		own = chunks / 8 >> shift ? chunks / 8 >> shift : 1;
		for (unsigned i = 0; i < own; i++)
			model_bitmap(m, page)[i / 8] |= 1u << i % 8;
	}
	m->chunk_pages[slot]++;
	m->own[slot] += own;
	if (m->layout[L_STATS])
		model_stat(m, slot)->total += chunks - own;
	return page;
}

static inline bool model_set_chunk(struct model *m, uint64_t page, unsigned shift, uint64_t *offset)
{
	const unsigned chunks = 1u << (m->page_shift - shift);

	for (unsigned i = 0; i < chunks; i++) {
		if (model_bitmap(m, page)[i / 8] >> i % 8 & 1)
			continue;
		model_bitmap(m, page)[i / 8] |= 1u << i % 8;
		*offset = m->start_at + (page << m->page_shift) + ((uint64_t)i << shift);
		return true;
	}
	return false;
}

/* Allocates as nginx does; the offset in the zone, 0 when refused. */
static inline uint64_t model_alloc(struct model *m, uint64_t size)
{
	unsigned shift = 3;
	uint64_t offset = 0;

	if (size > 1ull << (m->page_shift - 1)) {
		const int64_t page =
			model_take_pages(m, (size + (1ull << m->page_shift) - 1) >> m->page_shift);
		return page < 0 ? 0 : m->start_at + ((uint64_t)page << m->page_shift);
	}
	while (1ull << shift < size)
		shift++;
	if (m->layout[L_STATS])
		model_stat(m, shift - 3)->requests++;
	bool done = false;
	for (uint64_t i = 0; i < m->count && !done; i++)
		done = m->state[i] == 1 && model_shift(m, i) == shift &&
		       model_set_chunk(m, i, shift, &offset);
	const int64_t page = done ? -1 : model_new_chunk_page(m, shift);
	if (!done && page >= 0)
		done = model_set_chunk(m, page, shift, &offset);
	m->used[shift - 3] += done;
	if (m->layout[L_STATS]) {
		model_stat(m, shift - 3)->used += done;
		model_stat(m, shift - 3)->failures += !done;
	}
	return offset;
}

static inline void model_free_chunk(struct model *m, uint64_t page, uint64_t offset)
{
	const unsigned shift = model_shift(m, page), slot = shift - 3, chunks = 1u << (m->page_shift - shift);
	const unsigned own =
		(m->pages[page].prev & 3) == 3 ? (chunks / 8 >> shift ? chunks / 8 >> shift : 1) : 0;
	const unsigned i = ((offset - m->start_at) & ((1ull << m->page_shift) - 1)) >> shift;
	unsigned left = 0;

	model_bitmap(m, page)[i / 8] &= ~(1u << i % 8);
	m->used[slot]--;
	if (m->layout[L_STATS])
		model_stat(m, slot)->used--;
	for (unsigned j = 0; j < chunks; j++)
		left += model_bitmap(m, page)[j / 8] >> j % 8 & 1;
	if (left > own)
		return;
	m->chunk_pages[slot]--;
	m->own[slot] -= own;
	if (m->layout[L_STATS])
		model_stat(m, slot)->total -= chunks - own;
	m->state[page] = 0;
	model_free_runs(m);
}

static inline void model_free(struct model *m, uint64_t offset)
{
	uint64_t page = (offset - m->start_at) >> m->page_shift;

	if (m->state[page] == 1) {
		model_free_chunk(m, page, offset);
		return;
	}
	const uint64_t count = m->pages[page].slab & ~(1ull << 63);
	memset(m->state + page, 0, count);
	model_free_runs(m);
}

/* Gives the pool a name, as a module does. */
static inline void model_name(struct model *m, const char *log_context)
{
	const uint64_t offset = model_alloc(m, strlen(log_context) + 1);

	memcpy(m->bytes + offset, log_context, strlen(log_context) + 1);
	model_put(m, L_LOG, MODEL_ADDRESS + offset);
}

static inline void model_bytes(const struct model *m, struct zone_bytes *bytes)
{
	zone_bytes_buffer(bytes, m->bytes, m->size, MODEL_ADDRESS, m->size);
}

#endif
