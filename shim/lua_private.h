/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_private.h - what luajit.c and the lua_*.c files share: the record of a VM.
 *
 *   luajit.c        hooks, records, exact totals; asks for a sample's node before the real allocator runs
 *   lua_sample.c    which allocations are sampled, and what each stands for
 *   lua_blocks.c    sampled blocks by address, until LuaJIT frees or moves them
 *   lua_layout.c    where things lie in this LuaJIT, found out in a VM of our own
 *   lua_walk.c      the frames of the running Lua stack, checked, nothing called
 *   lua_node.c      from frames to nodes of the trie; the splice with native frames
 *   lua_trace.c     where the trace that runs begins
 *   lua_names.c     names of chunks and functions in the segment
 *   lua_inside.c    VMs of a LuaJIT that is linked into the program
 *   lua_arena.c     what LuaJIT's allocator holds
 *
 * A VM runs in one thread at a time: its record needs no lock.
 */
#ifndef HEAPRAY_LUA_PRIVATE_H
#define HEAPRAY_LUA_PRIVATE_H

#include "shim.h"

typedef struct lua_State lua_State;
typedef void *(*lua_Alloc)(void *ud, void *ptr, size_t osize, size_t nsize);

/* lua.h's struct of the same name; all of Lua 5.1's ABI, so LuaJIT's. */
struct lua_debug {
	int event;
	const char *name, *namewhat, *what, *source;
	int currentline, nups, linedefined, lastlinedefined;
	char short_src[60];
	int i_ci; /* LuaJIT: slots up to the next frame << 16 | slot of the frame */
};

struct lua_api {
	lua_Alloc (*getallocf)(lua_State *, void **);
	void (*setallocf)(lua_State *, lua_Alloc, void *);
	int (*gc)(lua_State *, int, ...);
	int (*getinfo)(lua_State *, const char *, struct lua_debug *);
};

/* ---- lua_layout.c ----------------------------------------------------------------------------- */

/* What differs between builds of LuaJIT and is found out; the rest is in lua_layout.h. */
struct lua_layout {
	uint16_t cur_L, jit_base; /* offsets in the global state */
	uintptr_t vm_ip;          /* a return address in the interpreter: its frame's rule leads out of it */
};

/*
 * Finds the layout of the library that `api` belongs to, once a process, in a VM that is made and closed
 * for it. NULL, with a reason for people, when this LuaJIT cannot be read. `caller`: see hr_real_symbol.
 */
const struct lua_layout *hr_lua_calibrate(struct thread *t, const struct lua_api *api, const void *caller, const char **reason);

void hr_lua_layout_forked(void);

/* ---- lua_walk.c ------------------------------------------------------------------------------- */

#define LUA_FRAMES_MAX 128
struct lua_frame {
	uintptr_t code; /* the function's bytecode: its prototype is right before it */
	int ci;         /* as lua_debug.i_ci */
};

enum lua_walked {
	LUA_IDLE,    /* no Lua runs in this VM */
	LUA_WALKED,
	LUA_DOUBT,   /* something was not as it must be: nothing to be used */
};

/* A Lua stack. Functions written in Lua alone; the innermost first. */
struct lua_walk {
	lua_State *L;
	uintptr_t base, cframe; /* of the Lua stack; the interpreter's frame on the native stack */
	bool on_trace, deeper;  /* machine code runs; there are more frames than were kept */
	bool lua_on_top;        /* frames[0] is the running function: no C function above it */
	bool traced;            /* frames[0] runs on a trace */
	uintptr_t trace_ip;     /* a return address in the trace's machine code, 0 = not known */
	uint32_t count;
	uint64_t hash;          /* of all that decides on functions and lines */
	struct lua_frame frames[LUA_FRAMES_MAX];
};

/* `sp`: where the native stack is; the interpreter's frame must be above. Reads, and calls nothing. */
enum lua_walked hr_lua_walk(const struct thread *t, const struct lua_layout *layout, uintptr_t g, uintptr_t sp, struct lua_walk *walk);
/* The stack of a coroutine that yielded. `L` may be any word; LUA_IDLE: it is none. */
enum lua_walked hr_lua_walk_resting(uintptr_t g, uintptr_t L, struct lua_walk *walk);
/* Where the running interpreter's frame is, 0 when no Lua runs. */
uintptr_t hr_lua_runs(const struct lua_layout *layout, uintptr_t g);

/* ---- lua_trace.c ------------------------------------------------------------------------------ */

/* Where a trace begins. line 0: not known. */
struct lua_start {
	uintptr_t proto, trace;
	int line;
};
/* The trace whose machine code has the address, and the one it hangs on (itself, if on none). false: none has. */
bool hr_lua_trace_at(uintptr_t g, uintptr_t ip, struct lua_start *start, struct lua_start *root);
int hr_lua_line(uintptr_t proto, uintptr_t pc); /* 0: not known */

/* ---- lua_blocks.c ----------------------------------------------------------------------------- */

