/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - the shim's own memory and its locks.
 *
 * Memory comes from mmap alone, never from the program's allocator. Tables whose bound is known are
 * reserved whole (untouched pages cost nothing) and count as ours when they are touched.
 *
 * A lock is a word holding the owner's thread id. Holders call nothing that waits, so a waiter spins.
 * A thread that left a hook by longjmp (from a signal handler) while holding a lock gives it back when
 * it is next seen (hr_guard_is_stale); so a lock cannot stay taken for good.
 */
#include <string.h>
#include <sys/uio.h>

#include "shim.h"

void hr_lock(struct thread *t, lock_word *lock)
{
	uint32_t me = t ? (uint32_t)t->tid : UINT32_MAX;
	uint32_t spins = 0;
	for (;;) {
		uint32_t free_word = 0;
		/* acquire: pairs with the release in hr_unlock; what the last holder wrote is seen */
		if (atomic_compare_exchange_weak_explicit(lock, &free_word, me, memory_order_acquire, memory_order_relaxed))
			break;
		if (++spins % 64 == 0)
			sys_yield();
		else
			arch_pause();
	}
	if (t)
		t->held = lock;
}

void hr_unlock(struct thread *t, lock_word *lock)
{
	if (t)
		t->held = NULL;
	atomic_store_explicit(lock, 0, memory_order_release);
}

static void *take(size_t bytes, int flags)
{
	void *p = sys_alloc_flags(bytes, flags);
	if (p == NULL)
		hr_lost(HR_LOST_NO_MEMORY);
	else
		hr_memory_touched(bytes);
	return p;
}

void *hr_memory(size_t bytes)
{
	return take(bytes, 0);
}

void *hr_memory_populated(size_t bytes)
{
	return take(bytes, MAP_POPULATE);
}

void hr_memory_free(void *p, size_t bytes)
{
	sys_free(p, bytes);
	__atomic_fetch_sub(&hr_header->own_private_bytes, bytes, __ATOMIC_RELAXED);
}

/* Tables are in the books as ours, so that the ledger can name them; those made before the books, a little later. */
static struct { void *start; size_t bytes; } early[16];
static uint32_t early_count;

static void book(void *p, size_t bytes)
{
	if (hr_maps_ready())
		hr_maps_own((uintptr_t)p, (bytes + SYS_PAGE - 1) & ~(SYS_PAGE - 1));
	else if (early_count < sizeof early / sizeof *early)
		early[early_count].start = p, early[early_count++].bytes = bytes;
}

void hr_memory_book_early(void)
{
	for (uint32_t i = 0; i < early_count; i++)
		book(early[i].start, early[i].bytes);
}

void *hr_memory_reserve(size_t bytes)
{
	void *p = sys_alloc(bytes);
	if (p == NULL)
		hr_lost(HR_LOST_NO_MEMORY);
	else
		book(p, bytes);
	return p;
}

void *hr_memory_index(size_t bytes)
{
	void *p = hr_memory(bytes);
	if (p)
		book(p, bytes);
	return p;
}

void hr_memory_touched(size_t bytes)
{
	__atomic_fetch_add(&hr_header->own_private_bytes, bytes, __ATOMIC_RELAXED);
}

void hr_memory_huge(void *p, size_t bytes)
{
	sys_madvise(p, bytes, MADV_HUGEPAGE); /* where there are none, small ones */
}

void hr_memory_write(const void *from, void *to, size_t bytes)
{
	const struct iovec ours = {(void *)from, bytes}, theirs = {to, bytes};
	if (arch_syscall6(SYS_process_vm_writev, sys_getpid(), (long)&ours, 1, (long)&theirs, 1, 0) != (long)bytes)
		memcpy(to, from, bytes);
}
