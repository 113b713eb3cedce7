/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_walk.c - the frames of the Lua stack that runs, read where they lie.
 *
 * Which one runs: the global state's cur_L. Where it stands: in the interpreter its base is in the state;
 * on a trace that one is stale, and the global state's jit_base is right. Nothing of LuaJIT is called, and
 * nothing changed. LuaJIT keeps its stack in a walkable state wherever it allocates (it may raise an error
 * there); still, each value is checked before it is followed: a pointer must lie within the stack and
 * strictly below the one before, a function must be one, the interpreter's native frame must name this very
 * Lua state and lie above us on this thread's stack. On any doubt the whole walk is dropped.
 */
#include "lua_layout.h"
#include "lua_private.h"

#define STEPS_MAX 4096u /* frames looked at, C functions and all */
#define STACK_SLOTS_MAX 70000u

static inline void mix(uint64_t *hash, uint64_t value)
{
	*hash = (*hash ^ value) * 0x9e3779b97f4a7c15ull;
	*hash ^= *hash >> 32;
}

uintptr_t hr_lua_runs(const struct lua_layout *layout, uintptr_t g)
{
	uintptr_t L = at(g, layout->cur_L, uintptr_t);
	return L ? at(L, STATE_CFRAME, uintptr_t) & ~(uintptr_t)CFRAME_FLAGS : 0;
}

static bool is_code(uintptr_t p)
{
	return p > SYS_PAGE && p >> TAG_SHIFT == 0 && (p & 3) == 0;
}

static bool native_frame_is_right(const struct thread *t, uintptr_t cframe, uintptr_t sp, uintptr_t L)
{
	if (cframe & 7 || cframe <= sp)
		return false;
	bool own = t->stack_low && sp >= t->stack_low && sp < t->stack_high;
	if (own ? cframe >= t->stack_high : !sys_readable(cframe + CFRAME_PC) || !sys_readable(cframe + CFRAME_STATE))
		return false;
	return at(cframe, CFRAME_STATE, uintptr_t) == L;
}

/* One frame of the walk under way: link at `frame`, function below it. */
struct step {
	uintptr_t stack, bottom, frame, above; /* above: the frame that was looked at before, 0 = none */
	bool hidden;                           /* the frame is the lower half of a vararg function's */
};

/* Notes the function of the frame. false: doubt. */
static bool note(struct step *s, struct lua_walk *w)
{
	uint64_t slot = at(s->frame, -SLOT, uint64_t);
	uintptr_t function = REFERENCE(slot), code = 0;
	if (slot >> TAG_SHIFT == TAG_THREAD) /* a dummy frame, made while an error is raised */
		return true;
	if (slot >> TAG_SHIFT != TAG_FUNCTION || function <= SYS_PAGE || function & 7 || at(function, OBJECT_TYPE, uint8_t) != TYPE_FUNCTION)
		return false;
	bool lua = at(function, FUNCTION_FFID, uint8_t) == 0;
	if (lua && !s->hidden) {
		uintptr_t slots = (s->frame - s->stack) / SLOT, up = s->above ? (s->above - s->frame) / SLOT : 0;
		code = at(function, FUNCTION_CODE, uintptr_t);
		if (!is_code(code) || slots > 0xffff || up > 0x7fff)
			return false;
		if (w->count == LUA_FRAMES_MAX) {
			w->deeper = true;
			return true;
		}
		w->lua_on_top |= s->above == 0;
		w->frames[w->count++] = (struct lua_frame){.code = code, .ci = (int)(up << 16 | slots)};
	}
	mix(&w->hash, code);
	return true;
}

/* Goes on to the caller's frame. false: doubt. */
static bool down(struct step *s, struct lua_walk *w)
{
	uint64_t link = at(s->frame, 0, uint64_t);
	uintptr_t caller;
	if ((link & 3) == 0) {
		if (!is_code(link))
			return false;
		uint32_t call = *(const uint32_t *)(link - 4);
		caller = s->frame - SLOT * (2 + ((call >> 8) & 0xff));
		mix(&w->hash, link);
	} else {
		caller = s->frame - (link & ~7ull);
		if (link & ~7ull) /* a continuation's own return address lies below its link */
			mix(&w->hash, (link & 7) == 2 ? at(s->frame, -2 * SLOT, uint64_t) : link & 7);
	}
	s->hidden = (link & 7) == 3;
	s->above = s->frame;
	s->frame = caller;
	return caller < s->above && caller >= s->stack && (caller & 7) == 0;
}

/* Walks from the base, which is checked to lie in the state's stack. */
static enum lua_walked walk_frames(uintptr_t L, uintptr_t base, bool on_trace, struct lua_walk *w)
{
	uintptr_t stack = at(L, STATE_STACK, uintptr_t), max = at(L, STATE_MAXSTACK, uintptr_t);
	if ((stack | base) & 7 || stack >= max || max - stack > STACK_SLOTS_MAX * SLOT || base < stack + 2 * SLOT || base > max)
		return LUA_DOUBT;
	w->L = (lua_State *)L;
	w->base = base;
	w->on_trace = on_trace;
	w->deeper = w->lua_on_top = false;
	w->count = 0;
	w->hash = on_trace;
	w->trace_ip = 0;
	struct step s = {.stack = stack, .bottom = stack + SLOT, .frame = base - SLOT};
	for (uint32_t steps = 0; s.frame > s.bottom && !w->deeper; steps++) {
		if (steps == STEPS_MAX)
			w->deeper = true;
		else if (!note(&s, w) || !down(&s, w))
			return LUA_DOUBT;
	}
	w->traced = on_trace && w->lua_on_top;
	return LUA_WALKED;
}

static bool is_state(uintptr_t L, uintptr_t g)
{
	return (L & 7) == 0 && at(L, OBJECT_TYPE, uint8_t) == TYPE_THREAD && at(L, STATE_GLOBAL, uintptr_t) == g;
}

enum lua_walked hr_lua_walk(const struct thread *t, const struct lua_layout *layout, uintptr_t g, uintptr_t sp, struct lua_walk *w)
{
	uintptr_t L = at(g, layout->cur_L, uintptr_t), trace_base = at(g, layout->jit_base, uintptr_t);
	if (L == 0)
		return LUA_IDLE;
	if (!is_state(L, g))
		return LUA_DOUBT;
	w->cframe = at(L, STATE_CFRAME, uintptr_t) & ~(uintptr_t)CFRAME_FLAGS;
	if (w->cframe == 0)
		return trace_base ? LUA_DOUBT : LUA_IDLE;
	if (!native_frame_is_right(t, w->cframe, sp, L))
		return LUA_DOUBT;
	enum lua_walked result = walk_frames(L, trace_base ? trace_base : at(L, STATE_BASE, uintptr_t), trace_base != 0, w);
	if (w->lua_on_top && !w->on_trace)
		mix(&w->hash, at(w->cframe, CFRAME_PC, uint64_t));
	return result;
}

enum lua_walked hr_lua_walk_resting(uintptr_t g, uintptr_t L, struct lua_walk *w)
{
	if (L < SYS_PAGE || L & 7 || L >> TAG_SHIFT || L == g || !sys_readable(L + 8) || !sys_readable(L + STATE_CFRAME))
		return LUA_IDLE;
	if (!is_state(L, g) || at(L, STATE_STATUS, uint8_t) != STATUS_YIELDED || at(L, STATE_CFRAME, uintptr_t) != 0)
		return LUA_IDLE;
	return walk_frames(L, at(L, STATE_BASE, uintptr_t), false, w);
}
