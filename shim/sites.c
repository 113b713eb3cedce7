/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sites.c - hr_rows of counters, the total, and what was live at the peak.
 *
 * A site is a stack in a domain. Its row, in the segment, counts {allocated, freed} x {bytes, count};
 * live is the difference. Threads are spread over up to eight hr_rows a site (stripes), so that two threads
 * on one hr_hot stack do not share a cache line; the reader sums them. Each thread counts in its own stripe, a
 * free too: a row alone may then fall below zero. The first four threads have a stripe to themselves, where
 * plain adds will do; all others share the rest, with atomic ones.
 *
 * The peak. The highest total is recorded when the total is about to fall from it, not while it rises;
 * then peak_epoch goes up. Before a row changes, if its epoch is not the current one, what it holds is
 * what it held at the peak: live_at_peak = live, and its epoch becomes the current one. So the
 * composition of the peak is kept without a log: hr_rows of the current epoch have it in live_at_peak, all
 * others in live. With one thread this is exact. With several, each keeps up to 64 KiB of change to
 * itself before it touches the total: that is the peak's stated error.
 */
#include "shim.h"

#define SLACK (64 << 10)

struct site {
	uint32_t node;
	uint16_t domain, stripe;
};

struct index {
	uint32_t mask;
	_Atomic uint32_t ids[];
};

static struct site *sites;
static _Atomic uint32_t sites_used;
static struct index *_Atomic current; /* for domains other than the allocator */
static lock_word lock;
struct hr_site *hr_rows;
uint64_t *hr_hot;

struct hr_site *hr_site_row(uint32_t site)
{
	return &hr_rows[site];
}

uint32_t hr_site_domain(uint32_t site)
{
	return sites[site].domain;
}

uint32_t hr_site_node(uint32_t site)
{
	return sites[site].node;
}

uint32_t hr_sites_used(void)
{
	return atomic_load_explicit(&sites_used, memory_order_acquire);
}

/* ---- finding and making hr_rows ------------------------------------------------------------------ */

static uint32_t hash(const struct site *s)
{
	uint64_t h = ((uint64_t)s->node << 32 | (uint64_t)s->domain << 8 | s->stripe) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(h >> 32) ^ (uint32_t)(h >> 13);
}

static bool same(const struct site *a, const struct site *b)
{
	return a->node == b->node && a->domain == b->domain && a->stripe == b->stripe;
}

static uint32_t look_up(const struct index *index, const struct site *key)
{
	for (uint32_t i = hash(key) & index->mask;; i = (i + 1) & index->mask) {
		uint32_t id = atomic_load_explicit(&index->ids[i], memory_order_acquire);
		if (id == 0 || same(&sites[id], key))
			return id;
	}
}

static void place(struct index *index, uint32_t id)
{
	uint32_t i = hash(&sites[id]) & index->mask;
	while (atomic_load_explicit(&index->ids[i], memory_order_relaxed))
		i = (i + 1) & index->mask;
	atomic_store_explicit(&index->ids[i], id, memory_order_release); /* publishes sites[id] to look_up */
}

static struct index *new_index(uint32_t slots)
{
	struct index *index = hr_memory_index(sizeof *index + slots * sizeof(uint32_t));
	if (index)
		index->mask = slots - 1;
	return index;
}

static bool indexed(const struct site *s)
{
	return s->domain != DOMAIN_ALLOCATOR;
}

static bool make_room(uint32_t id)
{
	struct index *old = atomic_load(&current);
	if (2 * id <= old->mask)
		return true;
	struct index *bigger = new_index((old->mask + 1) * 2);
	if (bigger == NULL)
		return false;
	for (uint32_t i = 1; i < id; i++)
		if (indexed(&sites[i]))
			place(bigger, i);
	atomic_store_explicit(&current, bigger, memory_order_release);
	return true;
}

static void write_key(uint32_t id)
{
	hr_rows[id].node = sites[id].node;
	hr_rows[id].domain = sites[id].domain;
	hr_rows[id].stripe = sites[id].stripe;
}

