/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_judge.h - what the counts of a zone mean: its state in one word, whether an allocation would
 * fit, and what to do about it. Reasons are sentences without a full stop.
 */
#ifndef HEAPRAY_ZONE_JUDGE_H
#define HEAPRAY_ZONE_JUDGE_H

#include "zone_count.h"

#define ZONE_TEXT 512 /* room for a reason or a piece of advice */

enum zone_state {
	ZONE_FINE,       /* a page is free */
	ZONE_FULL,       /* none is */
	ZONE_FRAGMENTED, /* none is, and yet a quarter of the zone's pages is free bytes */
};
const char *zone_state_name(enum zone_state state);
enum zone_state zone_judge(
	const struct zone_head *head, const struct zone_counts *counts, char reason[ZONE_TEXT]);

/* Would an allocation of `bytes` succeed now? The reason is told either way. */
bool zone_fits(const struct zone_head *head, const struct zone_counts *counts, uint64_t bytes,
	char reason[ZONE_TEXT]);
/* What an entry of a lua_shared_dict takes beside its key and value: the tree's node and the dict's. */
#define ZONE_DICT_OVERHEAD (32 + 36)

/* At most `most` pieces of advice, the weightiest first; returns how many there are. */
#define ZONE_MOST_ADVICE (2 + ZONE_SLOTS)
size_t zone_advise(const struct zone_head *head, const struct zone_counts *counts, char advice[][ZONE_TEXT],
	size_t most);

#endif
