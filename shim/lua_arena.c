/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_arena.c - what LuaJIT's allocator holds free in its segments.
 *
 * lj_alloc is a dlmalloc: its state lies at the beginning of the first segment and lists them all; a segment
 * is chunks one after the other, each with its size and two bits in the second word:
 *
 *   state: 16 size of top | 32 top | 840 segments {base, size, next}        x86-64 and arm64, all of 2.1
 *   chunk: 0 - | 8 size, bit 0 the one before is in use, bit 1 this one is | ...
 *
 * The last segment's rest, `top`, is free; other segments end in a fencepost. Free chunks stay in memory that
 * LuaJIT keeps: that is how a leak in Lua is told from segments that LuaJIT does not give back.
 */
#include "lua_private.h"

#define STATE_TOP_SIZE 16
#define STATE_TOP 32
#define STATE_SEGMENTS 840
#define FENCEPOST 11u
#define IN_USE 2u
#define SEGMENTS_MAX 65536u

struct segment {
	uintptr_t base;
	size_t size;
	const struct segment *next;
};

/* Adds one segment's chunks. false: they do not fit together, or are too many. */
static bool add_segment(const struct segment *s, uintptr_t top, struct lua_arena *sum, uint64_t *chunks_left)
{
	uintptr_t at = s->base, end = s->base + s->size;
	while (at + 16 <= end && at != top) {
		uint64_t head = *(const uint64_t *)(at + 8), size = head & ~7ull;
		if (head == FENCEPOST) {
			sum->blocks--; /* the last one is lj_alloc's record of this segment */
			return true;
		}
		if (size < 16 || size > end - at || (*chunks_left)-- == 0)
			return false;
		if (head & IN_USE)
			sum->blocks++;
		else
			sum->free_bytes += size;
		at += size;
	}
	return at <= end;
}

bool hr_lua_arena_look(const void *state, uint64_t chunks_max, struct lua_arena *sum)
{
	uintptr_t m = (uintptr_t)state, top = *(const uintptr_t *)(m + STATE_TOP);
	uint64_t top_size = *(const uint64_t *)(m + STATE_TOP_SIZE);
	bool own = false, top_seen = false;
	uint32_t count = 0;
	*sum = (struct lua_arena){.free_bytes = top_size};
	for (const struct segment *s = (const void *)(m + STATE_SEGMENTS); s && s->base; s = s->next) {
		if (s->base % SYS_PAGE || s->size % SYS_PAGE || s->size == 0 || count++ == SEGMENTS_MAX)
			return false;
		own |= m - s->base < s->size;
		top_seen |= top - s->base < s->size && top_size <= s->size;
		sum->mapped_bytes += s->size;
		if (!add_segment(s, top, sum, &chunks_max))
			return false;
	}
	if (own && sum->blocks)
		sum->blocks--; /* the state's own chunk */
	return own && top_seen;
}
