/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_arena.c - hostile chunks and segments through the walk of LuaJIT's arenas (shim/lua_arena.c).
 *
 * An input is {the most chunks: 2 bytes, where the state lies: 2 bytes} and then the arena's pages. The walk may trust where
 * LuaJIT's own list of segments leads, as LuaJIT does: so bases, sizes and links are put into the arena, all else is as it
 * comes. Around the arena nothing can be read.
 */
#include "lua_private.h"

#include <string.h>
#include <sys/mman.h>

#define PAGES 4u
#define ARENA (PAGES * 4096u)
#define SEGMENTS 840u /* in the state; each {base, size, next} */
#define MOST_SEGMENTS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

struct list {
	uintptr_t base;
	size_t size;
	uintptr_t next;
};

/* Puts a segment's numbers right; returns where the next one is, 0 at the end. Sizes stay wrong now and then, below a page. */
static uintptr_t settle(uint8_t *arena, uintptr_t at)
{
	struct list s;

	memcpy(&s, (void *)at, sizeof(s));
	if (s.base) {
		const uintptr_t page = s.base % PAGES;
		s.base = (uintptr_t)arena + page * 4096;
		s.size = s.size % 7 == 0 ? s.size % 4096 : (1 + s.size % (PAGES - page)) * 4096;
	}
	if (s.next)
		s.next = (uintptr_t)arena + s.next % (ARENA - sizeof(s)) / 8 * 8;
	memcpy((void *)at, &s, sizeof(s));
	return s.base ? s.next : 0;
}

/* Segments that lie over each other, or a longer list, were put wrong again. */
static bool leads_nowhere_else(const uint8_t *arena, uintptr_t at)
{
	const uintptr_t start = (uintptr_t)arena;
	struct list s;

	for (int i = 0; i < MOST_SEGMENTS; i++) {
		memcpy(&s, (void *)at, sizeof(s));
		if (!s.base || (s.base - start < ARENA && s.size <= ARENA - (s.base - start) && !s.next))
			return true;
		if (s.base - start >= ARENA || s.size > ARENA - (s.base - start) || s.next - start > ARENA - sizeof(s))
			return false;
		at = s.next;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static uint8_t *pages;
	struct lua_arena sum;
	uint16_t most, where;

	if (!pages) {
		pages = mmap(NULL, 3 * ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(pages + ARENA, ARENA, PROT_READ | PROT_WRITE);
	}
	if (length < 4)
		return 0;
	memcpy(&most, data, 2);
	memcpy(&where, data + 2, 2);
	data += 4, length -= 4;
	uint8_t *arena = pages + ARENA, *state = arena + where % (ARENA - SEGMENTS - sizeof(struct list)) / 8 * 8;
	memset(arena, 0, ARENA);
	memcpy(arena, data, length < ARENA ? length : ARENA);
	uintptr_t at = (uintptr_t)state + SEGMENTS;
	for (int i = 0; at && i < MOST_SEGMENTS; i++)
		at = settle(arena, at);
	if (!leads_nowhere_else(arena, (uintptr_t)state + SEGMENTS))
		return 0;
	if (hr_lua_arena_look(state, most, &sum) && (sum.mapped_bytes == 0 || sum.mapped_bytes % 4096))
		__builtin_trap();
	return 0;
}
