/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zones.c - nginx's shared-memory zones: where they are, and a plain copy of each one's head.
 *
 * nginx maps a zone in ngx_shm_alloc, before it forks. All walking is the reporter's, from outside; what is
 * copied here (pool header, stats[], name) is for ended processes and for who may not read the zone. The
 * copy is taken from allocation events, at most once a second, without a lock, and only from pages that are
 * resident: reading an untouched page of a zone would allocate it. Layouts: ngx_slab.h, since 1.1.9.
 */
#include <dlfcn.h>
#include <string.h>

#include "shim.h"

#define ZONES_MAX 256u
#define ZONE_COPY_NS 1000000000ull

struct zone {
	uintptr_t address;
	size_t size;
	uint64_t created_ns, closed_ns;
};

static struct zone zones[ZONES_MAX];
static uint32_t used;
static lock_word lock;
static uintptr_t shm_alloc; /* ngx_shm_alloc of the program */

/* Offsets in ngx_slab_pool_t for the layouts nginx has had on 64-bit machines. */
static const struct { uint32_t addr, start, end, stats, log_context; } pools[] = {
	{192, 88, 96, 72, 168},  /* since 1.11.7, POSIX semaphores */
	{136, 80, 88, 64, 112},  /* since 1.11.7 */
	{176, 72, 80, 0, 152},   /* 1.7.2 */
	{168, 64, 72, 0, 144},   /* 1.1.9 */
};

void hr_zones_start(void)
{
	shm_alloc = (uintptr_t)dlsym(RTLD_DEFAULT, "ngx_shm_alloc");
}

bool hr_zone_caller(uintptr_t caller)
{
	return shm_alloc && caller - shm_alloc < 256;
}

static struct hr_zone *row_of(uint32_t index)
{
	return hr_segment_reach(HR_ZONES, index) ? (struct hr_zone *)hr_segment_section(HR_ZONES) + index : NULL;
}

static void publish(uint32_t index)
{
	struct hr_zone *row = row_of(index);
	if (row == NULL)
		return;
	const struct zone *z = &zones[index];
	row->address = z->address;
	row->size = z->size;
	row->created_ns = z->created_ns;
	row->closed_ns = z->closed_ns;
	hr_segment_used(HR_ZONES, used);
}

void hr_zone_mapped(struct thread *t, uintptr_t address, size_t size)
{
	hr_lock(t, &lock);
	uint32_t index = used;
	for (uint32_t i = 0; i < used && index == used; i++)
		if (zones[i].closed_ns) /* its time is over: the row is reused */
			index = i;
	bool room = index < ZONES_MAX;
	if (room) {
		zones[index] = (struct zone){.address = address, .size = size, .created_ns = hr_now()};
		if (index == used)
			used++;
		struct hr_zone *row = row_of(index);
		if (row)
			memset(row, 0, sizeof *row);
		publish(index);
	}
	hr_unlock(t, &lock);
	if (!room)
		hr_lost(HR_LOST_ZONES_FULL);
}

void hr_zone_unmapped(struct thread *t, uintptr_t address)
{
	for (uint32_t i = 0; i < used; i++)
		if (zones[i].address == address && zones[i].closed_ns == 0) {
			zones[i].closed_ns = hr_now() | 1;
			publish(i);
		}
}

uint64_t hr_zones_bytes(void)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < used; i++)
		if (zones[i].closed_ns == 0)
			sum += zones[i].size;
	return sum;
}

static bool resident(uintptr_t address, size_t length)
{
	uintptr_t from = address & ~(SYS_PAGE - 1);
	size_t pages = (address + length - from + SYS_PAGE - 1) / SYS_PAGE;
	uint8_t there[4];
	if (pages > sizeof there || sys_failed(arch_syscall6(SYS_mincore, (long)from, (long)(pages * SYS_PAGE), (long)there, 0, 0, 0)))
		return false;
	for (size_t i = 0; i < pages; i++)
		if (!(there[i] & 1))
			return false;
	return true;
}

static bool inside(const struct zone *z, uintptr_t at, size_t length)
{
	return at >= z->address && at + length <= z->address + z->size && at + length >= at;
}

static uintptr_t word(const struct zone *z, uint32_t offset)
{
	return *(const uintptr_t *)(z->address + offset);
}

static void copy_text(const struct zone *z, uintptr_t at, char *to, size_t size)
{
	size_t n = 0;
	if (inside(z, at, size) && resident(at, size))
		while (n < size - 1 && ((const char *)at)[n])
			n++;
	memcpy(to, (const void *)at, n);
	to[n] = '\0';
}

static void copy_head(const struct zone *z, struct hr_zone *row, uint64_t now)
{
	if (z->size < SYS_PAGE || !resident(z->address, HR_ZONE_HEAD_BYTES))
		return;
	for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
		if (word(z, pools[i].addr) != z->address || word(z, pools[i].end) != z->address + z->size)
			continue;
		__atomic_store_n(&row->version, row->version + 1, __ATOMIC_RELEASE);
		memcpy(row->head, (const void *)z->address, HR_ZONE_HEAD_BYTES);
		copy_text(z, word(z, pools[i].log_context), row->log_context, sizeof row->log_context);
		uintptr_t stats = pools[i].stats ? word(z, pools[i].stats) : 0;
		if (stats && inside(z, stats, HR_ZONE_STATS_BYTES) && resident(stats, HR_ZONE_STATS_BYTES)) {
			memcpy(row->stats, (const void *)stats, HR_ZONE_STATS_BYTES);
			row->head_offset = stats - z->address;
		}
		row->copied_ns = now;
		__atomic_store_n(&row->version, row->version + 1, __ATOMIC_RELEASE);
		return;
	}
}

void hr_zones_tick(struct thread *t, uint64_t now)
{
	/* Another thread could unmap a zone while it is read. nginx's master, which does so, has one thread. */
	if (!__libc_single_threaded)
		return;
	for (uint32_t i = 0; i < used; i++) {
		struct map_request at;
		struct hr_zone *row = row_of(i);
		if (row && zones[i].closed_ns == 0 && now - row->copied_ns >= ZONE_COPY_NS &&
		    hr_maps_at(t, zones[i].address, &at) && at.kind == HR_MAPPING_ZONE)
			copy_head(&zones[i], row, now);
	}
}

void hr_zones_republish(void)
{
	atomic_store(&lock, 0);
	for (uint32_t i = 0; i < used; i++)
		publish(i);
}
