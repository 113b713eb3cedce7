/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_books.c - from the segment's rows to claims, and to the ledger of a process that has ended.
 */
#include "ledger_books.h"

#include <string.h>

#include "text.h"

const struct segment *books_of(const struct family *family, size_t member)
{
	const struct segment *own = family->members[member].segment;
	/* Bounded: parents come before their children, but the order is not ours to trust. */
	for (size_t steps = 0; own && steps < family->count; steps++) {
		const struct process *process = &family->members[member];
		if (!process->segment || process->segment->header.state != HR_STATE_FORKED)
			return process->segment ? process->segment : own;
		if (process->parent >= family->count)
			return own;
		member = process->parent;
	}
	return own;
}

const char *books_allocator(const struct segment *segment, const struct program *program)
{
	const char *name = segment ? segment_string(segment, segment->header.allocator_name) : NULL;
	return name && name[0] ? name : program->allocator;
}

enum component domain_component(const struct hr_domain *domain)
{
	switch (domain->kind) {
	case HR_DOMAIN_LUAJIT:
		return domain->subsystem == HR_SUBSYSTEM_HTTP     ? C_LUAJIT_HTTP
		       : domain->subsystem == HR_SUBSYSTEM_STREAM ? C_LUAJIT_STREAM
								  : C_LUAJIT_OTHER;
	case HR_DOMAIN_MMAP:
	case HR_DOMAIN_HEAP:
		return C_MMAP;
	default:
		return C_ALLOCATOR; /* PUC Lua takes its memory from malloc */
	}
}

/* ---- claims -------------------------------------------------------------------------------- */

static const char *caller(const struct segment *books, uint32_t module)
{
	const char *path = module && module < books->module_count
				   ? segment_string(books, books->modules[module].path)
				   : NULL;
	const char *slash = path ? strrchr(path, '/') : NULL;
	return slash ? slash + 1 : path ? path : "unknown caller";
}

/*
 * Machine code is mapped while a trace is compiled, which is not always inside a call that tells the VM: it
 * is of the subsystem that all VMs have, where they have one.
 */
static enum component any_luajit(const struct segment *books)
{
	enum component only = C_COUNT;
	for (size_t i = 0; i < books->domain_count; i++) {
		const struct hr_domain *domain = &books->domains[i];
		if (domain->kind != HR_DOMAIN_LUAJIT || domain->flags & HR_DOMAIN_CLOSED)
			continue;
		if (only != C_COUNT && only != domain_component(domain))
			return C_LUAJIT_OTHER;
		only = domain_component(domain);
	}
	return only == C_COUNT ? C_LUAJIT_OTHER : only;
}

/* Where the row belongs; C_COUNT: its mapping tells that itself. Interned labels: pieces compare and keep
 * them. */
static enum component owner(
	const struct segment *books, const struct hr_mapping *row, enum claim_rank *rank, const char **label)
{
	const struct hr_domain *domain =
		row->domain < books->domain_count ? &books->domains[row->domain] : NULL;
	*label = domain ? segment_domain_name(books, row->domain) : "unknown";
	switch (row->kind) {
	case HR_MAPPING_DIRECT:
		*rank = RANK_DIRECT;
		*label = caller(books, row->module);
		return C_MMAP;
	case HR_MAPPING_HEAP:
		*rank = RANK_DIRECT;
		return C_MMAP;
	case HR_MAPPING_ALLOCATOR:
		*rank = RANK_ALLOCATOR;
		*label = "arenas";
		return C_ALLOCATOR;
	case HR_MAPPING_MCODE:
		*label = "machine code";
		/* fall through */
	case HR_MAPPING_LUAJIT:
		*rank = RANK_LUAJIT;
		return domain && domain->kind == HR_DOMAIN_LUAJIT ? domain_component(domain)
								  : any_luajit(books);
	case HR_MAPPING_HEAPRAY:
		*rank = RANK_HEAPRAY;
		*label = "tables";
		return C_HEAPRAY;
	default:
		return C_COUNT;
	}
}

void books_claim(const struct segment *books, struct claims *claims, struct threads *threads)
{
	for (size_t i = 0; i < books->mapping_count; i++) {
		const struct hr_mapping *row = &books->mappings[i];
		enum claim_rank rank = RANK_COUNT;
		const char *label;
		if (row->version & 1)
			continue; /* it was being written */
		enum component component = owner(books, row, &rank, &label);
		if (component != C_COUNT)
			claims_add(claims, row->start, row->end, rank, component, label);
	}
	for (size_t i = 0; i < books->thread_count; i++)
		if (books->threads[i].tid <= INT32_MAX)
			threads_set_pointer(
				threads, (int)books->threads[i].tid, books->threads[i].thread_pointer);
}

/* ---- ended processes ------------------------------------------------------------------------- */

static const enum component published[HR_C_COUNT] = {
	[HR_C_SYSTEM] = C_COUNT,
	[HR_C_ALLOCATOR] = C_ALLOCATOR,
	[HR_C_LUAJIT_HTTP] = C_LUAJIT_HTTP,
	[HR_C_LUAJIT_STREAM] = C_LUAJIT_STREAM,
	[HR_C_LUAJIT_OTHER] = C_LUAJIT_OTHER,
	[HR_C_NGINX_SHM] = C_NGINX_SHM,
	[HR_C_MMAP] = C_MMAP,
	[HR_C_TEXT] = C_TEXT,
	[HR_C_STACKS] = C_STACKS,
	[HR_C_FILE] = C_FILE,
	[HR_C_HEAPRAY] = C_HEAPRAY,
	[HR_C_KERNEL] = C_KERNEL,
};

static uint64_t known(uint64_t bytes)
{
	return bytes == UINT64_MAX ? 0 : bytes;
}

int books_published(struct ledger *ledger)
{
	const struct segment *segment = ledger->process->segment;
	struct usage explained = {0};
	ledger->published = true;
	ledger->allocator = books_allocator(segment, &(struct program){.allocator = "allocator"});
	for (size_t i = 0; segment && i < segment->ledger_count; i++) {
		const struct hr_ledger_row *row = &segment->ledger[i];
		struct usage f = {.virtual_bytes = known(row->virtual_bytes),
			.resident_bytes = known(row->resident_bytes),
			.swap_bytes = known(row->swap_bytes)};
		f.pss_bytes = f.resident_bytes;
		f.swap_pss_bytes = f.swap_bytes;
		if (!row->time_ns || row->component >= HR_C_COUNT)
			continue;
		ledger->published_ns = row->time_ns;
		if (row->component == HR_C_SYSTEM) {
			ledger->system = f;
			continue;
		}
		struct component_row *component = &ledger->rows[published[row->component]];
		component->present = true;
		component->figures = f;
		component->used_bytes = row->used_bytes;
		usage_add(&explained, &f);
	}
	if (!ledger->published_ns) {
		text_error("A process that ended before it allocated for a second leaves none; `heapray "
			   "stacks` works.",
			"process %d ended without a published ledger", ledger->process->pid);
		return -1;
	}
	/* What was published was taken over some time: the system's figures are raised to what has a name. */
	struct usage rest = ledger->system;
	usage_subtract(&rest, &explained);
	ledger->rows[C_UNEXPLAINED].figures = rest;
	ledger->system = explained;
	usage_add(&ledger->system, &rest);
	return 0;
}
