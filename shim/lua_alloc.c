/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_alloc.c - what stands in for a VM's allocator: the original is called, and the event booked.
 *
 * A VM's live, peak and total bytes are exact: Lua passes the old size with each call. Its stacks are sampled:
 * estimated rows get what a sampled block stands for, the VM's <not sampled> row the difference to what is
 * real, so the rows of a VM sum to its exact total after every event.
 *
 * The stack is taken before the original allocator runs: when Lua's own stack is moved, the old one is freed
 * in there. The guard is up meanwhile: under LUAJIT_USE_SYSMALLOC, and in PUC Lua, the allocator calls malloc, and
 * those blocks belong to the VM alone. LuaJIT's mmaps are booked as backing of the VM whose allocator (or
 * creation) is under way in this thread.
 */
#include "lua_private.h"

#define FRAME ((const uintptr_t *)__builtin_frame_address(0))
#define LUA_GCCOUNT 3
#define LUA_GCCOUNTB 4
#define DIRECT_BYTES (128u << 10) /* lj_alloc.c: from here on a block has a mapping of its own */
#define CHUNK_HEAD 8u             /* what a block is larger by in there */
#define LOOK_EVENTS 64u
#define LOOK_CHUNKS 400000u       /* a few ms */
#define LOOK_AGAIN_NS 60000000000ull
#define LOOK_SOON_NS 100000000ull

/* ---- the domain's row ------------------------------------------------------------------------- */

/* What each event changes. The record is the truth: a forked child has it, and another row. */
static inline void publish_counts(const struct vm *vm)
{
	struct hr_domain *row = vm->row;
	row->live_bytes = vm->live;
	row->live_count = vm->live_count;
	row->allocated_bytes = vm->allocated;
	row->allocated_count = vm->allocated_count;
}

void hr_lua_publish(struct vm *vm)
{
	struct hr_domain *row = vm->row = hr_domain_row(vm->domain);
	publish_counts(vm);
	row->peak_bytes = vm->peak;
	row->gc_bytes = vm->gc_bytes;
	row->arena_bytes = vm->arena;
	row->direct_bytes = vm->direct;
	row->machine_code_bytes = vm->mcode;
	row->free_held_bytes = vm->free_held;
	row->free_held_age_ns = vm->free_held_ns;
	row->lua_samples = vm->samples;
	row->lua_dropped = vm->dropped;
	row->lua_off_reason = vm->off_text;
}

void hr_vm_mapped(struct vm *vm, enum hr_mapping_kind kind, bool direct, int64_t bytes)
{
	if (vm == NULL)
		return;
	uint64_t *figure = kind == HR_MAPPING_MCODE ? &vm->mcode : direct ? &vm->direct : &vm->arena;
	*figure += (uint64_t)bytes;
	hr_lua_publish(vm);
}

uint32_t hr_vm_domain(const struct vm *vm)
{
	return vm ? vm->domain : 0;
}

bool hr_vm_asks_direct(const struct vm *vm)
{
	return vm && ((vm->request + CHUNK_HEAD + 15) & ~15ull) >= DIRECT_BYTES;
}

/* ---- what LuaJIT holds -------------------------------------------------------------------------- */

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts = {0};
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * Once in the publishing interval, for a thousandth of the time at most; after a large change sooner, for one
 * part in two hundred.
 */
static bool look_is_due(const struct vm *vm, uint64_t now)
{
	uint64_t since = now - vm->look_ns;
	if (!vm->luajit || vm->by_malloc)
		return false;
	if (since >= hr_config.publish_ns && since >= 1000 * vm->look_took)
		return true;
	return since >= LOOK_SOON_NS && since >= 200 * vm->look_took && 8 * distance(vm->live, vm->look_live) > vm->arena;
}

void hr_lua_look(struct vm *vm)
{
	if (!look_is_due(vm, sys_coarse_ns()))
		return;
	struct lua_arena arena;
	uint64_t began = cpu_ns();
	bool told = hr_lua_arena_look(vm->f_ud, LOOK_CHUNKS, &arena);
	uint64_t now = sys_coarse_ns(), took = cpu_ns() - began;
	vm->look_ns = now;
	vm->look_live = vm->live;
	vm->look_took = told ? took : LOOK_AGAIN_NS / 1000;
	vm->gc_bytes = (uint64_t)vm->api.gc(vm->L, LUA_GCCOUNT, 0) * 1024 + (uint64_t)vm->api.gc(vm->L, LUA_GCCOUNTB, 0);
	if (!told)
		return; /* the old figure stays, with its age */
	vm->free_held = arena.free_bytes;
	vm->free_held_ns = now;
}

/* ---- events ----------------------------------------------------------------------------------- */

static inline void count_up(struct vm *vm, size_t went, size_t came)
{
	vm->live += came - went;
	vm->allocated += came;
	vm->allocated_count++;
	if (vm->live > vm->peak)
		vm->row->peak_bytes = vm->peak = vm->live;
}

void hr_lua_found(struct thread *t, struct vm *vm, size_t bytes)
{
	struct lua_arena arena = {.blocks = 1};
	if (vm->luajit && !vm->by_malloc && (!hr_lua_arena_look(vm->f_ud, LOOK_CHUNKS, &arena) || arena.blocks == 0))
		arena.blocks = 1;
	count_up(vm, 0, bytes);
	hr_site_allocated(t, vm->site, bytes);
	count_add(&hr_site_row(vm->site)->allocated_count, arena.blocks - 1);
	vm->allocated_count += arena.blocks - 1;
	vm->live_count += arena.blocks;
}

