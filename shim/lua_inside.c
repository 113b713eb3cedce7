/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_inside.c - LuaJIT that is linked into the program, as in Debian's luajit: no call to its functions can
 * be hooked. Its allocator's mmaps can.
 *
 * The program exports LuaJIT's functions, and asks for a mapping; a little later, it holds the state of LuaJIT's
 * allocator, and behind it the first block that was made of it, a VM:
 *
 *   mapping  | head | allocator's state | head | lua_State, global state ... | ...
 *
 * At the next malloc, when LuaJIT's allocator is not at work, the VM is taken over like any other, and its
 * mappings, booked as the program's own until then, become its backing.
 *
 * Its end is not seen either, but the last that lua_close does is to give the lua_State back, to us. With another
 * allocator than its own in place LuaJIT leaves its segments mapped: we unmap them, as it would have done.
 */
#include <dlfcn.h>
#include <link.h>

#include "lua_layout.h"
#include "lua_private.h"

#define CHUNK_HEAD 16u
#define SEGMENT_UNIT (128u << 10)
#define TRIES_MAX 1000u
#define LOOK_CHUNKS 100000u

bool hr_lua_inside;
static struct object program;
static struct lua_api api;
/* A mapping that may hold a VM; of one thread, which alone looks at it. */
static struct {
	uintptr_t start;
	struct thread *thread;
	uint32_t tries;
} candidate;

static bool in_program(uintptr_t address)
{
	return address >= program.start && address < program.end;
}

static void *exported(const char *name)
{
	void *p = dlsym(RTLD_DEFAULT, name);
	return p && in_program((uintptr_t)p) ? p : NULL;
}

void hr_lua_inside_start(void)
{
	void *mark = dlsym(RTLD_DEFAULT, "luaJIT_setmode");
	if (mark == NULL || !hr_object_at((uintptr_t)mark, &program) || ((const struct link_map *)program.link_map)->l_name[0] != '\0')
		return; /* a library's: that can be hooked */
	*(void **)&api.getallocf = exported("lua_getallocf");
	*(void **)&api.setallocf = exported("lua_setallocf");
	*(void **)&api.gc = exported("lua_gc");
	*(void **)&api.getinfo = exported("lua_getinfo");
	hr_lua_inside = api.getallocf && api.setallocf && api.gc && api.getinfo;
}

bool hr_lua_inside_asks(const struct thread *t, uintptr_t caller)
{
	return hr_lua_inside && t->vm && t->vm->inside && in_program(caller);
}

void hr_lua_inside_mapped(struct thread *t, uintptr_t caller, uintptr_t start, size_t length)
{
	if (!hr_lua_inside || !in_program(caller) || length % SEGMENT_UNIT != 0 || candidate.start)
		return;
	candidate.thread = t;
	candidate.tries = 0;
	candidate.start = start;
	hr_lua_stacks = true; /* from here on mallocs come by */
}

void hr_lua_inside_code(struct thread *t, uintptr_t caller, uintptr_t start)
{
	if (hr_lua_inside && t->last_vm && t->last_vm->inside && in_program(caller))
		hr_maps_become(t, start, t->last_vm);
}

/* The VM that was made first in this mapping; NULL: there is none, or not yet. */
static lua_State *vm_in(const struct map_request *map)
{
	struct lua_arena arena;
	uintptr_t state = map->start + CHUNK_HEAD, end = map->start + map->length;
	uint64_t size = at(map->start, 8, uint64_t) & ~7ull;
	if (size < CHUNK_HEAD || size > map->length / 2)
		return NULL;
	uintptr_t L = map->start + size + CHUNK_HEAD;
	if (L + STATE_CFRAME > end || !sys_readable(L) || !sys_readable(L + STATE_CFRAME - 8) || at(L, OBJECT_TYPE, uint8_t) != TYPE_THREAD)
		return NULL;
	uintptr_t g = at(L, STATE_GLOBAL, uintptr_t);
	if (g < L || g + 16 > end || g & 7 || !sys_readable(g) || !sys_readable(g + 8) || !in_program(at(g, 0, uintptr_t)) ||
		at(g, 8, uintptr_t) != state)
		return NULL;
	void *ud = NULL;
	lua_Alloc f = api.getallocf((lua_State *)L, &ud);
	if ((uintptr_t)ud != state || !in_program((uintptr_t)*(void **)&f))
		return NULL;
	/* Only now: until it is known to be LuaJIT's, its list of segments may lead anywhere. */
	return hr_lua_arena_look((void *)state, LOOK_CHUNKS, &arena) ? (lua_State *)L : NULL;
}

struct segment {
	uintptr_t base;
	size_t size;
	struct segment *next;
};
#define STATE_SEGMENTS 840 /* lua_arena.c */

static void take_over(struct thread *t, lua_State *L, uintptr_t state)
{
	struct vm *outer = t->vm, *vm = hr_lua_begin(t, &api, *(void **)&api.getallocf, true);
	if (vm == NULL)
		return;
	vm->inside = true;
	for (const struct segment *s = (void *)(state + STATE_SEGMENTS); s && s->base; s = s->next)
		hr_maps_become(t, s->base, vm);
	hr_lua_adopt(t, vm, L, *(void **)&api.getallocf);
	t->vm = outer;
}

void hr_lua_inside_look(struct thread *t)
{
	struct map_request map;
	if (candidate.start == 0 || candidate.thread != t || t->vm)
		return;
	lua_State *L = NULL;
	bool there = hr_maps_at(t, candidate.start, &map) && map.kind == HR_MAPPING_DIRECT && sys_readable(map.start);
	if (there)
		L = vm_in(&map);
	if (L == NULL && there && ++candidate.tries < TRIES_MAX)
		return;
	candidate.start = 0;
	if (L)
		take_over(t, L, map.start + CHUNK_HEAD);
}

void hr_lua_inside_closed(struct thread *t, struct vm *vm)
{
	const struct segment *s = (void *)((uintptr_t)vm->f_ud + STATE_SEGMENTS);
	while (s) {
		struct segment gone = *s;
		s = s->next; /* lies in a segment that is older */
		if (gone.base == 0)
			continue;
		hr_maps_remove(t, gone.base, gone.size);
		hr_next.munmap((void *)gone.base, gone.size);
	}
	hr_lua_closed(t, vm);
}
