/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sites.h - stacks and what is counted on them: the trie, rows of counters, sampling. Of shim.h.
 */
#ifndef HEAPRAY_SITES_H
#define HEAPRAY_SITES_H

#include "shim.h"

/* ---- nodes.c: the trie ------------------------------------------------------------------------ */

#define NODES_MAX (1u << 20)
struct node_key {
	uint64_t value;
	uint32_t parent;
	uint16_t module;
	uint8_t kind, flags;
	uint32_t extra;
};
void hr_nodes_start(void);
/* The child; made when it is new. The parent's root <tables full> when there is no room. */
uint32_t hr_node_child(struct thread *t, struct node_key key);
struct node_key hr_node_key(uint32_t node);
uint32_t *hr_node_sites(uint32_t node); /* the rows of its allocator site, one a stripe; 0 = none yet */
uint32_t hr_nodes_used(void);
void hr_nodes_republish(void);

/* ---- sites.c: rows of counters, totals, the peak ---------------------------------------------- */

#define SITES_MAX (1u << 19)
#define STRIPES 8     /* rows a site may have */
#define OWN_STRIPES 4 /* of these, the first threads have one each to themselves */
void hr_sites_start(void);
/* The row of a stack in a domain for this thread. Never fails: row 0 is <tables full> of the allocator. */
uint32_t hr_site(struct thread *t, uint32_t node, uint32_t domain);
uint32_t hr_site_domain(uint32_t site);
uint32_t hr_site_node(uint32_t site);
struct hr_site *hr_site_row(uint32_t site);
static inline void hr_site_allocated(struct thread *t, uint32_t site, uint64_t bytes);
static inline void hr_site_freed(struct thread *t, uint32_t site, uint64_t bytes, bool temporary, bool inherited);
/* A part of a block went (munmap of a piece): bytes, no count. */
void hr_site_trimmed(struct thread *t, uint32_t site, uint64_t bytes);
/* One block of `old` bytes became one of `new` bytes: one change of the total. */
void hr_site_resized(struct thread *t, uint32_t old_site, uint64_t old, bool inherited, uint32_t site, uint64_t bytes);
/* A block of a domain whose stacks are sampled, and what it stands for; site 0: it has no stack. */
struct estimate {
	uint32_t site, count;
	uint64_t real, bytes; /* its size, and the bytes it stands for */
	double variance;      /* of those */
	bool estimated, inherited;
};
/*
 * One event: a block goes, or comes, or both (it moved); NULL: none. Estimated rows change by what the block
 * stands for and `rest`, the domain's <not sampled> row, by the difference to what is real (it may fall below
 * zero): so the domain's rows sum to what is real, and the total changes by real bytes, once.
 */
void hr_site_estimated(struct thread *t, uint32_t rest, const struct estimate *went, const struct estimate *came);
void hr_sites_forked(void);
/*
 * In the child, before its first event. Between begin and end each block that lives is told, then the rows are there. begin is
 * false when there is no room.
 */
bool hr_sites_rebuild_begin(void);
void hr_site_inherited(uint32_t site, uint64_t bytes, uint64_t count);
void hr_site_inherited_estimate(uint32_t rest, const struct estimate *e); /* as hr_site_estimated has it */
void hr_sites_rebuild_end(void);
uint32_t hr_sites_used(void);
void hr_sites_sum(struct hr_site *sum, int domain); /* domain -1: all */

/* ---- sample.c: which allocations are sampled, and what they stand for ------------------------- */

/* Bytes to go until the next sample: an allocation that takes this below zero is sampled. Interval 1: each; 0: none. */
int64_t hr_sample_next(uint64_t *random, uint64_t interval);
/* What a sampled block of `real` bytes stands for: bytes and variance. */
struct estimate hr_sample_estimate(uint64_t interval, uint64_t real);
/* The count it stands for, rounded up or down at random so that the mean is right. */
uint32_t hr_sample_count(uint64_t interval, uint64_t real, uint64_t *random);

/* ---- track_sampled.c: --sample, for the allocator's domain -------------------------------------- */

/* Only some blocks get a stack; all are in the live table, and the domain's totals stay exact. */
static inline bool hr_sampling(void)
{
	return unlikely(hr_config.sample_bytes > 1);
}
/* The row of a new block: its stack's when it is sampled, else the domain's <not sampled>. */
uint32_t hr_sampled_site(struct thread *t, const uintptr_t *frame, size_t size);
/* Is a block of this row one with a stack? Others are counted as they are, in the row they share. */
static inline bool hr_sampled(uint32_t site)
{
	return hr_site_node(site) != HR_ROOT_NOT_SAMPLED;
}
/* One event of the books: a block went, or came, or both; block NULL: none. */
struct sampled {
	const void *block;
	uint32_t site;
	uint64_t size;
	bool inherited;
};
void hr_sampled_event(struct thread *t, struct sampled went, struct sampled came);
/* In a forked child's rebuild. */
void hr_sampled_inherited(const void *block, uint32_t site, uint64_t size);

/* ---- counters, inline: what each event does ---------------------------------------------------- */

extern struct hr_site *hr_rows;
extern uint64_t *hr_hot; /* hr_header->hot */
cold void hr_site_peak(struct hr_site *row);           /* a row of an older epoch is about to change */
cold void hr_total_peak(uint64_t now);                 /* the total is `now`, the highest yet, and about to fall */
void hr_site_allocated_shared(struct thread *t, uint32_t site, uint64_t bytes); /* the same, with several threads */
void hr_site_freed_shared(struct thread *t, uint32_t site, uint64_t bytes, bool temporary, bool inherited);
cold void hr_site_inherited_freed(struct hr_site *row, uint64_t bytes);

static inline void hr_row_changes(struct hr_site *row)
{
	if (unlikely(row->peak_epoch != count_read(&hr_hot[HR_HOT_PEAK_EPOCH])))
		hr_site_peak(row);
}

static inline void hr_site_allocated(struct thread *t, uint32_t site, uint64_t bytes)
{
	if (unlikely(!__libc_single_threaded)) {
		hr_site_allocated_shared(t, site, bytes);
		return;
	}
	struct hr_site *row = &hr_rows[site];
	hr_row_changes(row);
	row->allocated_bytes += bytes;
	row->allocated_count++;
	hr_hot[HR_HOT_TOTAL_LIVE] += bytes;
}

static inline void hr_site_freed(struct thread *t, uint32_t site, uint64_t bytes, bool temporary, bool inherited)
{
	if (unlikely(!__libc_single_threaded)) {
		hr_site_freed_shared(t, site, bytes, temporary, inherited);
		return;
	}
	struct hr_site *row = &hr_rows[site];
	if (unlikely(hr_hot[HR_HOT_TOTAL_LIVE] > hr_hot[HR_HOT_PEAK_LIVE]) && bytes)
		hr_total_peak(hr_hot[HR_HOT_TOTAL_LIVE]); /* first: the peak is recorded before the row changes */
	hr_hot[HR_HOT_TOTAL_LIVE] -= bytes;
	hr_row_changes(row);
	row->freed_bytes += bytes;
	row->freed_count++;
	row->temporary_count += temporary;
	if (unlikely(inherited))
		hr_site_inherited_freed(row, bytes);
}

#endif
