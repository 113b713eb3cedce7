/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread.c - one block of state a thread, and the guard.
 *
 * A block is found through one TLS word, made at the thread's first event, and never handed back by the
 * thread: its last events come after every TLS destructor. Instead a new thread takes over the block of
 * one that is gone: the block with its own thread pointer (glibc reuses stacks, and no two live threads
 * share one), else any whose thread id no longer exists. So their number is bounded by the threads that
 * lived at once.
 *
 * The guard is a TLS word: the frame address of the hook that is running, 0 when none is. A siglongjmp
 * out of a hook would leave it up for ever; it is stale when the stack has since been unwound past it.
 * That can only be told on one and the same stack, so on any other the guard counts as up.
 *
 * Some things are a thread's own and still touched by others now and then (live.h). A lock would be paid for by the
 * owner each time. Instead the owner says `owning` and looks at `stopped`, plain words; the other one says `stopped`,
 * has the kernel send a barrier to every processor (membarrier), and waits until `owning` is gone: either it sees that
 * word, or the owner sees its.
 */
#include <stddef.h>

#include "shim.h"

#define BLOCKS_MAX 65536u

__thread uintptr_t hr_guard;
__thread struct thread *hr_self;

static struct thread *_Atomic *blocks; /* BLOCKS_MAX pointers */
static _Atomic uint32_t blocks_used;
static lock_word attach_lock, stop_lock;

/* Sizes of stacks that pthread_create was asked for, by thread pointer; a small cache is enough, since a
 * thread looks its own up until it finds it. */
#define STACK_SIZES 1024u
static struct { _Atomic uintptr_t pointer; _Atomic size_t size; } stack_sizes[STACK_SIZES];

_Static_assert(sizeof(struct live_hand) == sizeof(struct hr_live_hand) &&
	offsetof(struct live_hand, entry.site) == offsetof(struct hr_live_hand, site) &&
	offsetof(struct live_hand, entry.size) == offsetof(struct hr_live_hand, size) &&
	offsetof(struct live_hand, entry.age) == offsetof(struct hr_live_hand, age), "as it is published");

extern void *__libc_stack_end; /* of the loader: where the program's first stack ends */
static int main_tid;

static uint32_t stack_slot(uintptr_t pointer)
{
	return (uint32_t)((pointer >> 12) * 0x9e3779b97f4a7c15ull >> 40) % STACK_SIZES;
}

void hr_thread_stack_size(uintptr_t pointer, size_t size)
{
	uint32_t slot = stack_slot(pointer);
	atomic_store_explicit(&stack_sizes[slot].pointer, 0, memory_order_relaxed);
	atomic_store_explicit(&stack_sizes[slot].size, size, memory_order_release);
	atomic_store_explicit(&stack_sizes[slot].pointer, pointer, memory_order_release);
}

static void find_stack(struct thread *t)
{
	if (t->tid == main_tid) {
		/* No mapping is placed within the stack's limit below it; 8 MiB is the usual one. */
		t->stack_high = (uintptr_t)__libc_stack_end;
		t->stack_low = t->stack_high - (8u << 20);
		return;
	}
	uint32_t slot = stack_slot(t->pointer);
	if (atomic_load_explicit(&stack_sizes[slot].pointer, memory_order_acquire) != t->pointer)
		return;
	size_t size = atomic_load_explicit(&stack_sizes[slot].size, memory_order_acquire);
	/* The thread pointer lies in the top page or two of the stack: the rest of `size` is below it. One
	 * page less on the safe side, for a guard that the size includes. */
	t->stack_high = t->pointer;
	t->stack_low = size > 4 * SYS_PAGE ? t->pointer - size + 4 * SYS_PAGE : 0;
}

static bool take_over(struct thread *t, uintptr_t pointer, int pid)
{
	return t->pointer == pointer || (t->tid != 0 && !sys_thread_lives(pid, t->tid));
}

