/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_blocks.c - sampled blocks by address, until LuaJIT frees or moves them.
 *
 * One table a VM, private, so right after a fork. Every free of Lua asks it, and few are in it: open
 * addressing at most a quarter full answers "no" with one look, mostly. Taking one out shifts the entries behind
 * it back into the hole, so there are no tombstones.
 */
#include "lua_private.h"

#define START_BITS 8

static uint32_t home(const struct lua_blocks *b, uintptr_t address)
{
	return (uint32_t)(address >> 3) * 0x9e3779b1u >> b->shift; /* as in hr_lua_blocks_may_have */
}

/* The slot of the address, or the empty one where it belongs. */
static uint32_t probe(const struct lua_blocks *b, uintptr_t address)
{
	uint32_t i = home(b, address);
	while (b->slots[i].address && b->slots[i].address != address)
		i = (i + 1) & (b->capacity - 1);
	return i;
}

static bool grow(struct lua_blocks *b)
{
	struct lua_blocks bigger = {
		.capacity = b->capacity ? 2 * b->capacity : 1u << START_BITS, .used = b->used, .shift = b->capacity ? b->shift - 1 : 32 - START_BITS,
	};
	bigger.slots = bigger.shift ? hr_memory(bigger.capacity * sizeof *bigger.slots) : NULL;
	if (bigger.slots == NULL)
		return false;
	for (uint32_t i = 0; i < b->capacity; i++)
		if (b->slots[i].address)
			bigger.slots[probe(&bigger, b->slots[i].address)] = b->slots[i];
	struct lua_blocks old = *b;
	*b = bigger;
	if (old.slots)
		hr_memory_free(old.slots, old.capacity * sizeof *old.slots);
	return true;
}

bool hr_lua_blocks_put(struct lua_blocks *b, struct lua_block block)
{
	if (4 * (b->used + 1) > b->capacity && !grow(b)) {
		hr_lost(HR_LOST_BLOCKS_FULL);
		return false;
	}
	uint32_t i = probe(b, block.address);
	b->used += b->slots[i].address == 0;
	b->slots[i] = block;
	return true;
}

void hr_lua_blocks_watch(struct lua_blocks *b, uintptr_t address)
{
	uint32_t i = b->used ? probe(b, address) : 0;
	if (b->used && b->slots[i].address == address)
		b->slots[i].code = 1;
	else
		hr_lua_blocks_put(b, (struct lua_block){.address = address, .code = 1});
}

bool hr_lua_blocks_take(struct lua_blocks *b, const void *address, struct lua_block *block)
{
	if (b->used == 0)
		return false;
	uint32_t mask = b->capacity - 1, hole = probe(b, (uintptr_t)address);
	if (b->slots[hole].address == 0)
		return false;
	*block = b->slots[hole];
	b->used--;
	for (uint32_t i = (hole + 1) & mask; b->slots[i].address; i = (i + 1) & mask) {
		/* moves if the hole lies on its way from home */
		if (((i - home(b, b->slots[i].address)) & mask) >= ((i - hole) & mask)) {
			b->slots[hole] = b->slots[i];
			hole = i;
		}
	}
	b->slots[hole] = (struct lua_block){.address = 0};
	return true;
}

void hr_lua_blocks_each(struct lua_blocks *b, void (*visit)(void *arg, struct lua_block *block), void *arg)
{
	for (uint32_t i = 0; i < b->capacity; i++)
		if (b->slots[i].address)
			visit(arg, &b->slots[i]);
}

void hr_lua_blocks_clear(struct lua_blocks *b)
{
	if (b->slots)
		hr_memory_free(b->slots, b->capacity * sizeof *b->slots);
	*b = (struct lua_blocks){0};
}