static uint32_t insert(struct site key)
{
	uint32_t id = atomic_load(&sites_used);
	if (id >= SITES_MAX || !hr_segment_reach(HR_SITES, id) || (indexed(&key) && !make_room(id)))
		return 0;
	if (id % (SYS_PAGE / sizeof *sites) == 0)
		hr_memory_touched(SYS_PAGE);
	sites[id] = key;
	write_key(id);
	hr_rows[id].peak_epoch = hr_hot[HR_HOT_PEAK_EPOCH];
	if (indexed(&key))
		place(atomic_load(&current), id);
	atomic_store_explicit(&sites_used, id + 1, memory_order_release);
	hr_segment_used(HR_SITES, id + 1);
	return id;
}

static cold uint32_t make(struct thread *t, struct site key)
{
	hr_lock(t, &lock);
	uint32_t id = indexed(&key) ? look_up(atomic_load(&current), &key) : hr_node_sites(key.node)[key.stripe];
	if (id == 0) {
		id = insert(key);
		if (id && !indexed(&key)) /* release: whoever loads the id sees sites[id] */
			__atomic_store_n(&hr_node_sites(key.node)[key.stripe], id, __ATOMIC_RELEASE);
	}
	hr_unlock(t, &lock);
	if (id == 0)
		hr_lost(HR_LOST_SITES_FULL);
	return id;
}

uint32_t hr_site(struct thread *t, uint32_t node, uint32_t domain)
{
	struct site key = {.node = node, .domain = (uint16_t)domain, .stripe = __libc_single_threaded ? 0 : t->stripe};
	uint32_t id;
	if (likely(domain == DOMAIN_ALLOCATOR))
		id = __atomic_load_n(&hr_node_sites(node)[key.stripe], __ATOMIC_ACQUIRE);
	else
		id = look_up(atomic_load_explicit(&current, memory_order_acquire), &key);
	return likely(id) ? id : make(t, key);
}

/* ---- the total and the peak ------------------------------------------------------------------- */

