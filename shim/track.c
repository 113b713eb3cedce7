/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * track.c - the way of one allocation, and there is no other way:
 *
 *   allocated   prefetch its slot -> stack id -> site -> live table -> counters
 *   freed       out of the live table -> counters                         before the real free
 *   resized     out of the live table -> the real realloc -> back in, and one change of the total
 *
 * The guard is up. A free is booked before the real one: afterwards another thread may own the address.
 */
#include "shim.h"

static inline void event(struct thread *t)
{
	if (unlikely(--t->until_tick == 0))
		hr_tick(t);
}

/* An allocation: each 64th event is also looked at for what the allocator rounded it up to. */
static inline void event_of(struct thread *t, const void *block, size_t size)
{
	if (unlikely(t->until_tick == 1) && size) {
		count_add(&hr_header->usable_sampled_requested, size);
		count_add(&hr_header->usable_sampled_usable, hr_next.usable_size((void *)block));
	}
	event(t);
}

static inline void went(struct thread *t, const void *block, uint32_t site, uint64_t size, bool temporary, bool inherited)
{
	if (hr_sampling() && hr_sampled(site))
		hr_sampled_event(t, (struct sampled){block, site, size, inherited}, (struct sampled){0});
	else
		hr_site_freed(t, site, size, temporary, inherited);
}

/* A block's free went past us: inside our own code, or in a way nobody hooks. */
static cold void was_freed(struct thread *t, const void *block, const struct live_entry *e)
{
	count_add(&hr_header->lost[HR_LOST_NESTED], 1);
	went(t, block, e->site, e->size, false, e->inherited);
}

static inline void put(struct thread *t, const void *block, const struct live_entry *entry)
{
	struct live_entry old;
	const void *again = hr_live_put(t, block, entry, &old);
	if (unlikely(again != NULL))
		was_freed(t, again, &old);
}

void hr_track_hands(struct thread *t)
{
	struct live_entry old;
	for (uint32_t i = 0; i < hr_threads_used(); i++) {
		struct live_hand *hand = &hr_thread_at(i)->hand;
		if (hand->block && hr_live_place(t, hand->block, &hand->entry, &old))
			was_freed(t, hand->block, &old);
		hand->block = NULL;
	}
}

/* The site of the calling stack, with the lines of Lua that led to it. */
static inline uint32_t site_of(struct thread *t, const uintptr_t *frame, size_t size)
{
	if (hr_sampling())
		return hr_sampled_site(t, frame, size);
	uint32_t site = hr_unwind_site(t, frame);
	return unlikely(hr_lua_stacks) ? hr_lua_site(t, frame, site) : site;
}

static inline uint32_t put_new(struct thread *t, const uintptr_t *frame, const void *block, size_t size)
{
	hr_live_coming(t, block);
	uint32_t site = site_of(t, frame, size);
	const struct live_entry entry = {.site = site, .size = size, .age = hr_age_now()};
	put(t, block, &entry);
	t->last_block = block;
	return site;
}

void hr_track_alloc(struct thread *t, const uintptr_t *frame, const void *block, size_t size)
{
	if (unlikely(block == NULL))
		return;
	uint32_t site = put_new(t, frame, block, size);
	if (hr_sampling() && hr_sampled(site))
		hr_sampled_event(t, (struct sampled){0}, (struct sampled){.block = block, .site = site, .size = size});
	else
		hr_site_allocated(t, site, size);
	event_of(t, block, size);
}

void hr_track_free(struct thread *t, const void *block)
{
	struct live_entry entry;
	if (unlikely(!hr_live_take(t, block, &entry))) {
		if (!t->quiet_frees)
			count_add(&hr_header->unknown_frees, 1);
		return;
	}
	went(t, block, entry.site, entry.size, block == t->last_block, entry.inherited);
	t->last_block = NULL;
	event(t);
}

void hr_track_take(struct thread *t, const void *block, struct taken *old)
{
	struct live_entry entry;
	old->known = hr_live_take(t, block, &entry);
	if (unlikely(!old->known)) {
		count_add(&hr_header->unknown_frees, 1);
		return;
	}
	old->inherited = entry.inherited;
	old->block = block;
	old->site = entry.site;
	old->size = entry.size;
	old->age = entry.age;
}

void hr_track_put_back(struct thread *t, const void *block, const struct taken *old)
{
	const struct live_entry entry = {.site = old->site, .size = old->size, .age = old->age, .inherited = old->inherited};
	if (old->known)
		put(t, block, &entry);
}

void hr_track_resized(struct thread *t, const uintptr_t *frame, const void *block, size_t size, const struct taken *old)
{
	if (!old->known) {
		hr_track_alloc(t, frame, block, size);
		return;
	}
	uint32_t site = put_new(t, frame, block, size);
	if (hr_sampling() && (hr_sampled(site) || hr_sampled(old->site)))
		hr_sampled_event(t, (struct sampled){old->block, old->site, old->size, old->inherited},
			(struct sampled){.block = block, .site = site, .size = size});
	else
		hr_site_resized(t, old->site, old->size, old->inherited, site, size);
	event(t);
}

void hr_track_dropped(struct thread *t, const struct taken *old)
{
	if (old->known)
		went(t, old->block, old->site, old->size, false, old->inherited);
	event(t);
}