/* The block that goes, out of the table. false: it was not sampled. */
static cold bool take(struct vm *vm, const void *block, size_t bytes, struct estimate *went)
{
	struct lua_block b;
	*went = (struct estimate){.real = bytes};
	if (!hr_lua_blocks_take(&vm->blocks, block, &b))
		return false;
	if (b.code)
		hr_lua_code_went(vm);
	if (b.bytes == 0)
		return false;
	*went = hr_sample_estimate(hr_config.lua_sample_bytes, bytes);
	went->site = b.site;
	went->count = b.count;
	went->inherited = b.inherited;
	return true;
}

/* The sampled block that came, into the table. Without room it counts as not sampled. */
static cold struct estimate put(struct thread *t, struct vm *vm, const void *block, size_t bytes, uint32_t node)
{
	uint32_t site = hr_site(t, node, vm->domain);
	uint32_t count = hr_sample_count(hr_config.lua_sample_bytes, bytes, &vm->random);
	struct lua_block b = {.bytes = bytes, .site = site, .count = count};
	if (site == 0 || !hr_lua_blocks_put(&vm->blocks, block, b))
		return (struct estimate){.real = bytes};
	struct estimate came = hr_sample_estimate(hr_config.lua_sample_bytes, bytes);
	came.site = site;
	came.count = b.count;
	vm->samples++;
	return came;
}

static inline void freed(struct thread *t, struct vm *vm, const void *block, size_t bytes)
{
	struct estimate went;
	vm->live -= bytes;
	vm->live_count--;
	if (unlikely(hr_lua_blocks_have(&vm->blocks, block)) && take(vm, block, bytes, &went))
		hr_site_estimated(t, vm->site, &went, NULL);
	else
		hr_site_freed(t, vm->site, bytes, false, false);
}

/* node: the sample's, 0 = not sampled. */
static inline void allocated(struct thread *t, struct vm *vm, const void *block, size_t bytes, uint32_t node)
{
	count_up(vm, 0, bytes);
	vm->live_count++;
	if (unlikely(node)) {
		struct estimate came = put(t, vm, block, bytes, node);
		hr_site_estimated(t, vm->site, NULL, &came);
	} else {
		hr_site_allocated(t, vm->site, bytes);
	}
}

/* One free and one allocation, and one change of the total. */
static void moved(struct thread *t, struct vm *vm, const void *old, size_t osize, const void *new, size_t nsize, uint32_t node)
{
	struct estimate went = {.real = osize}, came = {.real = nsize};
	count_up(vm, osize, nsize);
	bool was_sampled = hr_lua_blocks_have(&vm->blocks, old) && take(vm, old, osize, &went);
	if (node)
		came = put(t, vm, new, nsize, node);
	if (unlikely(was_sampled || node))
		hr_site_estimated(t, vm->site, &went, &came);
	else
		hr_site_resized(t, vm->site, osize, false, vm->site, nsize);
}

/* What is due every so many events: looks at the allocator, and the rest of the row. */
static cold void now_and_then(struct vm *vm)
{
	vm->events = 0;
	hr_lua_look(vm);
	hr_lua_publish(vm);
}

/* Before the original allocator runs. 0: not sampled. */
static cold uint32_t sample(struct thread *t, struct vm *vm, const uintptr_t *frame, size_t bytes)
{
	if (bytes == 0)
		return 0;
	vm->sample_left = hr_sample_next(&vm->random, hr_config.lua_sample_bytes); /* a Poisson process has no memory */
	return hr_lua_sample_node(t, vm, frame);
}

void *hr_lua_alloc(void *ud, void *ptr, size_t osize, size_t nsize)
{
	__builtin_unwind_init(); /* the caller's registers lie below the frame: lua_node.c looks for a lua_State there */
	struct vm *vm = ud;
	struct thread *t = hr_enter(FRAME);
	if (unlikely(t == NULL))
		return vm->f(vm->f_ud, ptr, osize, nsize);
	struct vm *outer = t->vm;
	t->vm = t->last_vm = vm;
	vm->owner = t;
	vm->request = nsize;
	vm->sample_left -= (int64_t)nsize;
	uint32_t node = unlikely(vm->sample_left < 0) ? sample(t, vm, FRAME, nsize) : 0;
	void *q = vm->f(vm->f_ud, ptr, osize, nsize);
	t->vm = outer;
	if (nsize == 0) {
		if (ptr)
			freed(t, vm, ptr, osize);
	} else if (q) {
		if (ptr)
			moved(t, vm, ptr, osize, q, nsize, node);
		else
			allocated(t, vm, q, nsize, node); /* without a block, osize may be a type tag (Lua 5.4) */
	}
	if (unlikely(ptr == vm->L) && nsize == 0 && vm->inside)
		hr_lua_inside_closed(t, vm);
	publish_counts(vm);
	if (unlikely(++vm->events == LOOK_EVENTS))
		now_and_then(vm);
	if (unlikely(--t->until_tick == 0))
		hr_tick(t);
	hr_leave();
	return q;
}
