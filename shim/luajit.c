/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * luajit.c - LuaJIT's (and PUC Lua's) VMs: their creation and their end. Each is a domain.
 *
 * luaL_newstate is hooked and the allocator swapped after creation: lua_newstate is called with a magic
 * pointer there, and refuses foreign allocators on some builds. The old sizes that Lua passes are exact, so
 * totals need no table of blocks. Before lua_close the original allocator is put back: LuaJIT compares the
 * pointer, and would leak its arenas otherwise. No lock: a VM runs in one thread at a time.
 *
 * While a VM is made the guard is up, as in its allocator's calls (lua_alloc.c): what that takes from malloc
 * is the VM's.
 *
 * PUC Lua (liblua5.x.so) gets native stacks alone: it keeps nowhere which of its coroutines runs, and the
 * state that its lua_getstack wants is not known to an allocator.
 *
 * A VM that is closed hands its record and its domain's row to the next one of its kind: per-request VMs
 * (lua_code_cache off) then share one row, whose totals go on.
 */
#include <dlfcn.h>
#include <string.h>

#include "lua_private.h"

#define FRAME ((const uintptr_t *)__builtin_frame_address(0))
#define VMS_MAX 1000u
#define LUA_GCCOUNT 3
#define LUA_GCCOUNTB 4
#define STATE_GLOBAL 16 /* lua_layout.h; used after it was found to be right */

static struct vm *vms;
static _Atomic uint32_t vms_used;
static lock_word lock;

/* ---- creation and end ------------------------------------------------------------------------- */

static uint32_t subsystem_of(const void *caller)
{
	Dl_info info;
	if (dladdr(caller, &info) == 0)
		return HR_SUBSYSTEM_OTHER;
	const char *names[] = {info.dli_sname, info.dli_fname};
	for (int i = 0; i < 2; i++) {
		if (names[i] && strstr(names[i], "ngx_stream_lua"))
			return HR_SUBSYSTEM_STREAM;
		if (names[i] && strstr(names[i], "ngx_http_lua"))
			return HR_SUBSYSTEM_HTTP;
	}
	return HR_SUBSYSTEM_OTHER;
}

static void name_domain(char *name, bool luajit, uint32_t subsystem, uint32_t number)
{
	static const char *const kinds[] = {"other:", "http:", "stream:"};
	char digits[12], *d = digits + sizeof digits - 1, *at = name;
	at = stpcpy(at, luajit ? "luajit:" : "lua:");
	if (luajit)
		at = stpcpy(at, kinds[subsystem]);
	*d = '\0';
	do
		*--d = (char)('0' + number % 10);
	while (number /= 10);
	strcpy(at, d);
}

/* A record to use: a closed one of its kind, or a new one with a new domain. NULL: no room. */
static struct vm *take_record(struct thread *t, bool luajit, uint32_t subsystem)
{
	static uint32_t numbers[2][3];
	hr_lock(t, &lock);
	struct vm *vm = NULL;
	uint32_t used = atomic_load(&vms_used);
	for (uint32_t i = 0; i < used && vm == NULL; i++)
		if (!vms[i].open && vms[i].luajit == luajit && vms[i].subsystem == subsystem)
			vm = &vms[i];
	bool fresh = vm == NULL && vms && used < VMS_MAX;
	if (fresh) {
		vm = &vms[used];
		atomic_store(&vms_used, used + 1);
	}
	uint32_t number = fresh ? numbers[luajit][luajit ? subsystem : 0]++ : 0;
	if (vm)
		vm->open = true;
	hr_unlock(t, &lock);
	if (vm == NULL)
		return NULL;
	if (fresh) {
		char name[40];
		name_domain(name, luajit, subsystem, number);
		vm->luajit = luajit;
		vm->subsystem = subsystem;
		vm->domain = hr_domain_new(t, luajit ? HR_DOMAIN_LUAJIT : HR_DOMAIN_LUA, subsystem, name);
		vm->site = hr_site(t, HR_ROOT_NOT_SAMPLED, vm->domain);
	} else {
		hr_domain_row(vm->domain)->flags = HR_DOMAIN_AGGREGATE;
	}
	return vm;
}

static bool find_api(struct lua_api *api, const void *caller)
{
	*(void **)&api->getallocf = hr_real_symbol("lua_getallocf", caller);
	*(void **)&api->setallocf = hr_real_symbol("lua_setallocf", caller);
	*(void **)&api->gc = hr_real_symbol("lua_gc", caller);
	*(void **)&api->getinfo = hr_real_symbol("lua_getinfo", caller);
	return api->getallocf && api->setallocf && api->gc && api->getinfo;
}

