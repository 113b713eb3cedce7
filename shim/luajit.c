/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * luajit.c - LuaJIT's (and PUC Lua's) VMs: each is a domain with exact live, peak and total bytes.
 *
 * luaL_newstate is hooked and the allocator swapped after creation: lua_newstate is called with a magic
 * pointer there, and refuses foreign allocators on some builds. The old sizes that Lua passes are exact, so
 * no table of blocks is needed. Before lua_close the original allocator is put back: LuaJIT compares the
 * pointer, and would leak its arenas otherwise. No lock: a VM runs in one thread at a time.
 *
 * While the original allocator runs, the guard is up: under LUAJIT_USE_SYSMALLOC, and in PUC Lua, it calls
 * malloc, and those blocks belong to the VM alone. LuaJIT's mmaps are booked as backing of the VM whose
 * allocator (or creation) is under way in this thread.
 *
 * A VM that is closed hands its record and its domain's row to the next one of its kind: per-request VMs
 * (lua_code_cache off) then share one row, whose totals go on.
 */
#include <dlfcn.h>
#include <string.h>

#include "shim.h"

#define FRAME ((const uintptr_t *)__builtin_frame_address(0))
#define VMS_MAX 1000u
#define LUA_GCCOUNT 3
#define LUA_GCCOUNTB 4
#define DIRECT_BYTES (128u << 10) /* lj_alloc.c: from here on a block has a mapping of its own */

typedef struct lua_State lua_State;
typedef void *(*lua_Alloc)(void *ud, void *ptr, size_t osize, size_t nsize);

struct api {
	lua_Alloc (*getallocf)(lua_State *, void **);
	void (*setallocf)(lua_State *, lua_Alloc, void *);
	int (*gc)(lua_State *, int, ...);
};

struct vm {
	lua_Alloc f;  /* the original */
	void *f_ud;
	struct api api;
	bool open, luajit;
	uint32_t subsystem, domain, site;
	size_t request; /* size asked for by the call under way */
	uint64_t live, live_count, peak, allocated, allocated_count;
	uint64_t arena, direct, mcode;
};

static struct vm *vms;
static _Atomic uint32_t vms_used;
static lock_word lock;

/* ---- the domain's row ------------------------------------------------------------------------- */

static void publish(const struct vm *vm)
{
	struct hr_domain *row = hr_domain_row(vm->domain);
	row->live_bytes = vm->live;
	row->live_count = vm->live_count;
	row->peak_bytes = vm->peak;
	row->allocated_bytes = vm->allocated;
	row->allocated_count = vm->allocated_count;
	row->arena_bytes = vm->arena;
	row->direct_bytes = vm->direct;
	row->machine_code_bytes = vm->mcode;
}

void hr_vm_mapped(struct vm *vm, enum hr_mapping_kind kind, bool direct, int64_t bytes)
{
	if (vm == NULL)
		return;
	uint64_t *figure = kind == HR_MAPPING_MCODE ? &vm->mcode : direct ? &vm->direct : &vm->arena;
	*figure += (uint64_t)bytes;
	publish(vm);
}

uint32_t hr_vm_domain(const struct vm *vm)
{
	return vm ? vm->domain : 0;
}

bool hr_vm_asks_direct(const struct vm *vm)
{
	return vm && vm->request >= DIRECT_BYTES;
}

/* ---- the callback ----------------------------------------------------------------------------- */

static void grown(struct thread *t, struct vm *vm, size_t bytes)
{
	vm->live += bytes;
	vm->live_count++;
	vm->allocated += bytes;
	vm->allocated_count++;
	if (vm->live > vm->peak)
		vm->peak = vm->live;
	hr_site_allocated(t, vm->site, bytes);
}

static void shrunk(struct thread *t, struct vm *vm, size_t bytes)
{
	vm->live -= bytes;
	vm->live_count--;
	hr_site_freed(t, vm->site, bytes, false, false);
}

static void moved(struct thread *t, struct vm *vm, size_t old, size_t new)
{
	vm->live += new - old;
	vm->allocated += new;
	vm->allocated_count++;
	if (vm->live > vm->peak)
		vm->peak = vm->live;
	hr_site_resized(t, vm->site, old, false, vm->site, new);
}

static void *vm_alloc(void *ud, void *ptr, size_t osize, size_t nsize)
{
	struct vm *vm = ud;
	struct thread *t = hr_enter(FRAME);
	if (unlikely(t == NULL))
		return vm->f(vm->f_ud, ptr, osize, nsize);
	struct vm *outer = t->vm;
	t->vm = vm;
	vm->request = nsize;
	void *q = vm->f(vm->f_ud, ptr, osize, nsize);
	t->vm = outer;
	if (nsize == 0) {
		if (ptr)
			shrunk(t, vm, osize);
	} else if (q) {
		if (ptr)
			moved(t, vm, osize, nsize);
		else
			grown(t, vm, nsize); /* without a block, osize may be a type tag (Lua 5.4) */
	}
	publish(vm);
	if (unlikely(--t->until_tick == 0))
		hr_tick(t);
	hr_leave();
	return q;
}

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

