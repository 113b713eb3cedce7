/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger.c - the compact ledger, for ended processes: what each component was using, when last published.
 *
 * A live process's ledger is the reporter's, from smaps. This one is what the shim knows by itself: bytes in
 * use, and what is mapped for them. Resident bytes are told of the whole, and of the allocator: its heap and
 * its mappings, by PAGEMAP_SCAN (Linux 6.7), which takes a descriptor, so only while there is one thread.
 * The rest is left unknown.
 */
#include <sys/ioctl.h>

#include "shim.h"

/* linux/fs.h of 6.7; older headers lack it */
struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t inverted, mask, anyof, returned;
};
#define SCAN_IOCTL _IOWR('f', 16, struct scan)
#define SCAN_PRESENT (1ull << 3)
#define SCAN_ZERO_PAGE (1ull << 5)
struct region {
	uint64_t start, end, categories;
};

static uintptr_t heap_start;

void hr_ledger_start(void)
{
	heap_start = (uintptr_t)arch_syscall6(SYS_brk, 0, 0, 0, 0, 0, 0);
}

/* Resident bytes of [start, end), zero pages left out. false: the kernel does not tell. */
static bool add_resident(long pagemap, uintptr_t start, uintptr_t end, uint64_t *bytes)
{
	struct region regions[64];
	while (start < end) {
		struct scan s = {
			.size = sizeof s, .start = start, .end = end, .vec = (uintptr_t)regions, .vec_len = 64,
			.inverted = SCAN_ZERO_PAGE, .mask = SCAN_PRESENT | SCAN_ZERO_PAGE, .returned = SCAN_PRESENT,
		};
		long n = arch_syscall6(SYS_ioctl, pagemap, SCAN_IOCTL, (long)&s, 0, 0, 0);
		if (sys_failed(n) || s.walk_end <= start)
			return false;
		for (long i = 0; i < n; i++)
			*bytes += regions[i].end - regions[i].start;
		start = s.walk_end;
	}
	return true;
}

static uint64_t allocator_resident(void)
{
	uint64_t bytes = 0;
	if (!__libc_single_threaded)
		return UINT64_MAX;
	long pagemap = sys_open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
	if (sys_failed(pagemap))
		return UINT64_MAX;
	bool told = add_resident(pagemap, heap_start & ~(SYS_PAGE - 1), (uintptr_t)arch_syscall6(SYS_brk, 0, 0, 0, 0, 0, 0), &bytes);
	uintptr_t at = 0;
	struct map_request next;
	while (told && hr_maps_next(hr_self, &at, HR_MAPPING_ALLOCATOR, &next))
		told = add_resident(pagemap, next.start, next.start + next.length, &bytes);
	sys_close((int)pagemap);
	return told ? bytes : UINT64_MAX;
}

struct sums {
	uint64_t virtual, used;
};

static void add_vm(struct sums *sums, const struct hr_domain *d)
{
	static const enum hr_component of[] = {HR_C_LUAJIT_OTHER, HR_C_LUAJIT_HTTP, HR_C_LUAJIT_STREAM};
	if (d->kind != HR_DOMAIN_LUAJIT || d->subsystem > HR_SUBSYSTEM_STREAM)
		return;
	struct sums *s = &sums[of[d->subsystem]];
	s->used += d->live_bytes;
	s->virtual += d->arena_bytes + d->direct_bytes + d->machine_code_bytes;
}

static uint64_t live_of(int domain)
{
	struct hr_site sum;
	hr_sites_sum(&sum, domain);
	return sum.allocated_bytes - sum.freed_bytes;
}

void hr_ledger_publish(uint64_t now, uint64_t virtual_bytes, uint64_t resident_bytes)
{
	struct hr_ledger_row *rows = hr_segment_section(HR_LEDGER);
	if (!hr_segment_reach(HR_LEDGER, HR_C_COUNT - 1))
		return;
	struct sums sums[HR_C_COUNT] = {{0}};
	uint64_t domains = count_read(&hr_header->sections[HR_DOMAINS].used);
	for (uint64_t i = 0; i < domains; i++)
		add_vm(sums, hr_domain_row((uint32_t)i));
	sums[HR_C_ALLOCATOR] = (struct sums){hr_header->allocator.held_bytes, live_of(DOMAIN_ALLOCATOR)};
	sums[HR_C_MMAP].virtual = sums[HR_C_MMAP].used = live_of(DOMAIN_MMAP);
	sums[HR_C_NGINX_SHM].virtual = hr_zones_bytes();
	sums[HR_C_HEAPRAY].used = hr_header->own_private_bytes + hr_header->own_segment_bytes;
	sums[HR_C_HEAPRAY].virtual = UINT64_MAX;
	for (uint32_t c = HR_C_SYSTEM; c < HR_C_COUNT; c++) {
		bool known = c == HR_C_SYSTEM || sums[c].virtual || sums[c].used;
		rows[c] = (struct hr_ledger_row){
			.component = c, .time_ns = now, .swap_bytes = UINT64_MAX,
			.virtual_bytes = c == HR_C_SYSTEM ? virtual_bytes : known ? sums[c].virtual : UINT64_MAX,
			.resident_bytes = c == HR_C_SYSTEM ? resident_bytes : c == HR_C_ALLOCATOR ? allocator_resident() : UINT64_MAX,
			.used_bytes = c == HR_C_SYSTEM || !known ? UINT64_MAX : sums[c].used,
		};
	}
	hr_segment_used(HR_LEDGER, HR_C_COUNT);
}