static struct thread *find_block(uintptr_t pointer)
{
	static uint32_t hand; /* where the search for a dead thread goes on; under attach_lock */
	int pid = sys_getpid();
	uint32_t used = atomic_load(&blocks_used);
	for (uint32_t i = 0; i < used; i++)
		if (blocks[i]->pointer == pointer)
			return blocks[i];
	for (uint32_t i = 0; i < used && i < 64; i++) {
		hand = (hand + 1) % used;
		if (take_over(blocks[hand], pointer, pid))
			return blocks[hand];
	}
	if (used == BLOCKS_MAX)
		return NULL;
	struct thread *t = hr_memory_reserve(sizeof *t);
	if (t == NULL)
		return NULL;
	hr_memory_touched(2 * SYS_PAGE);
	t->row = used;
	t->own_stripe = used < OWN_STRIPES;
	t->stripe = (uint16_t)(t->own_stripe ? used : OWN_STRIPES + used % (STRIPES - OWN_STRIPES));
	t->random = 0x9e3779b97f4a7c15ull * (used + 1) ^ (uint64_t)pid << 32 ^ sys_realtime_ns();
	blocks[used] = t;
	atomic_store(&blocks_used, used + 1);
	return t;
}

void hr_thread_publish(struct thread *t)
{
	struct hr_thread *rows = hr_segment_section(HR_THREADS);
	if (!hr_segment_reach(HR_THREADS, t->row))
		return;
	struct hr_thread *row = &rows[t->row];
	if (row->tid != (uint64_t)t->tid) {
		row->tid = (uint64_t)t->tid;
		row->started_ns = hr_now();
	}
	row->thread_pointer = t->pointer;
	row->stack_low = t->stack_low;
	row->stack_high = t->stack_high;
	row->events = t->events + TICK_EVENTS - t->until_tick;
	hr_segment_used(HR_THREADS, atomic_load(&blocks_used));
}

struct thread *hr_thread_attach(void)
{
	uintptr_t pointer = arch_thread_pointer();
	if (blocks == NULL) {
		blocks = hr_memory_reserve(BLOCKS_MAX * sizeof *blocks);
		if (blocks == NULL)
			return NULL;
		hr_memory_touched(SYS_PAGE);
		main_tid = sys_getpid();
	}
	hr_lock(NULL, &attach_lock);
	struct thread *t = find_block(pointer);
	if (t) {
		t->pointer = pointer;
		t->tid = sys_gettid();
		t->stack_low = t->stack_high = 0;
		t->depth = 0;
		t->held = NULL;
		t->owning = 0;
		t->last_block = t->deleting = NULL;
		t->until_tick = TICK_EVENTS;
		t->recent = t->memo;
		t->vm = NULL;
		if (hr_sampling() && t->sample_left <= 0)
			t->sample_left = hr_sample_next(&t->random, hr_config.sample_bytes);
	}
	hr_unlock(NULL, &attach_lock);
	if (t == NULL) {
		hr_lost(HR_LOST_THREADS_FULL);
		return NULL;
	}
	find_stack(t);
	hr_self = t;
	hr_thread_publish(t);
	hr_header->live.thread_count = hr_threads_used();
	return t;
}

/* A thread whose stack was not known when it began asks again now and then (its creator tells). */
static bool own_stack(struct thread *t, uintptr_t sp)
{
	return t && t->stack_low && sp >= t->stack_low && sp < t->stack_high;
}

bool hr_guard_is_stale(uintptr_t sp)
{
	struct thread *t = hr_self;
	uintptr_t guard = hr_guard;
	if (sp <= guard || !own_stack(t, sp) || !own_stack(t, guard))
		return false;
	if (t->held) { /* it was longjmp'ed away while holding a lock of ours */
		lock_word *held = t->held;
		if (atomic_load(held) == (uint32_t)t->tid)
			hr_unlock(t, held);
		t->held = NULL;
	}
	hr_own_end(t);
	if (atomic_load(&stop_lock) == (uint32_t)t->tid)
		hr_resume(t, NULL);
	t->depth = 0;
	t->vm = NULL;
	hr_guard = 0;
	return true;
}