/* Lua stacks for this VM, or why there are none. */
static void begin_stacks(struct thread *t, struct vm *vm, const void *caller)
{
	const char *reason = "PUC Lua does not tell which of its coroutines runs";
	vm->layout = NULL;
	vm->off = NULL;
	vm->off_text = (struct hr_str){0, 0};
	vm->epoch++; /* what the cache holds is of a VM before */
	if (hr_config.lua_sample_bytes == 0)
		reason = "HEAPRAY_LUA_SAMPLE=0";
	else if (vm->luajit)
		vm->layout = hr_lua_calibrate(t, &vm->api, caller, &reason);
	if (vm->layout == NULL) {
		hr_lua_off(t, vm, reason);
		return;
	}
	vm->g = *(const uintptr_t *)((uintptr_t)vm->L + STATE_GLOBAL);
	hr_lua_stacks = true;
}

void hr_lua_adopt(struct thread *t, struct vm *vm, lua_State *L, const void *caller)
{
	vm->f = vm->api.getallocf(L, &vm->f_ud);
	vm->L = L;
	vm->by_malloc = vm->arena == 0;
	vm->gc_bytes = (uint64_t)vm->api.gc(L, LUA_GCCOUNT, 0) * 1024 + (uint64_t)vm->api.gc(L, LUA_GCCOUNTB, 0);
	vm->look_ns = hr_now();
	vm->free_held = UINT64_MAX;
	vm->owner = t;
	vm->random ^= t->random ^ (uintptr_t)L;
	vm->sample_left = hr_sample_next(&vm->random, hr_config.lua_sample_bytes);
	begin_stacks(t, vm, caller);
	hr_lua_found(t, vm, vm->gc_bytes);
	hr_lua_publish(vm);
	vm->api.setallocf(L, hr_lua_alloc, vm);
}

struct vm *hr_lua_begin(struct thread *t, const struct lua_api *api, const void *caller, bool luajit)
{
	struct vm *vm = take_record(t, luajit, subsystem_of(caller));
	if (vm) {
		vm->api = *api;
		vm->request = 0;
		vm->inside = false;
		t->vm = vm;
	}
	return vm;
}

/* With a record, the guard stays up until end_newstate. NULL: nothing is recorded of this VM. */
static struct vm *begin_newstate(const uintptr_t *frame, const void *caller, struct vm **outer)
{
	struct lua_api api;
	struct thread *t = hr_enter(frame);
	if (t == NULL)
		return NULL;
	*outer = t->vm;
	struct vm *vm = NULL;
	if (find_api(&api, caller))
		vm = hr_lua_begin(t, &api, caller, hr_real_symbol("luaJIT_setmode", caller) != NULL);
	if (vm == NULL)
		hr_leave();
	return vm;
}

/* Rows of the sampled blocks go down, each by its own. */
static void drop_block(void *arg, struct lua_block *block)
{
	struct vm *vm = arg;
	if (block->bytes == 0)
		return;
	struct estimate went = hr_sample_estimate(hr_config.lua_sample_bytes, block->bytes);
	went.site = block->site;
	went.count = block->count;
	went.inherited = block->inherited;
	hr_site_estimated(hr_self, vm->site, &went, NULL);
	vm->live -= block->bytes;
	vm->live_count--;
}

void hr_lua_closed(struct thread *t, struct vm *vm)
{
	hr_lua_blocks_each(&vm->blocks, drop_block, vm);
	hr_lua_blocks_clear(&vm->blocks);
	if (vm->live_count) {
		hr_site_freed(t, vm->site, vm->live, false, false);
		count_add(&hr_site_row(vm->site)->freed_count, vm->live_count - 1);
	}
	vm->live = vm->live_count = 0;
	vm->owner = NULL;
	vm->open = false;
	hr_lua_publish(vm);
	hr_domain_row(vm->domain)->flags |= HR_DOMAIN_CLOSED;
	hr_domain_row(vm->domain)->closed_ns = hr_now();
}

static lua_State *end_newstate(struct vm *vm, struct vm *outer, lua_State *L, const void *caller)
{
	if (vm == NULL)
		return L;
	struct thread *t = hr_self;
	if (L)
		hr_lua_adopt(t, vm, L, caller);
	else
		hr_lua_closed(t, vm);
	t->vm = outer;
	hr_leave();
	return L;
}

EXPORT lua_State *luaL_newstate(void);
EXPORT lua_State *luaL_newstate(void)
{
	const void *caller = __builtin_return_address(0);
	lua_State *(*next)(void);
	struct vm *outer = NULL;
	*(void **)&next = hr_real_symbol("luaL_newstate", caller);
	if (next == NULL)
		return NULL;
	struct vm *vm = begin_newstate(FRAME, caller, &outer);
	return end_newstate(vm, outer, next(), caller);
}

