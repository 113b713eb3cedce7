/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_node.c - from Lua frames to nodes of the trie, and where they go among native frames.
 *
 *   of a VM's own allocation        main > ngx_http_lua_run_thread > | content_by_lua(nginx.conf:34):1 > app.lua:5
 *   of malloc called from Lua       main > ngx_http_lua_run_thread > | app.lua:5 | > ngx_alloc
 *                                   native, up to the interpreter    | Lua       | native, inside of it
 *
 * Frames of LuaJIT's own library are left out on both sides of the Lua frames. lua_State names its
 * interpreter's native frame (cframe); that is the place of the splice. A native walk ends at machine code
 * made at run time, so on a trace the outer part is walked from that frame outwards.
 *
 * Names and lines are asked of lua_getinfo, which neither allocates nor raises for what is asked here. On a
 * trace the state's base is set right meanwhile. The line of the function that runs on a trace cannot be
 * told: it gets the line where the trace begins if that is found, else the line where the function begins.
 *
 * What is found is kept in a small cache a VM, by a hash of all words that decide on it. Code that LuaJIT
 * frees makes the cache void: prototypes in it are watched like sampled blocks.
 */
#include <string.h>

#include "lua_layout.h"
#include "lua_private.h"

#define DROPS_MAX 16u      /* so many walks dropped by a check: the VM's Lua stacks are switched off */
#define CALLEE_SAVED 6     /* rbp, r15, r14, r13, r12, rbx, in this order, by __builtin_unwind_init */
#define INNER_MAX 256u     /* native frames inside of Lua frames that are moved onto them */

bool hr_lua_stacks;
static _Atomic uint8_t *node_states; /* of each node: enum node_state */
enum node_state { STATE_NOT_KNOWN, STATE_PLAIN, STATE_LUAJIT, STATE_JIT };

/* ---- nodes ------------------------------------------------------------------------------------ */

static bool is_luajit(const struct node_key *key)
{
	return key->kind == HR_NODE_NATIVE && hr_module_row_class(key->module) == MODULE_LUAJIT;
}

/* The node without LuaJIT's frames at its inner end. */
static uint32_t strip(uint32_t node)
{
	for (;;) {
		struct node_key key = hr_node_key(node);
		if (!is_luajit(&key))
			return node;
		node = key.parent;
	}
}

static uint32_t line_node(struct thread *t, uint32_t parent, const char *chunk, const char *function, int line, bool on_trace)
{
	return hr_node_child(t, (struct node_key){
		.value = (uint64_t)hr_lua_name(t, chunk) << 32 | (uint32_t)(line > 0 ? line : 0),
		.parent = parent, .kind = HR_NODE_LUA, .flags = on_trace ? HR_NODE_ON_TRACE : 0,
		.extra = hr_lua_name(t, function),
	});
}

/* A chunk's name as Lua has it, with its mark; a chunk that is its own name (a string of code), in short. */
static const char *chunk_of(const struct lua_debug *ar)
{
	return ar->source && (*ar->source == '@' || *ar->source == '=') ? ar->source : ar->short_src;
}

/* Asks for each frame, the outermost first. */
static uint32_t line_nodes(struct thread *t, const struct vm *vm, const struct lua_walk *w, uint32_t node)
{
	for (uint32_t i = w->count; i-- > (w->traced ? 1 : 0);) {
		struct lua_debug ar = {.i_ci = w->frames[i].ci};
		if (vm->api.getinfo(w->L, "nSl", &ar))
			node = line_node(t, node, chunk_of(&ar), ar.name, ar.currentline > 0 ? ar.currentline : ar.linedefined, false);
	}
	return node;
}

/* The function that runs on a trace, and the one where a side trace begins when that was called from there. */
static uint32_t traced_nodes(struct thread *t, struct vm *vm, const struct lua_walk *w, uint32_t node)
{
	struct lua_debug ar = {.i_ci = w->frames[0].ci};
	uintptr_t proto = w->frames[0].code - PROTO_SIZE;
	struct lua_start start, root;
	if (!vm->api.getinfo(w->L, "nS", &ar))
		return node;
	bool known = w->trace_ip && hr_lua_trace_at(vm->g, w->trace_ip, &start, &root);
	int line = known && start.proto == proto ? start.line : known && root.proto == proto ? root.line : 0;
	node = line_node(t, node, chunk_of(&ar), ar.name, line ? line : ar.linedefined, true);
	if (!known)
		return node;
	hr_lua_blocks_watch(&vm->blocks, start.trace);
	const char *chunk = (const char *)at(start.proto, PROTO_CHUNK, uintptr_t) + STRING_SIZE;
	if (start.proto != proto && (*chunk == '@' || *chunk == '='))
		node = line_node(t, node, chunk, NULL, start.line, true);
	return node;
}

