/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.h - the live table, address -> {site, size, age}, and the newest block, which is kept in hand. Of shim.h.
 */
#ifndef HEAPRAY_LIVE_H
#define HEAPRAY_LIVE_H

#include "shim.h"

/* ---- live.c: address -> {site, size, age} ----------------------------------------------------- */

void hr_live_start(void);
void hr_live_prefetch(const void *block); /* begins to fetch the block's slot into the cache */
/* Places a block in the table. True: there was another under this address (its free was not seen), now in *old. */
bool hr_live_place(struct thread *t, const void *block, const struct live_entry *entry, struct live_entry *old);
bool hr_live_remove(struct thread *t, const void *block, struct live_entry *entry);
/*
 * A thread's newest block is kept in its hand: one that is freed at once never sees the table, any other is placed when
 * the next one comes, its slot in the cache by then. A thread whose blocks are freed by others has none.
 */
#define HAND_TAKEN_MAX 4u
/* Field by field: what was just stored so would have to be waited for by a copy of all in one. */
static inline void hr_live_copy(struct live_entry *to, const struct live_entry *from)
{
	to->site = from->site;
	to->size = from->size;
	to->age = from->age;
	to->inherited = from->inherited;
}
const void *hr_live_put_shared(struct thread *t, const void *block, const struct live_entry *entry, struct live_entry *old);
bool hr_live_take_shared(struct thread *t, const void *block, struct live_entry *entry);

/* Begins to fetch what the put of this block is going to write. */
static inline void hr_live_coming(const struct thread *t, const void *block)
{
	const void *placed = likely(t->hand_taken < HAND_TAKEN_MAX) ? t->hand.block : block;
	if (placed)
		hr_live_prefetch(placed);
}

/* Puts a block in. What it returns lay, by *old, under an address that was given out again; NULL: nothing. */
static inline const void *hr_live_put(struct thread *t, const void *block, const struct live_entry *entry, struct live_entry *old)
{
	if (unlikely(!__libc_single_threaded))
		return hr_live_put_shared(t, block, entry, old);
	const void *before = t->hand.block;
	bool again = false;
	if (before == block)
		again = true, *old = t->hand.entry;
	else if (before)
		again = hr_live_place(t, before, &t->hand.entry, old);
	hr_live_copy(&t->hand.entry, entry);
	t->hand.block = block;
	return again ? before : NULL;
}

static inline bool hr_live_take(struct thread *t, const void *block, struct live_entry *entry)
{
	if (unlikely(!__libc_single_threaded))
		return hr_live_take_shared(t, block, entry);
	if (block == t->hand.block) {
		hr_live_copy(entry, &t->hand.entry);
		t->hand.block = NULL;
		return true;
	}
	return hr_live_remove(t, block, entry);
}
void hr_live_lock_all(struct thread *t);   /* around fork */
void hr_live_unlock_all(struct thread *t);
void hr_live_each(void (*visit)(void *arg, const void *block, uint32_t site, uint64_t size), void *arg);
void hr_live_new_generation(void); /* a fork: what is in it becomes inherited */
void hr_live_geometry(struct hr_live_geometry *geometry);

#endif
