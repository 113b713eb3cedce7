/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_full.c - asks the ledger of every live member, at one moment.
 *
 * Held is what the allocator keeps from the kernel. Two witnesses: the ledger (its pages in memory or swapped
 * out, by Pss where a family shares them), which misses what was never touched, and the allocator's own
 * statistics, which the shim publishes on allocation events, so that they are old in a process that rests.
 * The higher one counts, the second only while it is fresh. The pages are a figure of their own: some
 * allocators (mimalloc) keep much that they never touch. Requested, on its side, is what lies in that
 * memory: the blocks of malloc (and of Lua states that use it), not those of LuaJIT's or the program's own maps.
 */
#include "compare_full.h"

#include "ledger_process.h"
#include "live_table.h"
#include "xalloc.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#define FRESH_NS 100000000u

void full_blocks(const struct segment *segment, uint64_t *live, uint64_t *at_peak)
{
	const struct hr_header *h = &segment->header;
	const bool forked = h->parent_created_realtime_ns != 0;
	/* The peak is written down when the total falls from it: while it still rises, the peak is now. */
	const bool rising = h->hot[HR_HOT_TOTAL_LIVE] >= h->hot[HR_HOT_PEAK_LIVE];

	*live = *at_peak = 0;
	for (size_t i = 0; i < segment->site_count; i++) {
		const struct hr_site *s = &segment->sites[i];
		if (domain_component(&segment->domains[s->domain]) != C_ALLOCATOR)
			continue;
		const uint64_t inherited = forked ? s->inherited_bytes - s->inherited_freed_bytes : 0;
		const uint64_t now = s->allocated_bytes - s->freed_bytes;
		const uint64_t then = !rising && s->peak_epoch == h->hot[HR_HOT_PEAK_EPOCH] ? s->live_at_peak : now;
		*live += now - inherited;
		*at_peak += then > (forked ? s->inherited_bytes : 0) ? then - (forked ? s->inherited_bytes : 0) : 0;
	}
}

/* ---- the family at this moment ------------------------------------------------------------- */

static size_t parent_of(const struct family *family, const struct segment *segment)
{
	const uint64_t born = segment->header.parent_created_realtime_ns;

	for (size_t i = 0; born && i < family->count; i++) {
		const struct hr_header *h = &family->members[i].segment->header;
		if (h->created_realtime_ns == born && h->pid == segment->header.parent_pid)
			return i;
	}
	return SIZE_MAX;
}

/* Members are in the order of their birth: a parent comes before its children. */
static void gather(const struct observer *watch, struct family *family)
{
	family->members = xcalloc(watch->member_count, sizeof(*family->members));
	for (size_t i = 0; i < watch->member_count; i++) {
		const struct member *m = &watch->members[i];
		struct segment *segment = m->live ? segment_read_header(m->fd, m->path, true) : NULL;
		if (!segment)
			continue;
		if (segment_read_rows(segment, m->fd) != 0) {
			segment_free(segment);
			continue;
		}
		const char *exe = segment_string(segment, segment->header.exe);
		family->members[family->count] = (struct process){.pid = m->pid, .parent_pid = (pid_t)segment->header.parent_pid,
			.role = segment->header.role, .alive = true, .exe = xstrdup(exe ? exe : ""), .segment = segment,
			.parent = parent_of(family, segment)};
		family->count++;
	}
}

/* A process may end while it is read, which is no error here. */
static int quiet_ledger(struct ledger *ledger, const struct family *family, size_t member)
{
	struct quality quality = {0};
	fflush(stderr);
	const int kept = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (kept >= 0 && nowhere >= 0)
		dup2(nowhere, STDERR_FILENO);
	const int result = ledger_build(ledger, family, member, NULL, &quality);
	if (kept >= 0)
		dup2(kept, STDERR_FILENO);
	close(nowhere);
	close(kept);
	quality_free(&quality);
	return result;
}

/* ---- sizes --------------------------------------------------------------------------------- */

struct count {
	const struct segment *segment;
	struct sizes *sizes;
	bool forked;
};

static bool count_block(void *context, const struct live_block *block)
{
	const struct count *count = context;
	const struct hr_site *site = &count->segment->sites[block->site];

	if (domain_component(&count->segment->domains[site->domain]) == C_ALLOCATOR && !(count->forked && block->inherited))
		sizes_add(count->sizes, block->size, 1);
	return true;
}

static void count_sizes(const struct family *family, struct sizes *sizes)
{
	sizes_free(sizes);
	for (size_t i = 0; i < family->count; i++) {
		const struct process *p = &family->members[i];
		struct count count = {.segment = p->segment, .sizes = sizes, .forked = p->parent != SIZE_MAX};
		struct peek peek;
		peek_open(&peek, p->pid);
		live_table_walk(&peek, &p->segment->header, p->segment->site_count, count_block, &count);
		peek_close(&peek);
	}
}

/* By its own statistics; 0: not told, or too long ago. */
static double own_statistics(const struct segment *segment)
{
	const struct hr_allocator_stats *own = &segment->header.allocator;
	const uint64_t now = observe_now();

	return own->taken_ns && own->held_bytes != UINT64_MAX && now - own->taken_ns < FRESH_NS ? (double)own->held_bytes : 0;
}

void full_look(struct observer *watch, struct sample *sample)
{
	struct family family = {0};
	double pages = 0, held = 0, heapray = 0, blocks = 0;
	bool all = true;

	gather(watch, &family);
	for (size_t i = 0; i < family.count; i++) {
		struct ledger ledger;
		uint64_t live, at_peak;
		full_blocks(family.members[i].segment, &live, &at_peak);
		blocks += (double)live;
		const int result = quiet_ledger(&ledger, &family, i);
		all &= result == 0 && ledger.smaps.count > 0;
		if (result == 0) {
			const struct usage *a = &ledger.rows[C_ALLOCATOR].figures, *h = &ledger.rows[C_HEAPRAY].figures;
			pages += (double)(a->pss_bytes + a->swap_pss_bytes);
			held += fmax((double)(a->pss_bytes + a->swap_pss_bytes), own_statistics(family.members[i].segment));
			heapray += (double)(h->pss_bytes + h->swap_pss_bytes);
		}
		ledger_free(&ledger);
	}
	if (family.count && all) {
		sample->pages = pages;
		sample->held = held;
		sample->heapray = heapray;
		sample->blocks = blocks;
		if (blocks > watch->highest)
			count_sizes(&family, &watch->sizes);
		watch->highest = fmax(watch->highest, blocks);
	}
	family_close(&family);
}
