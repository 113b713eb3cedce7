/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_judge.c - state and fit, from the rules nginx allocates by: a request up to half a page takes
 * a free chunk of the smallest slot it fits, else a free page to cut into such chunks; a larger one
 * takes a run of free pages. A chunk of another slot never helps, however many bytes are free.
 */
#include "zone_judge.h"

#include <inttypes.h>
#include <stdio.h>

const char *zone_state_name(enum zone_state state)
{
	static const char *const names[] = {"fine", "full", "fragmented"};

	return names[state];
}

static uint64_t free_chunks(const struct zone_slot *slot)
{
	return slot->chunks - slot->used;
}

/* "128, 32 and 512 bytes": the sizes of the free chunks, those with most bytes first. */
static void free_sizes(
	const struct zone_head *head, const struct zone_counts *counts, char *text, size_t size)
{
	bool told[ZONE_SLOTS] = {false};
	size_t length = 0;

	text[0] = '\0';
	for (unsigned n = 0; n < 4; n++) {
		int best = -1;
		bool more = false;
		for (unsigned i = 0; i < head->slots; i++) {
			const struct zone_slot *slot = &counts->slots[i];
			if (told[i] || free_chunks(slot) == 0)
				continue;
			more = best >= 0;
			if (best < 0 || free_chunks(slot) * slot->size >
						free_chunks(&counts->slots[best]) * counts->slots[best].size)
				best = i;
		}
		if (best < 0)
			break;
		told[best] = true;
		if (n == 3) {
			length += snprintf(text + length, size - length, " and other");
			break;
		}
		length += snprintf(text + length, size - length, "%s%" PRIu64,
			n == 0 ? ""
			: more ? ", "
			       : " and ",
			counts->slots[best].size);
	}
	snprintf(text + length, size - length, " bytes");
}

enum zone_state zone_judge(
	const struct zone_head *head, const struct zone_counts *counts, char reason[ZONE_TEXT])
{
	const uint64_t inside = counts->bytes_free_chunks, all = counts->pages << head->page_shift;
	const unsigned percent = all ? inside * 100 / all : 0;
	char sizes[100];

	if (counts->pages_free > 0) {
		snprintf(reason, ZONE_TEXT,
			"%" PRIu64 " of %" PRIu64 " pages are free, the longest run is %" PRIu64,
			counts->pages_free, counts->pages, counts->largest_free_run);
		return ZONE_FINE;
	}
	if (inside == 0) {
		snprintf(reason, ZONE_TEXT, "no page and no chunk is free");
		return ZONE_FULL;
	}
	free_sizes(head, counts, sizes, sizeof(sizes));
	const bool fragmented = percent >= 25;
	snprintf(reason, ZONE_TEXT,
		"no page is free%s %" PRIu64 " bytes (%u%%) are, in chunks of %s inside pages in use",
		fragmented ? ", yet" : "; only", inside, percent, sizes);
	return fragmented ? ZONE_FRAGMENTED : ZONE_FULL;
}

static bool fits_pages(
	const struct zone_head *head, const struct zone_counts *counts, uint64_t bytes, char *reason)
{
	const uint64_t pages = (bytes >> head->page_shift) + ((bytes & (zone_page_size(head) - 1)) != 0);
	const bool fits = pages <= counts->largest_free_run;

	if (pages == 1)
		snprintf(reason, ZONE_TEXT,
			fits ? "it takes a page, and %" PRIu64 " are free"
			     : "it takes a page, and none is free",
			counts->pages_free);
	else
		snprintf(reason, ZONE_TEXT,
			"it takes %" PRIu64 " pages in a row; the longest free run is %" PRIu64 " of %" PRIu64
			" free pages",
			pages, counts->largest_free_run, counts->pages_free);
	if (!fits && counts->bytes_free_chunks) {
		const size_t length = __builtin_strlen(reason);
		snprintf(reason + length, ZONE_TEXT - length,
			"; %" PRIu64
			" more bytes are free in chunks inside pages in use, for smaller requests only",
			counts->bytes_free_chunks);
	}
	return fits;
}

bool zone_fits(const struct zone_head *head, const struct zone_counts *counts, uint64_t bytes,
	char reason[ZONE_TEXT])
{
	char sizes[100];
	unsigned slot = 0;

	if (bytes > zone_page_size(head) / 2)
		return fits_pages(head, counts, bytes, reason);
	while (bytes > 1ull << (head->min_shift + slot))
		slot++;
	const uint64_t chunk = 1ull << (head->min_shift + slot), chunks = free_chunks(&counts->slots[slot]);
	if (chunks > 0) {
		snprintf(reason, ZONE_TEXT, "free chunks in slot %" PRIu64 ": %" PRIu64, chunk, chunks);
		return true;
	}
	if (counts->pages_free > 0) {
		snprintf(reason, ZONE_TEXT,
			"no free chunk in slot %" PRIu64 ", so it takes one of the %" PRIu64 " free pages",
			chunk, counts->pages_free);
		return true;
	}
	if (counts->bytes_free_chunks == 0) {
		snprintf(reason, ZONE_TEXT,
			"no free chunk in slot %" PRIu64 " and no free page: nothing is free", chunk);
		return false;
	}
	free_sizes(head, counts, sizes, sizeof(sizes));
	snprintf(reason, ZONE_TEXT,
		"no free chunk in slot %" PRIu64 " and no free page; the %" PRIu64
		" free bytes are chunks of %s in pages of other slots, which this size cannot use",
		chunk, counts->bytes_free_chunks, sizes);
	return false;
}
