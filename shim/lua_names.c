/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_names.c - names of Lua chunks and functions, each once in the segment's strings.
 *
 * A prototype may be freed while its name is still needed, so names are copied when a line is first seen. A
 * program that compiles strings all the time has ever new chunk names: there is room for a bounded number of
 * them, then a name is "not known" (and counted), so that Lua cannot fill the table for all others.
 *
 * Names are told apart by a 64-bit hash alone.
 */
#include <string.h>

#include "lua_private.h"

#define NAMES_MAX 16384u
#define LENGTH_MAX 255u

static struct name {
	uint64_t hash;
	uint32_t offset;
} *names; /* open addressing, at most half full */
static uint32_t used;
static lock_word lock;

static uint64_t hash_of(const char *text, size_t length)
{
	uint64_t h = 0xcbf29ce484222325ull ^ length;
	for (size_t i = 0; i < length; i++)
		h = (h ^ (unsigned char)text[i]) * 0x100000001b3ull;
	h ^= h >> 32;
	return h ? h : 1;
}

uint32_t hr_lua_name(struct thread *t, const char *text)
{
	size_t length = text ? strnlen(text, LENGTH_MAX) : 0;
	if (length == 0 || names == NULL)
		return 0;
	uint64_t h = hash_of(text, length);
	uint32_t offset = 0, mask = 2 * NAMES_MAX - 1, i = (uint32_t)h & mask;
	hr_lock(t, &lock);
	while (names[i].hash && names[i].hash != h)
		i = (i + 1) & mask;
	bool known = names[i].hash == h, room = used < NAMES_MAX;
	if (known)
		offset = names[i].offset;
	hr_unlock(t, &lock);
	if (known)
		return offset;
	if (!room) {
		hr_lost(HR_LOST_STRINGS_FULL);
		return 0;
	}
	offset = hr_segment_string(t, text, length).offset;
	hr_lock(t, &lock); /* another thread may have put it in meanwhile: then it has two copies */
	for (i = (uint32_t)h & mask; names[i].hash && names[i].hash != h; i = (i + 1) & mask)
		;
	if (names[i].hash == 0 && offset && used < NAMES_MAX) {
		names[i] = (struct name){h, offset};
		used++;
	}
	hr_unlock(t, &lock);
	return offset;
}

void hr_lua_names_start(void)
{
	names = hr_memory_reserve(2 * NAMES_MAX * sizeof *names);
	hr_memory_touched(4 * SYS_PAGE);
}

void hr_lua_names_forked(void)
{
	atomic_store(&lock, 0);
}