void hr_thread_stack_check(struct thread *t)
{
	if (t->stack_low == 0)
		find_stack(t);
}

/* ---- what is a thread's own ------------------------------------------------------------------- */

uint32_t hr_threads_used(void)
{
	return atomic_load(&blocks_used);
}

struct thread *hr_thread_at(uint32_t i)
{
	return blocks[i];
}

void hr_threads_geometry(struct hr_live_geometry *g)
{
	g->threads = (uintptr_t)blocks;
	g->thread_count = hr_threads_used();
	g->hand_offset = offsetof(struct thread, hand);
	for (uint32_t i = 0; i < g->thread_count; i++)
		g->blocks += __atomic_load_n(&blocks[i]->hand.block, __ATOMIC_RELAXED) != NULL;
}

void hr_own_wait(struct thread *t)
{
	do {
		hr_own_end(t);
		while (__atomic_load_n(&t->stopped, __ATOMIC_ACQUIRE))
			sys_yield();
		__atomic_store_n(&t->owning, 1, __ATOMIC_RELAXED);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	} while (__atomic_load_n(&t->stopped, __ATOMIC_ACQUIRE));
}

static void say_stopped(const struct thread *t, const struct thread *other, uint32_t stopped)
{
	uint32_t used = atomic_load(&blocks_used);
	for (uint32_t i = 0; i < used; i++)
		if (blocks[i] != t && (other == NULL || blocks[i] == other))
			__atomic_store_n(&blocks[i]->stopped, stopped, __ATOMIC_RELEASE);
}

/* It is there at once, or as soon as it runs again; unless it was cancelled in the middle, and never will be. */
static void await_outside(const struct thread *other)
{
	for (uint32_t spins = 1; __atomic_load_n(&other->owning, __ATOMIC_ACQUIRE); spins++) {
		if (spins % 1024 == 0 && !sys_thread_lives(sys_getpid(), other->tid))
			return;
		sys_yield();
	}
}

void hr_stop(struct thread *t, struct thread *other)
{
	hr_lock(t, &attach_lock); /* no thread gets a block, and begins to own things, meanwhile */
	hr_lock(t, &stop_lock);
	say_stopped(t, other, 1);
	if (!__libc_single_threaded)
		sys_barrier_everywhere();
	uint32_t used = atomic_load(&blocks_used);
	for (uint32_t i = 0; i < used; i++)
		if (blocks[i] != t && (other == NULL || blocks[i] == other))
			await_outside(blocks[i]);
}

void hr_resume(struct thread *t, struct thread *other)
{
	say_stopped(t, other, 0);
	hr_unlock(t, &stop_lock);
	hr_unlock(t, &attach_lock);
}

/* ---- fork --------------------------------------------------------------------------------------- */

void hr_thread_forked(void)
{
	atomic_store(&attach_lock, 0);
	atomic_store(&stop_lock, 0);
	struct thread *me = hr_self;
	if (me == NULL || blocks == NULL)
		return;
	int tid = sys_gettid();
	if (me->tid == main_tid)
		main_tid = tid;
	uint32_t used = atomic_load(&blocks_used);
	for (uint32_t i = 0; i < used; i++) {
		struct thread *t = blocks[i];
		t->slack = 0;
		t->held = NULL;
		t->owning = t->stopped = 0;
		if (t != me)
			t->pointer = 0;
	}
	me->tid = tid;
}

int64_t hr_thread_take_slack(void)
{
	int64_t sum = 0;
	uint32_t used = atomic_load(&blocks_used);
	for (uint32_t i = 0; i < used; i++)
		sum += __atomic_exchange_n(&blocks[i]->slack, 0, __ATOMIC_RELAXED);
	return sum;
}