struct lua_block {
	uint64_t bytes;    /* real size; 0: not sampled, here as code alone */
	uint32_t site;
	uint32_t count : 30, inherited : 1;
	uint32_t code : 1; /* the cache of nodes knows it */
};
struct lua_blocks {
	uintptr_t *addresses; /* 0: empty */
	struct lua_block *blocks;
	uint32_t capacity, used; /* capacity: 0 or a power of two, 2^(32 - shift) */
	uint32_t shift;
};
bool hr_lua_blocks_put(struct lua_blocks *b, const void *address, struct lua_block block); /* false: no room */
bool hr_lua_blocks_take(struct lua_blocks *b, const void *address, struct lua_block *block);
/* The slot of the address, or the empty one where it belongs. Not without capacity. */
static inline uint32_t hr_lua_blocks_find(const struct lua_blocks *b, uintptr_t address)
{
	uint32_t i = (uint32_t)(address >> 3) * 0x9e3779b1u >> b->shift;
	while (b->addresses[i] && b->addresses[i] != address)
		i = (i + 1) & (b->capacity - 1);
	return i;
}
static inline bool hr_lua_blocks_have(const struct lua_blocks *b, const void *address)
{
	return b->used && b->addresses[hr_lua_blocks_find(b, (uintptr_t)address)] != 0;
}
void hr_lua_blocks_watch(struct lua_blocks *blocks, uintptr_t address); /* it is code */
void hr_lua_blocks_each(struct lua_blocks *blocks, void (*visit)(void *arg, struct lua_block *block), void *arg);
void hr_lua_blocks_clear(struct lua_blocks *blocks); /* gives its memory back */

/* ---- the VM ----------------------------------------------------------------------------------- */

#define LUA_CACHE 512u
struct lua_cached {
	uint64_t key;
	uint32_t node, epoch;
};

struct vm {
	lua_Alloc f;  /* the original */
	void *f_ud;
	struct lua_api api;
	bool open, luajit, by_malloc; /* by_malloc: the original allocator maps nothing itself */
	bool inside;                  /* its LuaJIT is linked into the program */
	uint32_t subsystem, domain, site;
	struct hr_domain *row; /* in this process's segment */
	size_t request; /* size asked for by the call under way */
	uint64_t live, live_count, peak, allocated, allocated_count;
	uint64_t arena, direct, mcode;

	/* Lua stacks */
	const struct lua_layout *layout; /* NULL: none, off says why */
	const char *off;
	struct hr_str off_text;
	lua_State *L;           /* the main thread of Lua */
	uintptr_t g;            /* its global state */
	struct thread *owner;   /* thread whose events are this VM's, as last seen */
	int64_t sample_left;    /* bytes until the next sample */
	uint64_t random;
	uint64_t samples, dropped;
	struct lua_blocks blocks;
	struct lua_walk walk;
	uint32_t epoch;         /* entries of the cache of another epoch are not used */
	struct lua_cached cache[LUA_CACHE];

	/* what its allocator holds, when last looked at */
	uint64_t gc_bytes, free_held, free_held_ns;
	uint64_t look_ns, look_live, look_took; /* when and at what live size that was, and how long it took */
	uint64_t events;
};

/* ---- luajit.c --------------------------------------------------------------------------------- */

/* The innermost VM that runs Lua in this thread, further out than `sp`. NULL: none. */
struct vm *hr_lua_running(const struct thread *t, uintptr_t sp);

/* A record for a VM: t->vm until it is adopted or closed. NULL: no room. `caller`: see hr_real_symbol. */
struct vm *hr_lua_begin(struct thread *t, const struct lua_api *api, const void *caller, bool luajit);
/* The VM is there: what it already holds is counted, and from here on its allocator is ours. */
void hr_lua_adopt(struct thread *t, struct vm *vm, lua_State *L, const void *caller);
void hr_lua_closed(struct thread *t, struct vm *vm);

/* ---- lua_inside.c ----------------------------------------------------------------------------- */

void hr_lua_inside_start(void);
void hr_lua_inside_look(struct thread *t); /* is there a VM to take over? */
/* After such a VM's lua_State was given back. */
void hr_lua_inside_closed(struct thread *t, struct vm *vm);

/* ---- lua_alloc.c ------------------------------------------------------------------------------ */

void *hr_lua_alloc(void *ud, void *ptr, size_t osize, size_t nsize); /* a lua_Alloc; ud: the VM's record */
void hr_lua_found(struct thread *t, struct vm *vm, size_t bytes);    /* what a VM already holds */
void hr_lua_look(struct vm *vm); /* at what its allocator holds, if that is due */
void hr_lua_publish(struct vm *vm); /* all of its row */

/* ---- lua_node.c ------------------------------------------------------------------------------- */

/* The node of an allocation in the VM's callback, whose frame this is. Before the original allocator runs. */
uint32_t hr_lua_sample_node(struct thread *t, struct vm *vm, const uintptr_t *frame);
/* A block went that hr_lua_blocks_take says is code. */
void hr_lua_code_went(struct vm *vm);
void hr_lua_nodes_start(void);
/* Lua stacks end for this VM. */
void hr_lua_off(struct thread *t, struct vm *vm, const char *reason);

/* ---- lua_names.c ------------------------------------------------------------------------------ */

/* The offset of a text in the segment's strings, put there when it is new. 0: not known, or no room. */
uint32_t hr_lua_name(struct thread *t, const char *text);
void hr_lua_names_start(void);
void hr_lua_names_forked(void);

/* ---- lua_arena.c ------------------------------------------------------------------------------ */

struct lua_arena {
	uint64_t free_bytes, mapped_bytes, blocks; /* blocks in use, without those that have a mapping of their own */
};
/*
 * Adds up the segments of a LuaJIT allocator (`state`: lua_getallocf's ud). On the VM's thread, outside an
 * allocation. false: it does not look like one, or has more than `chunks_max` chunks.
 */
bool hr_lua_arena_look(const void *state, uint64_t chunks_max, struct lua_arena *sum);

#endif
