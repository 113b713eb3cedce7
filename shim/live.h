/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.h - the live table, address -> {site, size, age}, and the newest block, which is kept in hand. Of shim.h.
 */
#ifndef HEAPRAY_LIVE_H
#define HEAPRAY_LIVE_H

#include "shim.h"

/* ---- live.c: address -> {site, size, age} ----------------------------------------------------- */

struct live_entry {
	uint32_t site;
	uint64_t size, age;
	bool inherited;
};
void hr_live_start(void);
void hr_live_prefetch(const void *block); /* begins to fetch the block's slot into the cache */
/* Places a block in the table. True: there was another under this address (its free was not seen), now in *old. */
bool hr_live_place(struct thread *t, const void *block, const struct live_entry *entry, struct live_entry *old);
bool hr_live_remove(struct thread *t, const void *block, struct live_entry *entry);
/*
 * While there is one thread, the newest block is kept in hand: one that is freed at once never sees the table, any
 * other is placed when the next one comes, its slot in the cache by then. NULL: no block.
 */
struct live_hand {
	const void *block;
	struct live_entry entry;
};
extern struct live_hand hr_hand;
extern bool hr_hand_used; /* false for good from the second thread on */
static inline bool hr_alone(void)
{
	if (likely(__libc_single_threaded))
		return likely(hr_hand_used);
	if (unlikely(__atomic_load_n(&hr_hand_used, __ATOMIC_ACQUIRE)))
		hr_track_threads(); /* made by libc itself, past our pthread_create */
	return false;
}
/* Begins to fetch what the put of this block is going to write. */
static inline void hr_live_coming(const void *block)
{
	const void *placed = hr_alone() ? hr_hand.block : block;
	if (placed)
		hr_live_prefetch(placed);
}
/* Puts a block in. What it returns lay, by *old, under an address that was given out again; NULL: nothing. */
static inline const void *hr_live_put(struct thread *t, const void *block, const struct live_entry *entry, struct live_entry *old)
{
	if (unlikely(!hr_alone()))
		return hr_live_place(t, block, entry, old) ? block : NULL;
	const void *before = hr_hand.block;
	bool again = false;
	if (before == block)
		again = true, *old = hr_hand.entry;
	else if (before)
		again = hr_live_place(t, before, &hr_hand.entry, old);
	hr_hand.entry = *entry;
	hr_hand.block = block;
	return again ? before : NULL;
}
static inline bool hr_live_take(struct thread *t, const void *block, struct live_entry *entry)
{
	if (!hr_alone() || block != hr_hand.block)
		return hr_live_remove(t, block, entry);
	*entry = hr_hand.entry;
	hr_hand.block = NULL;
	return true;
}
void hr_live_lock_all(struct thread *t);   /* around fork */
void hr_live_unlock_all(struct thread *t);
void hr_live_each(void (*visit)(void *arg, const void *block, uint32_t site, uint64_t size), void *arg);
void hr_live_new_generation(void); /* a fork: what is in it becomes inherited */
void hr_live_geometry(struct hr_live_geometry *geometry);

#endif
