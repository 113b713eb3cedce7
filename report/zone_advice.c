/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_advice.c - what could be done about a zone that refuses or is about to, computed from its
 * counts: what was refused, how sizes could be kept apart, and where pages are held by few chunks.
 */
#include "zone_judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Text that grows and is cut at its room. */
struct text {
	char *at;
	size_t length;
};

static void __attribute__((format(printf, 2, 3))) add(struct text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	const int n = vsnprintf(text->at + text->length, ZONE_TEXT - text->length, format, arguments);
	va_end(arguments);
	if (n > 0)
		text->length = text->length + n < ZONE_TEXT ? text->length + n : ZONE_TEXT - 1;
}

/* What was asked for when nginx refused. It counts requests up to half a page only. */
static bool refused(const struct zone_head *head, char *advice)
{
	struct text text = {advice, 0};

	for (unsigned i = 0; head->has_stats && i < head->slots; i++) {
		const uint64_t failures = head->stats[i].failures, size = 1ull << (head->min_shift + i);
		if (failures == 0)
			continue;
		add(&text, "%s%" PRIu64 " of %" PRIu64 " to %" PRIu64 " bytes",
			text.length ? ", " : "requests refused so far: ", failures, i == 0 ? 1 : size / 2 + 1,
			size);
	}
	if (text.length)
		add(&text, " (nginx counts those up to half a page)");
	return text.length > 0;
}

/* Chunks that hold entries: neither a page's own bitmap nor what the pool keeps for ever. */
static uint64_t entries(const struct zone_slot *slot)
{
	const uint64_t fixed = slot->own + slot->pool;

	return slot->used > fixed ? slot->used - fixed : 0;
}

/* Neighbouring slots, two at most, make a group: its sizes differ by a factor of four at most. */
static bool split(const struct zone_head *head, const struct zone_counts *counts, char *advice)
{
	struct text text = {advice, 0};
	unsigned groups = 0;

	for (unsigned i = 0; i < head->slots; i++) {
		const struct zone_slot *a = &counts->slots[i], *b = a;
		if (entries(a) == 0)
			continue;
		if (i + 1 < head->slots && entries(a + 1) > 0)
			b = a + 1;
		const uint64_t pages = a->pages + (b != a ? b->pages : 0),
			       slabs = entries(a) + (b != a ? entries(b) : 0);
		add(&text,
			groups++ ? "; "
				 : "used sizes, as zones of their own that cannot take each other's pages: ");
		add(&text,
			"%" PRIu64 " to %" PRIu64 " bytes: %" PRIu64 " slab%s in %" PRIu64 " page%s (%" PRIu64
			"K)",
			i == 0 ? 1 : a->size / 2 + 1, b->size, slabs, slabs == 1 ? "" : "s", pages,
			pages == 1 ? "" : "s", (pages << head->page_shift) / 1024);
		i += b - a;
	}
	if (counts->run_pages) {
		groups++;
		add(&text, "; over %" PRIu64 " bytes: %" PRIu64 " pages (%" PRIu64 "K)",
			zone_page_size(head) / 2, counts->run_pages,
			(counts->run_pages << head->page_shift) / 1024);
	}
	return groups > 1;
}

static bool pack(const struct zone_slot *slot, char *advice)
{
	struct text text = {advice, 0};

	/* One page too many is how slots always are. */
	if (slot->spare_pages < (slot->sparse_pages ? 1 : 2))
		return false;
	add(&text, "slot %" PRIu64 " holds %" PRIu64 " pages where %" PRIu64 " would do", slot->size,
		slot->pages, slot->pages - slot->spare_pages);
	if (slot->sparse_pages)
		add(&text, ", %" PRIu64 " of them at most a quarter used", slot->sparse_pages);
	add(&text, ": a page is freed when all its chunks are, so store together what expires together");
	return true;
}

size_t zone_advise(
	const struct zone_head *head, const struct zone_counts *counts, char advice[][ZONE_TEXT], size_t most)
{
	size_t n = 0;
	const uint64_t failures = zone_failures(head);
	const bool tight = counts->pages_free * 10 < counts->pages;

	if (n < most && refused(head, advice[n]))
		n++;
	if (!tight && (failures == 0 || failures == ZONE_UNKNOWN))
		return n;
	if (n < most && split(head, counts, advice[n]))
		n++;
	for (unsigned i = 0; i < head->slots && n < most; i++)
		n += pack(&counts->slots[i], advice[n]);
	return n;
}
