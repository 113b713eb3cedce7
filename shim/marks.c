/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * marks.c - heapray_mark: what the program says has happened, by name.
 *
 * A name is looked up by its address first (callers pass literals), then by its text, so the usual call is
 * a compare and an add. The names are kept here as well as in the segment: what is read back from there
 * is never trusted. A forked child begins without marks: it knows itself by its segment.
 */
#include <stdatomic.h>
#include <string.h>

#include "heapray.h"
#include "shim.h"

#define NAME_BYTES 64
#define FRAME ((const uintptr_t *)__builtin_frame_address(0))

#undef heapray_mark

static struct {
	const char *literal;
	char name[NAME_BYTES];
} known[HR_MARKS_MAX];
static _Atomic uint32_t used;
static uint64_t owner; /* creation time of the segment that the marks are in */
static lock_word lock;

static bool is_named(uint32_t i, const char *name)
{
	/* The same address may hold another text by now. */
	return strncmp(known[i].name, name, NAME_BYTES - 1) == 0;
}

static uint32_t find(const char *name)
{
	const uint32_t count = atomic_load_explicit(&used, memory_order_acquire); /* pairs with add */
	for (uint32_t i = 0; i < count; i++)
		if (known[i].literal == name && is_named(i, name))
			return i;
	for (uint32_t i = 0; i < count; i++)
		if (is_named(i, name))
			return i;
	return count;
}

/* With the lock held. */
static void begin_again(void)
{
	if (owner == hr_header->created_realtime_ns)
		return;
	owner = hr_header->created_realtime_ns;
	atomic_store(&used, 0);
}

static uint32_t add(struct thread *t, const char *name)
{
	hr_lock(t, &lock);
	begin_again();
	uint32_t i = find(name);
	if (i == atomic_load(&used) && i < HR_MARKS_MAX && hr_segment_reach(HR_MARKS, i)) {
		size_t length = strnlen(name, NAME_BYTES - 1);
		known[i].literal = name;
		memcpy(known[i].name, name, length);
		known[i].name[length] = '\0';
		struct hr_mark *row = (struct hr_mark *)hr_segment_section(HR_MARKS) + i;
		*row = (struct hr_mark){.time_ns = sys_monotonic_ns(), .name = hr_segment_string(t, name, length)};
		atomic_store_explicit(&used, i + 1, memory_order_release); /* publishes known[i] to find */
		hr_segment_used(HR_MARKS, i + 1);
	}
	hr_unlock(t, &lock);
	return i;
}

EXPORT void heapray_mark(const char *name)
{
	struct thread *t = name && *name ? hr_enter(FRAME) : NULL;
	if (t == NULL)
		return;
	uint32_t i = owner == hr_header->created_realtime_ns ? find(name) : HR_MARKS_MAX;
	if (i >= atomic_load_explicit(&used, memory_order_acquire))
		i = add(t, name);
	if (hr_segment_published() && i < atomic_load_explicit(&used, memory_order_acquire)) {
		struct hr_mark *row = (struct hr_mark *)hr_segment_section(HR_MARKS) + i;
		__atomic_store_n(&row->last_ns, sys_coarse_ns(), __ATOMIC_RELAXED);
		__atomic_fetch_add(&row->count, 1, __ATOMIC_RELAXED);
	}
	hr_leave();
}
