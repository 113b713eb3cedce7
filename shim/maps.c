/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.c - what was mmapped: an interval map.
 *
 * One munmap may end many mappings, or cut a hole into one; LuaJIT joins neighbouring segments and unmaps
 * them as one; MAP_FIXED replaces what was there. So mappings are kept as intervals, sorted by address, in
 * one array under a leaf lock (mmaps are rare beside mallocs), and each has a row in the segment.
 *
 *   intervals  | a ------ | b -- |     | c ------------- |       sorted, never overlapping
 *
 * A direct mmap is a block of domain `mmap`: a cut takes bytes from its site, and the block counts as freed
 * when its last piece goes.
 */
#include <string.h>

#include "shim.h"

#define INTERVALS_MAX 65536u

struct interval {
	uintptr_t start, end;
	struct map_request as; /* start and length are not kept up to date in here */
	uint32_t row, block;   /* pieces of one mmap share a block number */
};

static struct interval *intervals;
static uint32_t count, rows_used, *free_rows, free_count, next_block;
static lock_word lock;

static uint32_t first_after(uintptr_t address) /* the first interval that ends above the address */
{
	uint32_t low = 0, high = count;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (intervals[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void publish(const struct interval *i)
{
	struct hr_mapping *row = (struct hr_mapping *)hr_segment_section(HR_MAPPINGS) + i->row;
	__atomic_store_n(&row->version, row->version | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* odd before the fields change */
	row->start = i->start;
	row->end = i->end;
	row->kind = i->as.kind;
	row->domain = i->as.domain;
	row->module = i->as.module;
	row->site = i->as.site;
	row->time_ns = hr_now();
	__atomic_store_n(&row->version, row->version + 1, __ATOMIC_RELEASE); /* even after */
}

static void publish_free(uint32_t row_index)
{
	struct interval none = {.row = row_index};
	publish(&none);
	free_rows[free_count++] = row_index;
}

static bool insert(uint32_t at, struct interval new)
{
	if (count == INTERVALS_MAX)
		return false;
	if (free_count) {
		new.row = free_rows[--free_count];
	} else {
		if (!hr_segment_reach(HR_MAPPINGS, rows_used))
			return false;
		new.row = rows_used++;
		hr_segment_used(HR_MAPPINGS, rows_used);
	}
	memmove(&intervals[at + 1], &intervals[at], (count - at) * sizeof *intervals);
	intervals[at] = new;
	count++;
	publish(&intervals[at]);
	return true;
}

static void erase(uint32_t at)
{
	publish_free(intervals[at].row);
	memmove(&intervals[at], &intervals[at + 1], (count - at - 1) * sizeof *intervals);
	count--;
}

static bool last_piece(const struct interval *gone)
{
	for (uint32_t i = 0; i < count; i++)
		if (intervals[i].block == gone->block)
			return false;
	return true;
}

/* Bytes of an interval go; `whole` when the interval is gone from the array. */
static void book_gone(struct thread *t, const struct interval *i, uint64_t bytes, bool whole)
{
	if (i->as.kind == HR_MAPPING_DIRECT) {
		if (whole && last_piece(i))
			hr_site_freed(t, i->as.site, bytes, false, i->as.inherited);
		else
			hr_site_trimmed(t, i->as.site, bytes);
	} else if (i->as.kind == HR_MAPPING_LUAJIT || i->as.kind == HR_MAPPING_MCODE) {
		hr_vm_mapped(i->as.vm, i->as.kind, i->as.direct, -(int64_t)bytes);
	} else if (i->as.kind == HR_MAPPING_ZONE && whole) {
		hr_zone_unmapped(t, i->start);
	}
}

static void cut(struct thread *t, uintptr_t start, uintptr_t end)
{
	for (uint32_t at = first_after(start); at < count && intervals[at].start < end;) {
		struct interval was = intervals[at];
		uintptr_t from = was.start > start ? was.start : start, to = was.end < end ? was.end : end;
		bool head = was.start < from, tail = to < was.end;
		if (!head && !tail) {
			erase(at);
			book_gone(t, &was, to - from, true);
			continue;
		}
		if (head && tail) { /* a hole */
			struct interval right = was;
			right.start = to;
			intervals[at].end = from;
			if (!insert(at + 1, right))
				hr_lost(HR_LOST_MAPPINGS_FULL);
		} else if (head) {
			intervals[at].end = from;
		} else {
			intervals[at].start = to;
		}
		publish(&intervals[at]);
		book_gone(t, &was, to - from, false);
		at++;
	}
}

void hr_maps_remove(struct thread *t, uintptr_t start, size_t length)
{
	hr_lock(t, &lock);
	cut(t, start, start + length);
	hr_unlock(t, &lock);
}

void hr_maps_add(struct thread *t, struct map_request r)
{
	hr_lock(t, &lock);
	cut(t, r.start, r.start + r.length); /* what we still had there is gone, whoever unmapped it */
	struct interval new = {.start = r.start, .end = r.start + r.length, .as = r, .block = ++next_block};
	bool ok = intervals && insert(first_after(r.start), new);
	hr_unlock(t, &lock);
	if (!ok) {
		hr_lost(HR_LOST_MAPPINGS_FULL);
		return;
	}
	if (r.kind == HR_MAPPING_DIRECT)
		hr_site_allocated(t, r.site, r.length);
	else if (r.kind == HR_MAPPING_LUAJIT || r.kind == HR_MAPPING_MCODE)
		hr_vm_mapped(r.vm, r.kind, r.direct, (int64_t)r.length);
}

bool hr_maps_at(struct thread *t, uintptr_t address, struct map_request *out)
{
	hr_lock(t, &lock);
	uint32_t at = first_after(address);
	bool found = at < count && intervals[at].start <= address;
	if (found) {
		*out = intervals[at].as;
		out->start = intervals[at].start;
		out->length = intervals[at].end - intervals[at].start;
	}
	hr_unlock(t, &lock);
	return found;
}

bool hr_maps_next(struct thread *t, uintptr_t *at, enum hr_mapping_kind kind, struct map_request *out)
{
	hr_lock(t, &lock);
	uint32_t i = first_after(*at);
	while (i < count && (intervals[i].start < *at || intervals[i].as.kind != kind))
		i++;
	bool found = i < count;
	if (found) {
		*out = intervals[i].as;
		out->start = intervals[i].start;
		out->length = intervals[i].end - intervals[i].start;
		*at = intervals[i].end;
	}
	hr_unlock(t, &lock);
	return found;
}

void hr_maps_become(struct thread *t, uintptr_t address, struct vm *vm)
{
	struct interval was = {.as.kind = HR_MAPPING_FREE};
	hr_lock(t, &lock);
	uint32_t at = first_after(address);
	if (at < count && intervals[at].start <= address && intervals[at].as.kind == HR_MAPPING_DIRECT) {
		was = intervals[at];
		intervals[at].as.kind = HR_MAPPING_LUAJIT;
		intervals[at].as.vm = vm;
		intervals[at].as.domain = hr_vm_domain(vm);
		intervals[at].as.site = 0;
		publish(&intervals[at]);
	}
	hr_unlock(t, &lock);
	if (was.as.kind != HR_MAPPING_DIRECT)
		return;
	hr_site_freed(t, was.as.site, was.end - was.start, false, was.as.inherited);
	hr_vm_mapped(vm, HR_MAPPING_LUAJIT, false, (int64_t)(was.end - was.start));
}

/* LuaJIT gave PROT_EXEC to (a part of) one of its mappings: machine code, or a callback page. */
void hr_maps_executable(struct thread *t, uintptr_t start, size_t length)
{
	hr_lock(t, &lock);
	uint32_t at = first_after(start);
	if (at < count && intervals[at].start <= start && intervals[at].as.kind == HR_MAPPING_LUAJIT) {
		struct interval *i = &intervals[at];
		int64_t bytes = (int64_t)(i->end - i->start);
		hr_vm_mapped(i->as.vm, HR_MAPPING_LUAJIT, i->as.direct, -bytes);
		i->as.kind = HR_MAPPING_MCODE;
		hr_vm_mapped(i->as.vm, HR_MAPPING_MCODE, false, bytes);
		publish(i);
	}
	hr_unlock(t, &lock);
}

void hr_maps_lock(void)
{
	hr_lock(NULL, &lock);
}

void hr_maps_unlock(void)
{
	hr_unlock(NULL, &lock);
}

bool hr_maps_ready(void)
{
	return intervals != NULL;
}

void hr_maps_own(uintptr_t start, size_t length)
{
	lock_word *outer = hr_self ? hr_self->held : NULL; /* a table may be made under its own lock */
	hr_maps_add(hr_self, (struct map_request){.start = start, .length = length, .kind = HR_MAPPING_HEAPRAY});
	if (hr_self)
		hr_self->held = outer;
}

void hr_maps_start(void)
{
	intervals = hr_memory_reserve(INTERVALS_MAX * sizeof *intervals);
	free_rows = hr_memory_reserve(INTERVALS_MAX * sizeof *free_rows);
	hr_memory_touched(2 * SYS_PAGE);
	if (free_rows == NULL)
		intervals = NULL;
	else
		hr_memory_book_early();
}

void hr_maps_republish(void)
{
	for (uint32_t row = 0; row < rows_used; row++)
		if (!hr_segment_reach(HR_MAPPINGS, row))
			return;
	hr_segment_used(HR_MAPPINGS, rows_used);
	for (uint32_t i = 0; i < count; i++)
		publish(&intervals[i]);
}

void hr_maps_rebuild(void)
{
	for (uint32_t i = 0; i < count; i++) {
		struct interval *now = &intervals[i];
		now->as.inherited = true;
		if (now->as.kind == HR_MAPPING_DIRECT) {
			bool first = true;
			for (uint32_t k = 0; k < i && first; k++)
				first = intervals[k].block != now->block;
			hr_site_inherited(now->as.site, now->end - now->start, first);
		}
	}
}
