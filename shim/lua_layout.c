/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_layout.c - where things lie in this LuaJIT, found out at run time: no headers, no debug information.
 *
 * Which Lua stack runs, and its base while machine code runs, stand side by side in the global state, at an
 * offset that differs between builds. So a VM of our own is made, a function of ours called from Lua in its
 * main thread and in a coroutine, and the global state searched for the one word that names the running one
 * in both. The program's own VM is not touched, and nothing is visible in it.
 *
 * While at it, everything else the walk relies on is tried out on that stack, whose functions and lines are
 * known: a walk must find them, LuaJIT's own lua_getinfo must agree with what stands in the prototypes, and the
 * native frame that lua_State names must be the one our function returns to. If anything differs, Lua stacks
 * are off, with the reason in the report.
 */
#include <string.h>

#include "lua_layout.h"
#include "lua_private.h"

#define SCAN_FROM 16u
#define SCAN_TO 0x600u /* the global state and what follows it in the same block are larger */
#define WORDS ((SCAN_TO - SCAN_FROM) / 8)

/* Line 3 calls us, from a function of lines 2 to 5, which line 6 calls. */
static const char script[] = "local probe = ...\nlocal function within(a, b)\n\tprobe(a, b, 3)\n\treturn a\nend\nwithin(1, 2)";

struct lua {
	lua_State *(*newstate)(void);
	void (*close)(lua_State *);
	int (*load)(lua_State *, const char *, size_t, const char *);
	void (*pushcclosure)(lua_State *, int (*)(lua_State *), int);
	int (*pcall)(lua_State *, int, int, int);
	int (*resume)(lua_State *, int);
	lua_State *(*newthread)(lua_State *);
	int (*gettop)(lua_State *);
};

/* One calibration. Several threads may make one at once, each in its own thread. */
struct calibration {
	struct thread *t;
	struct lua_api api;
	struct lua lua;
	uintptr_t g;
	bool maybe[WORDS]; /* words of the global state that named the running state each time */
	int calls;
	bool agree;        /* the second call: the offsets are known, and the walk is tried */
	struct lua_layout layout;
	const char *reason;
};
static _Atomic(struct calibration *) under_way; /* one at a time: the others wait */
static struct lua_layout found;
static const void *found_in; /* lua_getallocf of the library it was found in */
static const char *found_reason;
static _Atomic uint32_t state; /* 0 not tried, 1 found, 2 not to be found; release: what was found is written */

static bool find_functions(struct lua *l, const void *caller)
{
	*(void **)&l->newstate = hr_real_symbol("luaL_newstate", caller);
	*(void **)&l->close = hr_real_symbol("lua_close", caller);
	*(void **)&l->load = hr_real_symbol("luaL_loadbuffer", caller);
	*(void **)&l->pushcclosure = hr_real_symbol("lua_pushcclosure", caller);
	*(void **)&l->pcall = hr_real_symbol("lua_pcall", caller);
	*(void **)&l->resume = hr_real_symbol("lua_resume", caller);
	*(void **)&l->newthread = hr_real_symbol("lua_newthread", caller);
	*(void **)&l->gettop = hr_real_symbol("lua_gettop", caller);
	return l->newstate && l->close && l->load && l->pushcclosure && l->pcall && l->resume && l->newthread && l->gettop;
}

/* A state with 64-bit references begins like ours: its global state begins with the allocator. */
static bool is_gc64(const struct calibration *c, lua_State *L)
{
	void *ud = NULL;
	lua_Alloc f = c->api.getallocf(L, &ud);
	uintptr_t g = at(L, STATE_GLOBAL, uintptr_t);
	if (g & 7 || g < SYS_PAGE || !sys_readable(g) || !sys_readable(g + 8))
		return false;
	return at(g, 0, uintptr_t) == (uintptr_t)f && at(g, 8, uintptr_t) == (uintptr_t)ud && at(L, OBJECT_TYPE, uint8_t) == TYPE_THREAD;
}

/* ---- inside the call -------------------------------------------------------------------------- */

static const char *check_state(const struct calibration *c, lua_State *L, const uintptr_t *frame)
{
	uintptr_t base = at(L, STATE_BASE, uintptr_t), top = at(L, STATE_TOP, uintptr_t), stack = at(L, STATE_STACK, uintptr_t);
	uintptr_t cframe = at(L, STATE_CFRAME, uintptr_t) & ~(uintptr_t)CFRAME_FLAGS;
	if (c->lua.gettop(L) != 3 || top - base != 3 * SLOT || stack >= base || top > at(L, STATE_MAXSTACK, uintptr_t))
		return "its stacks are laid out in a way not known";
	if (cframe != (uintptr_t)(frame + 2) || at(cframe, CFRAME_STATE, uintptr_t) != (uintptr_t)L)
		return "its interpreter's frame is laid out in a way not known";
	return NULL;
}