void hr_total_peak(uint64_t now)
{
	uint64_t peak = count_read(&hr_hot[HR_HOT_PEAK_LIVE]);
	while (now > peak) {
		if (!__atomic_compare_exchange_n(&hr_hot[HR_HOT_PEAK_LIVE], &peak, now, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue;
		hr_header->peak_ns = hr_now();
		count_add(&hr_hot[HR_HOT_PEAK_EPOCH], 1);
		break;
	}
}

static void flush(struct thread *t)
{
	int64_t change = __atomic_exchange_n(&t->slack, 0, __ATOMIC_RELAXED);
	if (change < 0)
		hr_total_peak(count_read(&hr_hot[HR_HOT_TOTAL_LIVE]));
	count_add(&hr_hot[HR_HOT_TOTAL_LIVE], (uint64_t)change);
}

static inline void total_changes(struct thread *t, int64_t change)
{
	if (likely(__libc_single_threaded)) {
		if (change < 0 && hr_hot[HR_HOT_TOTAL_LIVE] > hr_hot[HR_HOT_PEAK_LIVE])
			hr_total_peak(hr_hot[HR_HOT_TOTAL_LIVE]);
		hr_hot[HR_HOT_TOTAL_LIVE] += (uint64_t)change;
		return;
	}
	t->slack += change;
	if (unlikely(t->slack >= SLACK || t->slack <= -SLACK))
		flush(t);
}

/* Before a row's live changes: keep what it held at the peak. Release order, so that a reader who sees
 * the new epoch sees the figure that goes with it. */
void hr_site_peak(struct hr_site *row)
{
	uint64_t epoch = count_read(&hr_hot[HR_HOT_PEAK_EPOCH]);
	__atomic_store_n(&row->live_at_peak, row->allocated_bytes - row->freed_bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&row->peak_epoch, epoch, __ATOMIC_RELEASE);
}

/* Adds to a counter of a row of the thread's stripe. */
static inline void row_add(const struct thread *t, uint64_t *counter, uint64_t n)
{
	if (likely(t->own_stripe || __libc_single_threaded))
		*counter += n;
	else
		__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* The row of the same site in the thread's stripe: blocks are freed by other threads, too. */
static inline uint32_t mine(struct thread *t, uint32_t site)
{
	if (likely(__libc_single_threaded || sites[site].stripe == t->stripe))
		return site;
	return hr_site(t, sites[site].node, sites[site].domain);
}

static inline void row_allocated(const struct thread *t, struct hr_site *row, uint64_t bytes)
{
	hr_row_changes(row);
	row_add(t, &row->allocated_bytes, bytes);
	row_add(t, &row->allocated_count, 1);
}

void hr_site_allocated_shared(struct thread *t, uint32_t site, uint64_t bytes)
{
	row_allocated(t, &hr_rows[mine(t, site)], bytes);
	total_changes(t, (int64_t)bytes);
}

void hr_site_inherited_freed(struct hr_site *row, uint64_t bytes)
{
	count_add(&row->inherited_freed_bytes, bytes);
	count_add(&row->inherited_freed_count, 1);
}

static inline void row_freed(const struct thread *t, struct hr_site *row, uint64_t bytes, bool inherited)
{
	hr_row_changes(row);
	row_add(t, &row->freed_bytes, bytes);
	row_add(t, &row->freed_count, 1);
	if (unlikely(inherited))
		hr_site_inherited_freed(row, bytes);
}

void hr_site_freed_shared(struct thread *t, uint32_t site, uint64_t bytes, bool temporary, bool inherited)
{
	struct hr_site *row = &hr_rows[mine(t, site)];
	total_changes(t, -(int64_t)bytes); /* first: the peak is recorded before the row changes */
	row_freed(t, row, bytes, inherited);
	if (temporary)
		row_add(t, &row->temporary_count, 1);
}

void hr_site_trimmed(struct thread *t, uint32_t site, uint64_t bytes)
{
	struct hr_site *row = &hr_rows[mine(t, site)];
	total_changes(t, -(int64_t)bytes);
	hr_row_changes(row);
	count_add(&row->freed_bytes, bytes);
}

void hr_site_resized(struct thread *t, uint32_t old_site, uint64_t old, bool inherited, uint32_t site, uint64_t bytes)
{
	total_changes(t, (int64_t)bytes - (int64_t)old);
	row_freed(t, &hr_rows[mine(t, old_site)], old, inherited);
	row_allocated(t, &hr_rows[mine(t, site)], bytes);
}

/* ---- start, fork ------------------------------------------------------------------------------ */

void hr_sites_start(void)
{
	sites = hr_memory_reserve(SITES_MAX * sizeof *sites);
	struct index *index = new_index(256);
	hr_rows = hr_segment_section(HR_SITES);
	hr_hot = hr_header->hot;
	if (sites == NULL || index == NULL || !hr_segment_reach(HR_SITES, 0))
		return;
	hr_memory_touched(SYS_PAGE);
	atomic_store(&current, index);
	sites[0] = (struct site){.node = HR_ROOT_FULL, .domain = DOMAIN_ALLOCATOR};
	write_key(0);
	atomic_store(&sites_used, 1);
	hr_segment_used(HR_SITES, 1);
}

void hr_sites_forked(void)
{
	atomic_store(&lock, 0);
	hr_rows = hr_segment_section(HR_SITES);
	hr_hot = hr_header->hot;
}

/* What is inherited, a site each: rows are written once, in order, when all is told. */
static struct inherited { uint64_t bytes, count; double variance; } *inherited;
static uint32_t inherited_room; /* sites: a few may be made meanwhile */

bool hr_sites_rebuild_begin(void)
{
	if (!hr_segment_reach(HR_SITES, hr_sites_used() - 1))
		return false;
	inherited_room = hr_sites_used() + 256;
	inherited = hr_memory_populated(inherited_room * sizeof *inherited);
	return inherited != NULL;
}

void hr_site_inherited(uint32_t site, uint64_t bytes, uint64_t count)
{
	if (unlikely(site >= inherited_room)) {
		hr_lost(HR_LOST_LIVE_REBUILD);
		return;
	}
	inherited[site].bytes += bytes;
	inherited[site].count += count;
}

void hr_site_inherited_estimate(uint32_t rest, const struct estimate *e)
{
	if (e->site)
		hr_site_inherited(e->site, e->bytes, e->count);
	hr_site_inherited(rest, e->real - e->bytes, 1 - (uint64_t)e->count);
	if (e->site && e->site < inherited_room && rest < inherited_room) {
		inherited[e->site].variance += e->variance;
		inherited[rest].variance += e->variance;
	}
}

static void make_inherited_row(void *row, uint64_t id)
{
	const struct inherited *all = &inherited[id];
	*(struct hr_site *)row = (struct hr_site){
		.node = sites[id].node, .domain = sites[id].domain, .stripe = sites[id].stripe,
		.allocated_bytes = all->bytes, .allocated_count = all->count,
		.inherited_bytes = all->bytes, .inherited_count = all->count,
		.variance_live = all->variance, .variance_allocated = all->variance,
		.flags = all->variance > 0 ? HR_SITE_ESTIMATED : 0,
	};
	hr_header->inherited_bytes += all->bytes;
	hr_header->inherited_count += all->count;
}

void hr_sites_rebuild_end(void)
{
	uint32_t used = hr_sites_used();
	hr_segment_fill(HR_SITES, used < inherited_room ? used : inherited_room, make_inherited_row);
	hr_memory_free(inherited, inherited_room * sizeof *inherited);
	hr_hot[HR_HOT_TOTAL_LIVE] = hr_hot[HR_HOT_PEAK_LIVE] = hr_header->inherited_bytes;
	hr_hot[HR_HOT_PEAK_EPOCH] = 1; /* rows are of epoch 0: what they hold is what they held at the peak */
	hr_header->peak_ns = hr_now();
	hr_segment_used(HR_SITES, used);
}

void hr_sites_sum(struct hr_site *sum, int domain)
{
	*sum = (struct hr_site){0};
	uint32_t used = hr_sites_used();
	for (uint32_t id = 0; id < used; id++) {
		if (domain >= 0 && sites[id].domain != domain)
			continue;
		sum->allocated_bytes += count_read(&hr_rows[id].allocated_bytes);
		sum->allocated_count += count_read(&hr_rows[id].allocated_count);
		sum->freed_bytes += count_read(&hr_rows[id].freed_bytes);
		sum->freed_count += count_read(&hr_rows[id].freed_count);
	}
}

/* ---- domains whose stacks are sampled ---------------------------------------------------------- */

static void row_went(struct hr_site *row, uint64_t bytes, uint64_t count, const struct estimate *e)
{
	hr_row_changes(row);
	count_add(&row->freed_bytes, bytes);
	count_add(&row->freed_count, count);
	row->variance_live -= e->variance;
	if (e->inherited) {
		count_add(&row->inherited_freed_bytes, bytes);
		count_add(&row->inherited_freed_count, count);
	}
}

static void row_came(struct hr_site *row, uint64_t bytes, uint64_t count, const struct estimate *e)
{
	hr_row_changes(row);
	count_add(&row->allocated_bytes, bytes);
	count_add(&row->allocated_count, count);
	row->variance_live += e->variance;
	row->variance_allocated += e->variance;
	if (e->estimated)
		row->flags |= HR_SITE_ESTIMATED;
}

void hr_site_estimated(struct thread *t, uint32_t rest, const struct estimate *went, const struct estimate *came)
{
	total_changes(t, (int64_t)(came ? came->real : 0) - (int64_t)(went ? went->real : 0));
	if (went) {
		if (went->site)
			row_went(&hr_rows[went->site], went->bytes, went->count, went);
		row_went(&hr_rows[rest], went->real - went->bytes, 1 - (uint64_t)went->count, went);
	}
	if (came) {
		if (came->site)
			row_came(&hr_rows[came->site], came->bytes, came->count, came);
		row_came(&hr_rows[rest], came->real - came->bytes, 1 - (uint64_t)came->count, came);
	}
}
