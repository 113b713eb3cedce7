/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shim.h - everything the shim's files share, grouped by the file that defines it.
 *
 * Unless it says otherwise, a function here may be called inside a hook with the guard up, allocates
 * nothing from the program's allocator, leaves errno alone and returns.
 *
 * Vocabulary: include/heapray_segment.h. Laws: shim/README.md.
 */
#ifndef HEAPRAY_SHIM_H
#define HEAPRAY_SHIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/single_threaded.h>

#include "arch.h"
#include "heapray_segment.h"
#include "sys.h"

#define EXPORT __attribute__((visibility("default")))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define cold __attribute__((cold, noinline))

typedef _Atomic uint32_t lock_word;

/* ---- counters that several threads add to ------------------------------------------------------ */

/* An add on a counter in the segment. One thread: a plain add; several: relaxed, it orders nothing. */
static inline void count_add(uint64_t *counter, uint64_t n)
{
	if (likely(__libc_single_threaded))
		*counter += n;
	else
		__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static inline uint64_t count_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* ---- memory.c: locks and the shim's own memory ------------------------------------------------ */

struct thread;
struct vm;

/* Leaf locks: nothing is called while one is held that could lock, wait or unwind. A thread that was
 * longjmp'ed out of a hook while holding one gives it back at its next event (thread.held). */
void hr_lock(struct thread *t, lock_word *lock);
void hr_unlock(struct thread *t, lock_word *lock);

/* Zeroed private memory, counted in the header's own_private_bytes. NULL and lost[NO_MEMORY] on failure. */
void *hr_memory(size_t bytes);
void *hr_memory_populated(size_t bytes); /* its pages at once: for what is about to be filled */
void hr_memory_free(void *p, size_t bytes);
/* The same, but mapped only: for tables sized to their bound and touched as they fill. Not counted until touched. */
/* Copies, by the kernel where it lets us: in a forked child our own first store in each page is a page fault. */
void hr_memory_write(const void *from, void *to, size_t bytes);
#define HUGE_PAGE (2ull << 20)
void hr_memory_huge(void *p, size_t bytes); /* huge pages, please: fewer faults, also in a forked child */
void *hr_memory_reserve(size_t bytes);
/* Like hr_memory, and in the books of mappings as ours. */
void *hr_memory_index(size_t bytes);
void hr_memory_book_early(void); /* what was reserved before maps.c had started */
void hr_memory_touched(size_t bytes); /* counts what a reserved table began to use */

/* ---- config.c: the environment, copied in the constructor ------------------------------------- */

struct config {
	char dir[3072];   /* absolute; where segments go */
	bool dir_default; /* /dev/shm/heapray.<uid>, made by us */
	uint64_t sample_bytes, lua_sample_bytes, publish_ns;
	uint64_t allocator_ns; /* how long the allocator may take to tell its figures */
	bool off, check_unwind, hide_cmdline;
	uint64_t root_pid; /* HEAPRAY_FOLLOW_EXEC=0: recording only in this pid; 0 = everywhere */
	bool follow_exec;
	char exe[4096];    /* real path of the program */
};
extern struct config hr_config;
void hr_config_read(char **environment);

/* ---- real.c: the next library's functions ----------------------------------------------------- */

struct next {
	void *(*malloc)(size_t);
	void (*free)(void *);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void *(*memalign)(size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*valloc)(size_t);
	void *(*pvalloc)(size_t);
	size_t (*usable_size)(void *);
	void *(*mmap)(void *, size_t, int, int, int, long);
	int (*munmap)(void *, size_t);
	void *(*mremap)(void *, size_t, size_t, int, void *);
	int (*mprotect)(void *, size_t, int);
	int (*dlclose)(void *);
	int (*pthread_create)(unsigned long *, const void *, void *(*)(void *), void *);
};
extern struct next hr_next;
/* Finds them all; one family from one library (PITFALLS P10b). Once, at the first call of any hook. */
void hr_real_resolve(void);
bool hr_real_ready(void);
/* The object that provides malloc: its link map, as _dl_find_object names it. */
extern const void *hr_allocator_map;
/* The symbol after ours, else the one that the caller's own dependencies hold (RTLD_LOCAL modules), else NULL. */
void *hr_real_symbol(const char *name, const void *caller);
/* Does the address belong to the library that provides malloc? */
bool hr_real_in_allocator(const void *address);
/* Fills provider[], allocator_name and warnings of the header. In the constructor and after a fork. */
void hr_real_publish(struct hr_header *header);

/* ---- boot.c: what is handed out before the next allocator is known ---------------------------- */

void *hr_boot_alloc(size_t size, size_t alignment);
void *hr_boot_realloc(void *p, size_t size);
size_t hr_boot_size(const void *p);
extern char hr_boot_arena[];
#define BOOT_BYTES (64u << 10)
/* Boot blocks stay recognisable for ever; they are never freed. */
static inline bool hr_boot_owns(const void *p)
{
	return (uintptr_t)p - (uintptr_t)hr_boot_arena < BOOT_BYTES;
}

/* ---- thread.c: one block of state a thread, and the guard ------------------------------------- */

#define WALK_MAX 1024 /* frames of a stack that are kept; deeper ones hang under <truncated> */

/* A frame of a kept trace: the registers there and what the walk read to get to its caller. */
struct frame {
	uintptr_t ip, sp, fp;
	uintptr_t fp_slot;  /* where the caller's fp was read, 0 = it was not read, or does not matter */
	uintptr_t cfa_slot; /* where the CFA was read, 0 = it was computed */
	uint32_t node;      /* the stack from the root to here */
	uint32_t words;     /* of thread.words: what a walk from here outwards reads */
	uint16_t module;
	uint8_t fp_matters; /* the walk from here outwards depends on fp */
	uint8_t volatile_rule; /* its object may go away unseen: not to be kept */
};

/* A word of the stack that a walk read, and what it held. */
struct word {
	uintptr_t slot, value;
};

/* A whole trace, by where it begins: see unwind.c. */
#define MEMO_ENTRIES 128u
#define MEMO_WORDS 44u
struct memo {
	uintptr_t ip, sp, fp;
	uint64_t generation;
	uint32_t node, site;
	uint32_t words; /* a multiple of four: the last one is repeated */
	bool fp_matters;
	bool plain; /* there is no Lua in it, for sure */
	uint32_t offset[MEMO_WORDS]; /* of each word, from sp, in bytes */
	uintptr_t value[MEMO_WORDS];
};

struct thread {
	uintptr_t pointer;               /* of the thread control block: who it is */
	uintptr_t stack_low, stack_high; /* its stack; low = 0: not known yet */
	int tid;
	uint32_t row;                    /* in the threads section */
	uint16_t stripe;
	bool own_stripe;                 /* no other thread counts there */
	uint32_t until_tick;             /* events until the clock is looked at */
	uint64_t events;                 /* up to the last tick */
	int64_t slack;                   /* change of the total not yet told */
	const void *last_block;          /* the thread's newest block: for `temporary` */
	const void *deleting;            /* block whose operator delete is under way, booked already */
	lock_word *held;
	uint32_t owning;                 /* between hr_own_begin and hr_own_end; written by the thread alone */
	uint32_t stopped;                /* it waits before the next hr_own_begin is over; written by who stops it */
	struct live_hand {               /* live.h: its newest block, not yet in the table; NULL: none */
		const void *block;
		struct live_entry {
			uint32_t site;
			uint64_t size, age;
			bool inherited;
		} entry;
	} hand;
	uint32_t hand_taken;             /* times another thread freed what was in hand; from HAND_TAKEN_MAX on there is no hand */
	uint64_t random;
	int64_t sample_left;             /* bytes until the next sampled stack */
	struct vm *vm;                   /* LuaJIT VM whose allocator, or creation, runs in this thread */
	struct vm *last_vm;              /* whose allocator ran last: LuaJIT maps machine code outside of it */
	bool quiet_frees;                /* lua_close of a VM whose first blocks were not seen */

	/* the last stack, outermost frame first */
	uint64_t kept_generation;
	uintptr_t end_ip;                /* where it ended without unwind information, 0 = at the end of the stack */
	uint32_t root;
	uint32_t depth;
	struct frame kept[WALK_MAX];
	struct word words[3 * WALK_MAX];
	struct memo memo[MEMO_ENTRIES];
	struct memo *recent; /* the one that was right last */
	uint32_t memo_hand;  /* which of a set is replaced next */
	struct frame walk[WALK_MAX];     /* frames of the walk under way, innermost first */
};

extern __thread uintptr_t hr_guard __attribute__((tls_model("initial-exec")));
extern __thread struct thread *hr_self __attribute__((tls_model("initial-exec")));

cold struct thread *hr_thread_attach(void); /* NULL: no memory, or no room */
cold bool hr_guard_is_stale(uintptr_t stack_pointer);
/* pthread_create tells how large the stack of a thread pointer is. */
void hr_thread_stack_size(uintptr_t pointer, size_t size);
void hr_thread_forked(void); /* in the child: the other threads are gone */
uint32_t hr_threads_used(void);
void hr_threads_geometry(struct hr_live_geometry *geometry); /* where their hands are */
struct thread *hr_thread_at(uint32_t i); /* i < hr_threads_used(): the block of a thread that lives, or of one that is gone */
/*
 * Stops `other`, NULL: all but the caller: waits until it is outside of what is its own, where it stays until hr_resume.
 * One thread at a time can stop others. Nothing of ours may be held, and nothing of the caller's own be under way.
 */
void hr_stop(struct thread *t, struct thread *other);
void hr_resume(struct thread *t, struct thread *other);
cold void hr_own_wait(struct thread *t);
/*
 * What is a thread's own it uses between these two. Others hardly ever touch it, so it costs two stores, and no locked
 * instruction: who must touch it stops the thread, which has the barrier for both (hr_stop).
 */
static inline void hr_own_begin(struct thread *t)
{
	__atomic_store_n(&t->owning, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* and no more: hr_stop sends a barrier to every processor */
	if (unlikely(__atomic_load_n(&t->stopped, __ATOMIC_ACQUIRE)))
		hr_own_wait(t);
}
static inline void hr_own_end(struct thread *t)
{
	__atomic_store_n(&t->owning, 0, __ATOMIC_RELEASE);
}
void hr_thread_publish(struct thread *t);
void hr_thread_stack_check(struct thread *t); /* a stack not known when the thread began: ask again */
int64_t hr_thread_take_slack(void); /* sum of all threads' slack, which becomes 0 */

/* ---- track.c: the way of one allocation ------------------------------------------------------- */

/* What was there before a realloc, taken out of the live table. */
struct taken {
	bool known, inherited;
	const void *block;
	uint32_t site;
	uint64_t size;
	uint64_t age;
};

/*
 * Begins a hook: NULL when nothing is to be recorded (our own code is running, recording is off), and
 * the caller passes straight through. Else the guard is up until hr_leave.
 */
static inline struct thread *hr_enter(const void *frame);
static inline void hr_leave(void);

void hr_track_hands(struct thread *t); /* in a forked child: places what is in the threads' hands */
void hr_track_alloc(struct thread *t, const uintptr_t *frame, const void *block, size_t size);
void hr_track_free(struct thread *t, const void *block);
void hr_track_take(struct thread *t, const void *block, struct taken *old);
void hr_track_put_back(struct thread *t, const void *block, const struct taken *old);
void hr_track_dropped(struct thread *t, const struct taken *old); /* realloc to size 0 freed it */
void hr_track_resized(struct thread *t, const uintptr_t *frame, const void *block, size_t size, const struct taken *old);

/* ---- hooks.c, for hooks_new.c ------------------------------------------------------------------ */

/* Books a block that operator new got from the allocator itself. The guard is down. */
void hr_hook_allocated(const uintptr_t *frame, void *p, size_t size);
/* Books a block that operator delete is about to give back; NULL: nothing is recorded. `deleting` is to be cleared after. */
struct thread *hr_hook_deleting(const uintptr_t *frame, void *p);

/* ---- start.c: the constructor, the gate, fork ------------------------------------------------- */

enum gate {
	GATE_ASK = 0, /* wiped by a fork, or not started: the slow path decides */
	GATE_RECORDING = 1,
};
extern volatile uint32_t *hr_gate; /* in a page of its own, MADV_WIPEONFORK */
cold bool hr_gate_ask(void);       /* true: recording may go on */
void hr_main_begins(void); /* by ARCH_START_MAIN, as these: */
extern void *hr_program_main;
void *hr_start_main(void *program_main);

/* ---- modules.c -------------------------------------------------------------------------------- */

enum module_class { MODULE_PROGRAM, MODULE_ALLOCATOR, MODULE_LUAJIT, MODULE_LOADER, MODULE_HEAPRAY };
struct object {
	uintptr_t start, end;
	const void *eh_frame_hdr;
	const void *link_map;
};
bool hr_object_at(uintptr_t address, struct object *object); /* lock-free; false: no object there */
uint32_t hr_module_of(struct thread *t, const struct object *object); /* row; 0: tables full */
enum module_class hr_module_class(uintptr_t address);
enum module_class hr_module_row_class(uint32_t module);
bool hr_module_vanishes(uint32_t module); /* gconv, nss: unloaded without a dlclose */
void hr_modules_start(void);
void hr_modules_closed(void); /* after a dlclose: rows of unloaded objects are not matched again */
void hr_modules_republish(void);

/* ---- domains.c -------------------------------------------------------------------------------- */

#define DOMAINS_MAX 1024
enum { DOMAIN_ALLOCATOR, DOMAIN_MMAP };
void hr_domains_start(void);
uint32_t hr_domain_new(struct thread *t, enum hr_domain_kind kind, uint32_t subsystem, const char *name); /* 0: no room */
struct hr_domain *hr_domain_row(uint32_t domain);
void hr_domains_republish(void);

/* ---- maps.c: what was mmapped ----------------------------------------------------------------- */

void hr_maps_start(void);
bool hr_maps_ready(void);
void hr_maps_own(uintptr_t start, size_t length); /* memory of the shim's own tables */
struct map_request {
	uintptr_t start;
	size_t length;
	enum hr_mapping_kind kind;
	uint32_t domain, module, site;
	struct vm *vm;
	bool direct;    /* of a VM: one large block */
	bool inherited; /* mapped before a fork */
};
void hr_maps_add(struct thread *t, struct map_request request);
void hr_maps_remove(struct thread *t, uintptr_t start, size_t length);
/* What is mapped at the address; false: nothing that is booked. start and length are of the whole interval. */
bool hr_maps_at(struct thread *t, uintptr_t address, struct map_request *out);
/* A direct mmap turns out to be backing of a VM. */
void hr_maps_become(struct thread *t, uintptr_t address, struct vm *vm);
void hr_maps_executable(struct thread *t, uintptr_t start, size_t length); /* mprotect gave PROT_EXEC */
void hr_maps_rebuild(void); /* in a forked child: direct mmaps, to their sites */
void hr_maps_republish(void);
/* The first interval of a kind from *at on; *at goes behind it. */
bool hr_maps_next(struct thread *t, uintptr_t *at, enum hr_mapping_kind kind, struct map_request *out);
void hr_maps_lock(void); /* around fork */
void hr_maps_unlock(void);

/* ---- zones.c ---------------------------------------------------------------------------------- */

void hr_zones_start(void);
bool hr_zone_caller(uintptr_t caller); /* is the return address in ngx_shm_alloc? */
void hr_zone_mapped(struct thread *t, uintptr_t address, size_t size);
void hr_zone_unmapped(struct thread *t, uintptr_t address);
uint64_t hr_zones_bytes(void); /* of all that are mapped */
void hr_zones_tick(struct thread *t, uint64_t now);
void hr_zones_republish(void);

/* ---- luajit.c --------------------------------------------------------------------------------- */

void hr_luajit_start(void);
struct vm;
/* `bytes` of backing came (or went, when negative) for the VM. */
void hr_vm_mapped(struct vm *vm, enum hr_mapping_kind kind, bool direct, int64_t bytes);
uint32_t hr_vm_domain(const struct vm *vm); /* 0: vm is NULL */
bool hr_vm_asks_direct(const struct vm *vm); /* the request under way is for a block with a mapping of its own */
void hr_luajit_rebuild(void); /* in a forked child: what each VM holds, to its site */

/* ---- lua_inside.c: LuaJIT that is linked into the program --------------------------------------- */

extern bool hr_lua_inside; /* the program exports its functions */
/* Does a VM's allocator of the program ask for a mapping? */
bool hr_lua_inside_asks(const struct thread *t, uintptr_t caller);
/* The program made memory executable, which may be a VM's machine code. */
void hr_lua_inside_code(struct thread *t, uintptr_t caller, uintptr_t start);
/* The program mapped memory, perhaps for a VM. */
void hr_lua_inside_mapped(struct thread *t, uintptr_t caller, uintptr_t start, size_t length);

/* ---- lua_node.c ------------------------------------------------------------------------------- */

extern bool hr_lua_stacks; /* some VM of this process has Lua stacks */
/* The site that hr_unwind_site just gave for this frame: where its stack leads through Lua, the one with the Lua frames in it. */
uint32_t hr_lua_site(struct thread *t, const uintptr_t *frame, uint32_t site);

/* ---- heaps.c ----------------------------------------------------------------------------------- */

void hr_heaps_rebuild(void); /* in a forked child */

/* ---- segment.c: the file ---------------------------------------------------------------------- */

extern struct hr_header *hr_header; /* never NULL: a private one when nothing can be published */
/* Makes the file of this process. 0, or -1 with a reason for people. */
int hr_segment_create(const char **reason, bool first); /* first: not a forked child's */
void hr_segment_before_fork(void);
void hr_segment_forked(void); /* in the parent: once in so many forks it removes segments of ended processes */
void hr_segment_let_go(void); /* a child that could make none of its own must not write in its parent's */
extern struct hr_header hr_identity; /* what each segment of this process and its children begins with */
bool hr_segment_published(void);
void *hr_segment_section(enum hr_section_kind kind); /* first row; NULL: nothing is published */
/* Makes rows up to and including `row` writable. false: the file system or the section is full (counted). */
bool hr_segment_reach(enum hr_section_kind kind, uint64_t row);
/* In a forked child: the first `count` rows, which hr_segment_reach made writable, as make_row makes each. */
void hr_segment_fill(enum hr_section_kind kind, uint64_t count, void (*make_row)(void *row, uint64_t id));
void hr_segment_used(enum hr_section_kind kind, uint64_t used); /* release: publishes rows below */
uint64_t hr_segment_capacity(enum hr_section_kind kind);
void hr_lost(enum hr_lost reason);
struct hr_str hr_segment_string(struct thread *t, const char *text, size_t length); /* {0,0}: no room */
void hr_strings_republish(bool all); /* all, or those of the header */
void hr_strings_of_header(void);     /* what was added so far belongs to the header */

/* ---- publish.c: what is done now and then, from events ----------------------------------------- */

#define TICK_EVENTS 64
cold void hr_tick(struct thread *t);
extern _Atomic uint64_t hr_now_ns; /* of the last tick */
extern _Atomic uint32_t hr_age;    /* the same, in units of HR_LIVE_AGE_NS since the start */
static inline uint64_t hr_now(void)
{
	return atomic_load_explicit(&hr_now_ns, memory_order_relaxed);
}
static inline uint64_t hr_age_now(void)
{
	return atomic_load_explicit(&hr_age, memory_order_relaxed);
}
void hr_publish_start(char **argv);
void hr_publish_forked(void);
void hr_publish_generation(void); /* before a fork: of nginx's reloads */

/* ---- allocator_stats.c ------------------------------------------------------------------------- */

void hr_allocator_stats_start(void);
void hr_allocator_stats_tick(uint64_t now);
void hr_allocator_stats_forked(void);

/* ---- ledger.c: the compact ledger, for ended processes ------------------------------------------ */

void hr_ledger_start(void); /* in the constructor, before the heap is */
void hr_ledger_publish(uint64_t now, uint64_t virtual_bytes, uint64_t resident_bytes);

/* ---- inline parts ------------------------------------------------------------------------------ */

static inline struct thread *hr_enter(const void *frame)
{
	if (unlikely(hr_guard != 0)) {
		if (likely(!hr_guard_is_stale((uintptr_t)frame)))
			return NULL;
	}
	if (unlikely(*hr_gate != GATE_RECORDING) && !hr_gate_ask())
		return NULL;
	hr_guard = (uintptr_t)frame;
	struct thread *t = hr_self;
	if (unlikely(t == NULL)) {
		t = hr_thread_attach();
		if (t == NULL)
			hr_guard = 0;
	}
	return t;
}

static inline void hr_leave(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	hr_guard = 0;
}

#include "unwind.h"
#include "sites.h"
#include "live.h"

#endif