static bool find_api(struct api *api, const void *caller)
{
	*(void **)&api->getallocf = hr_real_symbol("lua_getallocf", caller);
	*(void **)&api->setallocf = hr_real_symbol("lua_setallocf", caller);
	*(void **)&api->gc = hr_real_symbol("lua_gc", caller);
	return api->getallocf && api->setallocf && api->gc;
}

/* The VM is there: what it already holds is counted, and from here on we are asked. */
static void adopt(struct thread *t, struct vm *vm, lua_State *L)
{
	vm->f = vm->api.getallocf(L, &vm->f_ud);
	uint64_t bytes = (uint64_t)vm->api.gc(L, LUA_GCCOUNT, 0) * 1024 + (uint64_t)vm->api.gc(L, LUA_GCCOUNTB, 0);
	grown(t, vm, bytes);
	publish(vm);
	vm->api.setallocf(L, vm_alloc, vm);
}

static struct vm *begin_newstate(const uintptr_t *frame, const void *caller, struct vm **outer)
{
	struct api api;
	struct thread *t = hr_enter(frame);
	if (t == NULL)
		return NULL;
	struct vm *vm = NULL;
	if (find_api(&api, caller))
		vm = take_record(t, hr_real_symbol("luaJIT_setmode", caller) != NULL, subsystem_of(caller));
	*outer = t->vm;
	if (vm) {
		vm->api = api;
		vm->request = 0;
		t->vm = vm;
	}
	hr_leave();
	return vm;
}

static void close_record(struct thread *t, struct vm *vm)
{
	if (vm->live_count)
		hr_site_freed(t, vm->site, vm->live, false, false);
	vm->live = vm->live_count = 0;
	vm->open = false;
	publish(vm);
	hr_domain_row(vm->domain)->flags |= HR_DOMAIN_CLOSED;
	hr_domain_row(vm->domain)->closed_ns = hr_now();
}

static lua_State *end_newstate(const uintptr_t *frame, struct vm *vm, struct vm *outer, lua_State *L)
{
	if (vm == NULL)
		return L;
	struct thread *t = hr_enter(frame);
	if (t == NULL)
		return L;
	t->vm = outer;
	if (L)
		adopt(t, vm, L);
	else
		close_record(t, vm);
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
	return end_newstate(FRAME, vm, outer, next());
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
	return end_newstate(FRAME, vm, outer, next(f, ud));
}

EXPORT void lua_setallocf(lua_State *L, lua_Alloc f, void *ud);
EXPORT void lua_setallocf(lua_State *L, lua_Alloc f, void *ud)
{
	const void *caller = __builtin_return_address(0);
	void *now_ud = NULL;
	struct api api;
	if (!find_api(&api, caller))
		return;
	if (api.getallocf(L, &now_ud) == vm_alloc && f != vm_alloc) { /* theirs goes behind ours */
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
	struct api api;
	void *ud = NULL;
	struct thread *t = NULL;
	*(void **)&next = hr_real_symbol("lua_close", caller);
	if (next == NULL)
		return;
	bool ours = find_api(&api, caller) && api.getallocf(L, &ud) == vm_alloc;
	if (ours) {
		struct vm *vm = ud;
		api.setallocf(L, vm->f, vm->f_ud);
		t = hr_enter(FRAME);
		if (t) {
			t->quiet_frees = !vm->luajit;
			close_record(t, vm);
			hr_leave();
		}
	}
	next(L); /* runs finalizers: the guard is down */
	if (t)
		t->quiet_frees = false;
}

/* ---- start, fork ------------------------------------------------------------------------------ */

void hr_luajit_start(void)
{
	vms = hr_memory_reserve(VMS_MAX * sizeof *vms);
	hr_memory_touched(SYS_PAGE);
}

void hr_luajit_rebuild(void)
{
	atomic_store(&lock, 0);
	uint32_t used = atomic_load(&vms_used);
	for (uint32_t i = 0; i < used; i++) {
		vms[i].allocated = vms[i].peak = vms[i].live;
		vms[i].allocated_count = vms[i].live_count;
		publish(&vms[i]);
		if (!vms[i].open)
			hr_domain_row(vms[i].domain)->flags |= HR_DOMAIN_CLOSED;
		if (vms[i].live_count)
			hr_site_inherited(vms[i].site, vms[i].live, vms[i].live_count);
	}
}
