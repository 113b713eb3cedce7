/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_used.c - how much of each component is in use, as the segment's counters say, and the waterfall
 * inside the allocator from what was requested to what is resident.
 *
 * A forked process's rows begin with what it inherited. That is counted in its own view, and once in the
 * family's: `shared_bytes` is what is still live of it when the parent is a member too.
 */
#include "ledger_books.h"
#include "live_table.h"
#include "xalloc.h"

static void use(struct component_row *row, uint64_t bytes, uint64_t count, uint64_t shared_bytes,
	uint64_t shared_count)
{
	if (row->used_bytes == JSON_UNKNOWN)
		row->used_bytes = row->used_count = 0;
	row->used_bytes += bytes;
	row->used_count += count;
	row->shared_bytes += shared_bytes < bytes ? shared_bytes : bytes;
	row->shared_count += shared_count < count ? shared_count : count;
}

static uint64_t less(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0; /* counters in flight */
}

/* Sums of the sites of one domain. */
struct domain_sum {
	uint64_t allocated, allocated_count, freed, freed_count, inherited, inherited_count, gone, gone_count;
};

static void use_sites(struct ledger *ledger)
{
	const struct segment *books = ledger->books;
	struct domain_sum *sums = xcalloc(books->domain_count + 1, sizeof *sums);
	for (size_t i = 0; i < books->site_count; i++) {
		const struct hr_site *site = &books->sites[i];
		struct domain_sum *s =
			&sums[site->domain < books->domain_count ? site->domain : books->domain_count];
		s->allocated += site->allocated_bytes;
		s->allocated_count += site->allocated_count;
		s->freed += site->freed_bytes;
		s->freed_count += site->freed_count;
		s->inherited += site->inherited_bytes;
		s->inherited_count += site->inherited_count;
		s->gone += site->inherited_freed_bytes;
		s->gone_count += site->inherited_freed_count;
	}
	for (size_t i = 0; i < books->domain_count; i++) {
		const struct hr_domain *domain = &books->domains[i];
		const struct domain_sum *s = &sums[i];
		bool sites_tell = domain->kind == HR_DOMAIN_ALLOCATOR || domain->kind == HR_DOMAIN_MMAP;
		uint64_t bytes = sites_tell ? less(s->allocated, s->freed) : domain->live_bytes;
		uint64_t count = sites_tell ? less(s->allocated_count, s->freed_count) : domain->live_count;
		use(&ledger->rows[domain_component(domain)], bytes, count,
			ledger->parent_counts ? less(s->inherited, s->gone) : 0,
			ledger->parent_counts ? less(s->inherited_count, s->gone_count) : 0);
	}
	free(sums);
}

static bool use_block(void *context, const struct live_block *block)
{
	struct ledger *ledger = context;
	const struct segment *books = ledger->books;
	uint32_t domain = books->sites[block->site].domain;
	if (domain == 0 || (domain < books->domain_count && books->domains[domain].kind == HR_DOMAIN_MMAP))
		use(&ledger->rows[domain ? C_MMAP : C_ALLOCATOR], block->size, 1, block->size, 1);
	return true;
}

void books_used(struct ledger *ledger, struct peek *peek)
{
	const struct segment *own = ledger->process->segment;
	if (!own)
		return;
	struct component_row *shim = &ledger->rows[C_HEAPRAY];
	shim->used_bytes = own->header.own_private_bytes + own->header.own_segment_bytes;
	if (ledger->books == own) {
		use_sites(ledger);
		return;
	}
	/* Forked and still without an event of its own: the table says what it has, the VMs are as its
	 * parent's. */
	live_table_walk(peek, &own->header, ledger->books->site_count, use_block, ledger);
	for (size_t i = 0; i < ledger->books->domain_count; i++) {
		const struct hr_domain *domain = &ledger->books->domains[i];
		if (domain->kind != HR_DOMAIN_ALLOCATOR && domain->kind != HR_DOMAIN_MMAP)
			use(&ledger->rows[domain_component(domain)], domain->live_bytes, domain->live_count,
				domain->live_bytes, domain->live_count);
	}
}

/* ---- the waterfall ------------------------------------------------------------------------- */

static uint64_t usable(const struct hr_header *header, uint64_t requested, bool *estimated)
{
	*estimated = false;
	if (header->allocator.usable_bytes != UINT64_MAX && header->allocator.usable_bytes)
		return header->allocator.usable_bytes;
	if (!header->usable_sampled_requested || requested == JSON_UNKNOWN)
		return JSON_UNKNOWN;
	*estimated = true;
	return (uint64_t)((unsigned __int128)requested * header->usable_sampled_usable /
			  header->usable_sampled_requested);
}

bool books_waterfall(const struct ledger *ledger, struct waterfall *w)
{
	const struct segment *own = ledger->process->segment;
	if (!own)
		return false;
	const struct hr_allocator_stats *stats = &own->header.allocator;
	const struct component_row *row = &ledger->rows[C_ALLOCATOR];
	bool told = stats->taken_ns != 0, estimated;
	uint64_t usable_bytes = usable(&own->header, row->used_bytes, &estimated);
	*w = (struct waterfall){
		.name = ledger->allocator,
		.requested = row->used_bytes,
		.usable = usable_bytes,
		.usable_estimated = estimated,
		.in_use = told ? stats->in_use_bytes : JSON_UNKNOWN,
		.held = told ? stats->held_bytes : JSON_UNKNOWN,
		.free_held = told ? stats->free_held_bytes : JSON_UNKNOWN,
		.top = told ? stats->top_bytes : JSON_UNKNOWN,
		.mapped = told ? stats->mapped_bytes : JSON_UNKNOWN,
		.resident = row->figures.resident_bytes,
		.age_ns = told && own->read_ns > stats->taken_ns ? own->read_ns - stats->taken_ns
			  : told                                 ? 0
								 : JSON_UNKNOWN,
	};
	if (w->held == JSON_UNKNOWN)
		w->held = row->figures.virtual_bytes; /* as the kernel has it */
	return true;
}
