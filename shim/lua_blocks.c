/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_blocks.c - sampled blocks by address, until LuaJIT frees or moves them.
 *
 * One table a VM, private, so right after a fork. Every free of Lua asks it, and few are in it: open addressing at
 * most a quarter full answers "no" with one look, mostly, at addresses alone, which stay in the processor's cache. Taking
 * one out shifts the entries behind it back into the hole, so there are no tombstones.
 */
#include "lua_private.h"

#define START_BITS 8

static uint64_t memory_of(uint32_t capacity)
{
	return capacity * (sizeof(uintptr_t) + sizeof(struct lua_block));
}

static bool grow(struct lua_blocks *b)
{
	struct lua_blocks bigger = {
		.capacity = b->capacity ? 2 * b->capacity : 1u << START_BITS, .used = b->used, .shift = b->capacity ? b->shift - 1 : 32 - START_BITS,
	};
	bigger.addresses = bigger.shift ? hr_memory(memory_of(bigger.capacity)) : NULL;
	if (bigger.addresses == NULL)
		return false;
	bigger.blocks = (struct lua_block *)(bigger.addresses + bigger.capacity);
	for (uint32_t i = 0; i < b->capacity; i++) {
		if (b->addresses[i] == 0)
			continue;
		uint32_t to = hr_lua_blocks_find(&bigger, b->addresses[i]);
		bigger.addresses[to] = b->addresses[i];
		bigger.blocks[to] = b->blocks[i];
	}
	uint32_t used = b->used;
	hr_lua_blocks_clear(b);
	*b = bigger;
	b->used = used;
	return true;
}

bool hr_lua_blocks_put(struct lua_blocks *b, const void *address, struct lua_block block)
{
	if (4 * (b->used + 1) > b->capacity && !grow(b)) {
		hr_lost(HR_LOST_BLOCKS_FULL);
		return false;
	}
	uint32_t i = hr_lua_blocks_find(b, (uintptr_t)address);
	b->used += b->addresses[i] == 0;
	b->addresses[i] = (uintptr_t)address;
	b->blocks[i] = block;
	return true;
}

void hr_lua_blocks_watch(struct lua_blocks *b, uintptr_t address)
{
	if (hr_lua_blocks_have(b, (const void *)address))
		b->blocks[hr_lua_blocks_find(b, address)].code = 1;
	else
		hr_lua_blocks_put(b, (const void *)address, (struct lua_block){.code = 1});
}

bool hr_lua_blocks_take(struct lua_blocks *b, const void *address, struct lua_block *block)
{
	if (!hr_lua_blocks_have(b, address))
		return false;
	uint32_t mask = b->capacity - 1, hole = hr_lua_blocks_find(b, (uintptr_t)address);
	*block = b->blocks[hole];
	b->used--;
	b->addresses[hole] = 0;
	for (uint32_t i = (hole + 1) & mask; b->addresses[i]; i = (i + 1) & mask) {
		uint32_t to = hr_lua_blocks_find(b, b->addresses[i]);
		if (to == i)
			continue;
		b->addresses[to] = b->addresses[i]; /* the hole was on the way to it */
		b->blocks[to] = b->blocks[i];
		b->addresses[i] = 0;
	}
	return true;
}

void hr_lua_blocks_each(struct lua_blocks *b, void (*visit)(void *arg, struct lua_block *block), void *arg)
{
	for (uint32_t i = 0; i < b->capacity; i++)
		if (b->addresses[i])
			visit(arg, &b->blocks[i]);
}

void hr_lua_blocks_clear(struct lua_blocks *b)
{
	if (b->capacity)
		hr_memory_free(b->addresses, memory_of(b->capacity));
	*b = (struct lua_blocks){0};
}
