/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heaps.c - heaps that the program announces (include/heapray.h): each is a domain, its blocks are in the live
 * table like malloc's.
 *
 * A pool's first block may begin where its chunk does, so a heap's blocks are kept under their address with
 * bit 46 flipped: nothing is ever mapped there. A chunk that came from malloc stays in the table with size 0,
 * until it is freed: its bytes are the heap's backing from then on, and no block's.
 */
#include <string.h>

#include "heapray.h"
#include "shim.h"

#define FRAME ((const uintptr_t *)__builtin_frame_address(0))
#define HEAPS_MAX 64u
#define NAME_BYTES 64

#undef heapray_heap
#undef heapray_heap_chunk
#undef heapray_heap_alloc
#undef heapray_heap_resize
#undef heapray_heap_free

static struct {
	char name[NAME_BYTES];
	uint32_t domain;
	uint64_t live, count, peak;
} heaps[HEAPS_MAX];
static uint32_t used;
static lock_word lock;

static const void *key_of(const void *block)
{
	return (const void *)((uintptr_t)block ^ 1ull << 46);
}

static void publish(uint32_t heap)
{
	struct hr_domain *row = hr_domain_row(heaps[heap].domain);
	row->live_bytes = count_read(&heaps[heap].live);
	row->live_count = count_read(&heaps[heap].count);
	row->peak_bytes = count_read(&heaps[heap].peak);
}

static void changed(uint32_t heap, uint64_t bytes, uint64_t count)
{
	count_add(&heaps[heap].live, bytes);
	count_add(&heaps[heap].count, count);
	uint64_t live = count_read(&heaps[heap].live);
	if (live > count_read(&heaps[heap].peak))
		heaps[heap].peak = live;
	publish(heap);
}

static bool known(int heap)
{
	return heap >= 0 && (uint32_t)heap < __atomic_load_n(&used, __ATOMIC_ACQUIRE);
}

EXPORT int heapray_heap(const char *name)
{
	struct thread *t = name ? hr_enter(FRAME) : NULL;
	if (t == NULL)
		return -1;
	char full[5 + NAME_BYTES] = "heap:";
	size_t length = strnlen(name, NAME_BYTES - 1);
	memcpy(full + 5, name, length);
	int heap = -1;
	hr_lock(t, &lock);
	for (uint32_t i = 0; i < used && heap < 0; i++)
		if (strncmp(heaps[i].name, name, NAME_BYTES - 1) == 0)
			heap = (int)i;
	uint32_t free_slot = used;
	hr_unlock(t, &lock);
	if (heap < 0 && free_slot < HEAPS_MAX) {
		uint32_t domain = hr_domain_new(t, HR_DOMAIN_HEAP, 0, full);
		hr_lock(t, &lock);
		if (domain && used < HEAPS_MAX) {
			heap = (int)used;
			memcpy(heaps[used].name, name, length);
			heaps[used].domain = domain;
			__atomic_store_n(&used, used + 1, __ATOMIC_RELEASE); /* publishes the slot to known() */
		}
		hr_unlock(t, &lock);
	}
	hr_leave();
	return heap;
}

EXPORT void heapray_heap_chunk(int heap, const void *chunk, size_t size)
{
	struct live_entry entry, old;
	struct map_request mapped;
	struct thread *t = known(heap) ? hr_enter(FRAME) : NULL;
	if (t == NULL)
		return;
	if (!hr_sampling() && hr_live_take(t, chunk, &entry)) {
		hr_site_trimmed(t, entry.site, entry.size);
		entry.size = 0;
		hr_live_place(t, chunk, &entry, &old);
	} else if (hr_maps_at(t, (uintptr_t)chunk, &mapped) && mapped.kind == HR_MAPPING_DIRECT) {
		struct map_request now = {.kind = HR_MAPPING_HEAP, .domain = heaps[heap].domain};
		now.start = (uintptr_t)chunk & ~(SYS_PAGE - 1);
		now.length = (((uintptr_t)chunk + size + SYS_PAGE - 1) & ~(SYS_PAGE - 1)) - now.start;
		hr_maps_add(t, now); /* what is booked there as a block is cut out */
	}
	hr_leave();
}

static void put(struct thread *t, const uintptr_t *frame, int heap, const void *block, size_t size)
{
	struct live_entry old;
	uint32_t site = hr_site(t, hr_unwind(t, frame), heaps[heap].domain);
	const void *key = key_of(block);
	struct live_entry entry = {.site = site, .size = size, .age = hr_age_now()};
	if (hr_live_place(t, key, &entry, &old)) { /* cut out twice without a free */
		hr_site_freed(t, old.site, old.size, false, old.inherited);
		changed((uint32_t)heap, -old.size, (uint64_t)-1);
	}
	hr_site_allocated(t, site, size);
	changed((uint32_t)heap, size, 1);
}

static void take(struct thread *t, int heap, const void *block)
{
	struct live_entry entry;
	if (!hr_live_remove(t, key_of(block), &entry)) {
		count_add(&hr_header->unknown_frees, 1);
		return;
	}
	hr_site_freed(t, entry.site, entry.size, false, entry.inherited);
	changed((uint32_t)heap, -entry.size, (uint64_t)-1);
}

EXPORT void heapray_heap_alloc(int heap, const void *block, size_t size)
{
	struct thread *t = known(heap) && block ? hr_enter(FRAME) : NULL;
	if (t == NULL)
		return;
	put(t, FRAME, heap, block, size);
	hr_leave();
}

EXPORT void heapray_heap_resize(int heap, const void *old, const void *block, size_t size)
{
	struct thread *t = known(heap) && block ? hr_enter(FRAME) : NULL;
	if (t == NULL)
		return;
	if (old)
		take(t, heap, old);
	put(t, FRAME, heap, block, size);
	hr_leave();
}

EXPORT void heapray_heap_free(int heap, const void *block)
{
	struct thread *t = known(heap) && block ? hr_enter(FRAME) : NULL;
	if (t == NULL)
		return;
	take(t, heap, block);
	hr_leave();
}

void hr_heaps_rebuild(void)
{
	atomic_store(&lock, 0);
	for (uint32_t i = 0; i < used; i++) {
		heaps[i].peak = heaps[i].live;
		publish(i);
	}
}
