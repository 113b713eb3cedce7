/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domains.c - rows of heaps. Row 0 is the allocator, row 1 direct mmaps; VMs and named heaps follow.
 *
 * Whoever owns a VM or a heap keeps its figures in a private struct and writes them here; a forked child
 * writes them anew from there.
 */
#include <string.h>

#include "shim.h"

static struct {
	struct hr_str name;
	uint32_t kind, subsystem, sequence;
	uint64_t created_ns;
} *domains;
static _Atomic uint32_t domains_used;
static lock_word lock;

struct hr_domain *hr_domain_row(uint32_t domain)
{
	return (struct hr_domain *)hr_segment_section(HR_DOMAINS) + domain;
}

static void publish(uint32_t id)
{
	struct hr_domain *row = hr_domain_row(id);
	row->name = domains[id].name;
	row->kind = domains[id].kind;
	row->subsystem = domains[id].subsystem;
	row->sequence = domains[id].sequence;
	row->created_ns = domains[id].created_ns;
	row->free_held_bytes = UINT64_MAX;
}

uint32_t hr_domain_new(struct thread *t, enum hr_domain_kind kind, uint32_t subsystem, const char *name)
{
	struct hr_str text = hr_segment_string(t, name, strlen(name));
	hr_lock(t, &lock);
	uint32_t id = atomic_load(&domains_used);
	bool room = id < DOMAINS_MAX && hr_segment_reach(HR_DOMAINS, id);
	if (room) {
		domains[id].name = text;
		domains[id].kind = kind;
		domains[id].subsystem = subsystem;
		domains[id].sequence = id;
		domains[id].created_ns = hr_now();
		publish(id);
		atomic_store(&domains_used, id + 1);
		hr_segment_used(HR_DOMAINS, id + 1);
	}
	hr_unlock(t, &lock);
	if (!room)
		hr_lost(HR_LOST_DOMAINS_FULL);
	return room ? id : 0;
}

void hr_domains_start(void)
{
	domains = hr_memory_reserve(DOMAINS_MAX * sizeof *domains);
	if (domains == NULL)
		return;
	hr_memory_touched(SYS_PAGE);
	hr_domain_new(NULL, HR_DOMAIN_ALLOCATOR, 0, "allocator");
	hr_domain_new(NULL, HR_DOMAIN_MMAP, 0, "mmap");
}

void hr_domains_republish(void)
{
	atomic_store(&lock, 0);
	uint32_t used = atomic_load(&domains_used);
	for (uint32_t id = 0; id < used; id++)
		if (hr_segment_reach(HR_DOMAINS, id))
			publish(id);
	hr_segment_used(HR_DOMAINS, used);
}