static uint32_t resolve(struct thread *t, struct vm *vm, const struct lua_walk *w, uint32_t outer)
{
	uintptr_t *base = (uintptr_t *)((uintptr_t)w->L + STATE_BASE), before = *base;
	if (w->on_trace)
		*base = w->base;
	uint32_t node = line_nodes(t, vm, w, w->deeper ? HR_ROOT_TRUNCATED : outer);
	if (w->traced)
		node = traced_nodes(t, vm, w, node);
	*base = before;
	for (uint32_t i = 0; i < w->count; i++) /* what the cache will know is watched */
		hr_lua_blocks_watch(&vm->blocks, w->frames[i].code - PROTO_SIZE);
	return node;
}

void hr_lua_code_went(struct vm *vm)
{
	vm->epoch++;
}

static struct lua_cached *cached(struct vm *vm, uint64_t hash, uint32_t node, uint64_t *key)
{
	*key = (hash ^ node) * 0xd6e8feb86659fd93ull;
	*key ^= *key >> 32;
	return &vm->cache[*key % LUA_CACHE];
}

/* The Lua frames as children of `outer`. */
static uint32_t with_lua(struct thread *t, struct vm *vm, const struct lua_walk *w, uint32_t outer)
{
	uint64_t key;
	struct lua_cached *c = cached(vm, w->hash, outer, &key);
	if (likely(c->key == key && c->epoch == vm->epoch))
		return c->node;
	uint32_t node = resolve(t, vm, w, outer);
	*c = (struct lua_cached){.key = key, .node = node, .epoch = vm->epoch};
	return node;
}

static enum node_state find_state(uint32_t node)
{
	enum node_state state = STATE_PLAIN;
	for (;;) {
		struct node_key key = hr_node_key(node);
		if (key.kind == HR_NODE_ROOT)
			return key.value == HR_ROOT_JIT ? STATE_JIT : state;
		if (is_luajit(&key))
			state = STATE_LUAJIT;
		node = key.parent;
	}
}

static enum node_state state_of(uint32_t node)
{
	/* relaxed: each thread that looks finds the same */
	enum node_state state = atomic_load_explicit(&node_states[node], memory_order_relaxed);
	if (likely(state != STATE_NOT_KNOWN))
		return state;
	state = find_state(node);
	atomic_store_explicit(&node_states[node], (uint8_t)state, memory_order_relaxed);
	return state;
}

/* ---- walks, and when they are given up ------------------------------------------------------------- */

void hr_lua_off(struct thread *t, struct vm *vm, const char *reason)
{
	vm->layout = NULL;
	vm->off = reason;
	vm->off_text = (struct hr_str){hr_lua_name(t, reason), (uint32_t)strlen(reason)};
	if (vm->off_text.offset == 0)
		vm->off_text.length = 0;
}

static bool walked(struct thread *t, struct vm *vm, uintptr_t sp)
{
	enum lua_walked result = vm->layout ? hr_lua_walk(t, vm->layout, vm->g, sp, &vm->walk) : LUA_IDLE;
	if (likely(result == LUA_WALKED))
		return vm->walk.count > 0;
	if (result == LUA_DOUBT) {
		hr_lost(HR_LOST_LUA_WALK);
		if (++vm->dropped == DROPS_MAX)
			hr_lua_off(t, vm, "its Lua stacks were not as they should be");
	}
	return false;
}

static uint32_t outside(struct thread *t, const struct vm *vm)
{
	return strip(hr_unwind_from(t, (struct arch_entry){.ip = vm->layout->vm_ip, .sp = vm->walk.cframe}));
}

/* The walk is on a trace: a native walk, just made, that gave `node` ended in its machine code. */
static void note_trace(const struct thread *t, struct vm *vm, uint32_t node)
{
	vm->walk.trace_ip = state_of(node) == STATE_JIT && t->root == HR_ROOT_JIT ? t->end_ip : 0;
	vm->walk.hash ^= vm->walk.trace_ip * 0x9e3779b97f4a7c15ull;
}