/* What LuaJIT says of a frame, and what stands in its prototype. */
static bool frame_agrees(const struct calibration *c, const struct lua_walk *w, uint32_t i, int line, int first, int last)
{
	struct lua_debug ar = {.i_ci = w->frames[i].ci};
	uintptr_t proto = w->frames[i].code - PROTO_SIZE;
	if (c->api.getinfo(w->L, "nSl", &ar) == 0 || ar.currentline != line || ar.linedefined != first || ar.lastlinedefined != last)
		return false;
	uintptr_t chunk = at(proto, PROTO_CHUNK, uintptr_t);
	/* the link of the frame above is where this one stands: past its call */
	uintptr_t above = at(w->L, STATE_STACK, uintptr_t) + SLOT * (uintptr_t)((ar.i_ci & 0xffff) + (ar.i_ci >> 16));
	if (hr_lua_line(proto, at(above, 0, uintptr_t) - 4) != line)
		return false;
	return at(proto, OBJECT_TYPE, uint8_t) == TYPE_PROTO && at(proto, PROTO_FIRST_LINE, int) == first &&
	       at(proto, PROTO_LINES, int) == last - first && strcmp((const char *)chunk + STRING_SIZE, "=heapray") == 0 &&
	       ar.source == (const char *)chunk + STRING_SIZE;
}

static const char *check_walk(const struct calibration *c, const uintptr_t *frame, uintptr_t L)
{
	struct lua_walk w;
	if (hr_lua_walk(c->t, &c->layout, c->g, (uintptr_t)frame, &w) != LUA_WALKED || (uintptr_t)w.L != L || w.on_trace || w.count != 2)
		return "its frames are laid out in a way not known";
	if (!frame_agrees(c, &w, 0, 3, 2, 5) || !frame_agrees(c, &w, 1, 6, 0, 6))
		return "its prototypes are laid out in a way not known";
	return NULL;
}

static void look(struct calibration *c, lua_State *L, const uintptr_t *frame)
{
	uint32_t left = 0, word = 0;
	for (uint32_t i = 0; i < WORDS; i++) {
		bool named = at(c->g, SCAN_FROM + 8 * i, uintptr_t) == (uintptr_t)L;
		c->maybe[i] = named && (c->calls == 0 || c->maybe[i]);
		if (c->maybe[i]) {
			left++;
			word = i;
		}
	}
	c->reason = check_state(c, L, frame);
	if (c->reason || c->calls++ == 0)
		return;
	c->layout = (struct lua_layout){.cur_L = (uint16_t)(SCAN_FROM + 8 * word), .jit_base = (uint16_t)(SCAN_FROM + 8 * word + 8), .vm_ip = frame[1]};
	if (left != 1 || at(c->g, c->layout.jit_base, uintptr_t) != 0)
		c->reason = "its running state was not found";
	else
		c->reason = check_walk(c, frame, (uintptr_t)L);
	c->agree = c->reason == NULL;
}

static int probe(lua_State *L)
{
	struct calibration *c = atomic_load(&under_way);
	look(c, L, __builtin_frame_address(0));
	return 0;
}

/* ---- around it -------------------------------------------------------------------------------- */

static int load(const struct calibration *c, lua_State *L)
{
	int error = c->lua.load(L, script, sizeof script - 1, "=heapray");
	if (error == 0)
		c->lua.pushcclosure(L, probe, 0);
	return error;
}

/* lua_newthread and lua_pushcclosure raise errors when memory ends, so they are called from a protected call. */
static int calibrate_in(lua_State *L)
{
	struct calibration *c = atomic_load(&under_way);
	if (load(c, L) == 0 && c->lua.pcall(L, 1, 0, 0) == 0) {
		lua_State *co = c->lua.newthread(L);
		if (co && load(c, co) == 0)
			c->lua.resume(co, 1);
	}
	return 0;
}

static void calibrate(struct calibration *c, const void *caller)
{
	int (*cpcall)(lua_State *, int (*)(lua_State *), void *);
	*(void **)&cpcall = hr_real_symbol("lua_cpcall", caller);
	c->reason = "a function of LuaJIT is missing";
	if (cpcall == NULL || !find_functions(&c->lua, caller))
		return;
	c->reason = "no memory for a VM to find out how it is laid out";
	lua_State *L = c->lua.newstate();
	if (L == NULL)
		return;
	c->reason = "this LuaJIT was built without GC64";
	if (is_gc64(c, L)) {
		c->g = at(L, STATE_GLOBAL, uintptr_t);
		c->reason = "a script to find out how it is laid out did not run";
		cpcall(L, calibrate_in, NULL);
		if (c->reason == NULL && !c->agree)
			c->reason = "no coroutine to find out how it is laid out";
	}
	c->lua.close(L);
}

const struct lua_layout *hr_lua_calibrate(struct thread *t, const struct lua_api *api, const void *caller, const char **reason)
{
	struct calibration c = {.t = t, .api = *api}, *none = NULL;
	if (atomic_load_explicit(&state, memory_order_acquire) == 0) {
		while (!atomic_compare_exchange_weak(&under_way, &none, &c)) {
			sys_yield();
			none = NULL;
		}
		if (atomic_load(&state) == 0) {
			calibrate(&c, caller);
			found = c.layout;
			found_in = *(void **)&api->getallocf;
			found_reason = c.reason;
			atomic_store_explicit(&state, c.reason ? 2 : 1, memory_order_release);
		}
		atomic_store(&under_way, NULL);
	}
	bool same = found_in == *(void *const *)&api->getallocf;
	*reason = same ? found_reason : "there is a second LuaJIT in this process";
	return same && found_reason == NULL ? &found : NULL;
}

void hr_lua_layout_forked(void)
{
	atomic_store(&under_way, NULL);
}