EXPORT lua_State *lua_newstate(lua_Alloc f, void *ud);
EXPORT lua_State *lua_newstate(lua_Alloc f, void *ud)
{
	const void *caller = __builtin_return_address(0);
	lua_State *(*next)(lua_Alloc, void *);
	struct vm *outer = NULL;
	*(void **)&next = hr_real_symbol("lua_newstate", caller);
	if (next == NULL)
		return NULL;
	/* From inside luaL_newstate, or with LuaJIT's magic pointer: passed through. */
	if ((hr_self && hr_self->vm) || (uintptr_t)f < 2 * SYS_PAGE * 4)
		return next(f, ud);
	struct vm *vm = begin_newstate(FRAME, caller, &outer);
	return end_newstate(vm, outer, next(f, ud), caller);
}

EXPORT void lua_setallocf(lua_State *L, lua_Alloc f, void *ud);
EXPORT void lua_setallocf(lua_State *L, lua_Alloc f, void *ud)
{
	const void *caller = __builtin_return_address(0);
	void *now_ud = NULL;
	struct lua_api api;
	if (!find_api(&api, caller))
		return;
	if (api.getallocf(L, &now_ud) == hr_lua_alloc && f != hr_lua_alloc) { /* theirs goes behind ours */
		struct vm *vm = now_ud;
		vm->f = f;
		vm->f_ud = ud;
		return;
	}
	api.setallocf(L, f, ud);
}

EXPORT void lua_close(lua_State *L);
EXPORT void lua_close(lua_State *L)
{
	const void *caller = __builtin_return_address(0);
	void (*next)(lua_State *);
	struct lua_api api;
	void *ud = NULL;
	struct thread *t = NULL;
	*(void **)&next = hr_real_symbol("lua_close", caller);
	if (next == NULL)
		return;
	bool ours = find_api(&api, caller) && api.getallocf(L, &ud) == hr_lua_alloc;
	if (ours) {
		struct vm *vm = ud;
		api.setallocf(L, vm->f, vm->f_ud);
		t = hr_enter(FRAME);
		if (t) {
			t->quiet_frees = vm->by_malloc;
			hr_lua_closed(t, vm);
			hr_leave();
		}
	}
	next(L); /* runs finalizers: the guard is down */
	if (t)
		t->quiet_frees = false;
}

/* ---- which VM runs ----------------------------------------------------------------------------- */

struct vm *hr_lua_running(const struct thread *t, uintptr_t sp)
{
	struct vm *innermost = NULL;
	uintptr_t nearest = UINTPTR_MAX;
	uint32_t used = atomic_load_explicit(&vms_used, memory_order_relaxed);
	for (uint32_t i = 0; i < used; i++) {
		struct vm *vm = &vms[i];
		/* another thread's may be closed at any time */
		if (vm->owner != t || !vm->open || vm->layout == NULL)
			continue;
		uintptr_t cframe = hr_lua_runs(vm->layout, vm->g);
		if (cframe > sp && cframe < nearest) {
			nearest = cframe;
			innermost = vm;
		}
	}
	return innermost;
}

/* ---- start, fork ------------------------------------------------------------------------------ */

void hr_luajit_start(void)
{
	vms = hr_memory_reserve(VMS_MAX * sizeof *vms);
	hr_memory_touched(4 * SYS_PAGE);
	hr_lua_nodes_start();
	hr_lua_inside_start();
}

struct inheriting {
	struct vm *vm;
	uint64_t bytes, count; /* of sampled blocks, as they are */
};

static void inherit_block(void *arg, struct lua_block *block)
{
	struct inheriting *i = arg;
	if (block->bytes == 0)
		return;
	struct estimate e = hr_sample_estimate(hr_config.lua_sample_bytes, block->bytes);
	e.site = block->site;
	e.count = block->count;
	block->inherited = 1;
	hr_site_inherited_estimate(i->vm->site, &e);
	i->bytes += block->bytes;
	i->count++;
}

static void inherit(struct vm *vm)
{
	struct inheriting i = {.vm = vm};
	vm->allocated = vm->peak = vm->live;
	vm->allocated_count = vm->live_count;
	vm->samples = 0;
	hr_lua_blocks_each(&vm->blocks, inherit_block, &i);
	hr_site_inherited(vm->site, vm->live - i.bytes, vm->live_count - i.count);
	hr_lua_publish(vm);
}

void hr_luajit_rebuild(void)
{
	atomic_store(&lock, 0);
	hr_lua_layout_forked();
	hr_lua_names_forked();
	uint32_t used = atomic_load(&vms_used);
	for (uint32_t i = 0; i < used; i++) {
		inherit(&vms[i]);
		if (!vms[i].open)
			hr_domain_row(vms[i].domain)->flags |= HR_DOMAIN_CLOSED;
	}
}