/*
 * No Lua runs: C code uses Lua's functions, perhaps on a coroutine that waits, as nginx does when it hands over
 * what a subrequest answered. LuaJIT's function that called us needs its lua_State afterwards, so it is in a
 * register that our callback saved below its frame (rbp itself at it).
 */
static bool rests(struct vm *vm, const uintptr_t *frame)
{
	if (vm->layout)
		for (int i = 0; i < CALLEE_SAVED; i++)
			if (hr_lua_walk_resting(vm->g, frame[-i], &vm->walk) == LUA_WALKED && vm->walk.count > 0)
				return true;
	return false;
}

uint32_t hr_lua_sample_node(struct thread *t, struct vm *vm, const uintptr_t *frame)
{
	if (!walked(t, vm, (uintptr_t)frame)) {
		uint32_t node = strip(hr_unwind(t, frame));
		return rests(vm, frame) ? with_lua(t, vm, &vm->walk, node) : node;
	}
	if (vm->walk.on_trace)
		note_trace(t, vm, hr_unwind(t, frame));
	return with_lua(t, vm, &vm->walk, outside(t, vm));
}

/* ---- malloc called from Lua --------------------------------------------------------------------- */

/* The frames of `node` inside of `from`, without LuaJIT's, as children of `onto`. */
static uint32_t move(struct thread *t, uint32_t node, uint32_t from, uint32_t onto)
{
	uint32_t inner[INNER_MAX], count = 0;
	for (uint32_t n = node; n != from; n = hr_node_key(n).parent) {
		if (n < HR_ROOT_COUNT || count == INNER_MAX)
			return node;
		inner[count++] = n;
	}
	while (count-- > 0) {
		struct node_key key = hr_node_key(inner[count]);
		if (is_luajit(&key))
			continue;
		key.parent = onto;
		onto = hr_node_child(t, key);
	}
	return onto;
}

/* The node of the kept trace at the interpreter's frame; 0: it is not on this stack. */
static uint32_t interpreter_node(const struct thread *t, uintptr_t cframe)
{
	for (uint32_t i = t->depth; i-- > 0 && t->kept[i].sp <= cframe;)
		if (t->kept[i].sp == cframe)
			return t->kept[i].node;
	return 0;
}

static uint32_t put_together(struct thread *t, struct vm *vm, const uintptr_t *frame, uint32_t node, bool jit)
{
	if (jit)
		return move(t, node, HR_ROOT_JIT, with_lua(t, vm, &vm->walk, outside(t, vm)));
	hr_unwind(t, frame); /* the site may have come from the memo: the kept trace is to be this one */
	uint32_t interpreter = interpreter_node(t, vm->walk.cframe);
	return interpreter ? move(t, node, interpreter, with_lua(t, vm, &vm->walk, strip(interpreter))) : node;
}

static uint32_t spliced_node(struct thread *t, const uintptr_t *frame, uint32_t node)
{
	enum node_state state = state_of(node);
	if (likely(state == STATE_PLAIN && !hr_lua_inside))
		return node;
	struct vm *vm = hr_lua_running(t, (uintptr_t)frame);
	if (vm == NULL || !walked(t, vm, (uintptr_t)frame) || (state == STATE_JIT && !vm->walk.on_trace))
		return node;
	if (state == STATE_JIT) {
		note_trace(t, vm, node);
		return put_together(t, vm, frame, node, true);
	}
	uint64_t key;
	struct lua_cached *c = cached(vm, vm->walk.hash ^ vm->walk.cframe, node, &key);
	if (c->key != key || c->epoch != vm->epoch)
		*c = (struct lua_cached){.key = key, .node = put_together(t, vm, frame, node, false), .epoch = vm->epoch};
	return c->node;
}

uint32_t hr_lua_site(struct thread *t, const uintptr_t *frame, uint32_t site)
{
	if (unlikely(hr_lua_inside))
		hr_lua_inside_look(t);
	else if (t->recent->plain && t->recent->site == site)
		return site;
	uint32_t node = hr_site_node(site), spliced = spliced_node(t, frame, node);
	if (t->recent->site == site)
		t->recent->plain = state_of(node) == STATE_PLAIN;
	return likely(spliced == node) ? site : hr_site(t, spliced, hr_site_domain(site));
}

/* ---- start ------------------------------------------------------------------------------------ */

void hr_lua_nodes_start(void)
{
	node_states = hr_memory_reserve(NODES_MAX);
	hr_memory_touched(SYS_PAGE);
	hr_lua_names_start();
}
