/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth_ages.c - reads live tables into births by stack, and judges them.
 *
 * Blocks are summed by site first (an array look-up for each of maybe millions), then sites by stack.
 * Birth times have a resolution of 4 s, so less than a minute of life says nothing.
 */
#include "growth_ages.h"

#include "growth_watch.h"
#include "live_table.h"
#include "snapshot.h"
#include "xalloc.h"

#include <math.h>

#define FEWEST_BUCKETS 9        /* three thirds of three */
#define FEWEST_BLOCKS 12
#define WARM_UP 10              /* one part of so many of the life is left out, without a mark */
#define ALIKE 0.4               /* the least of three thirds, of the most */
#define LEAST_BYTES (64u << 10)

struct births {
	double bytes[AGE_BUCKETS], count[AGE_BUCKETS], older;
};

struct reading {
	struct births **by_site;
	uint64_t now_ns, since_ns, bucket_ns;
	size_t buckets;
	bool skip_inherited;
};

static void add_birth(struct reading *r, uint32_t site, uint64_t age_ns, double bytes, double count)
{
	struct births **births = &r->by_site[site];
	const uint64_t born = r->now_ns > age_ns ? r->now_ns - age_ns : 0;

	if (!*births)
		*births = xcalloc(1, sizeof(**births));
	if (born < r->since_ns) {
		(*births)->older += bytes;
		return;
	}
	size_t bucket = (born - r->since_ns) / r->bucket_ns;
	if (bucket >= r->buckets)
		bucket = r->buckets - 1;
	(*births)->bytes[bucket] += bytes;
	(*births)->count[bucket] += count;
}

static bool visit(void *context, const struct live_block *block)
{
	struct reading *r = context;

	/* What was inherited has another clock, and its parent counts it. */
	if (!block->inherited)
		add_birth(r, block->site, block->age_ns, (double)block->size, 1);
	return true;
}

/* ---- by stack ------------------------------------------------------------------------------ */

static void merge_births(struct age_row *row, const struct births *births)
{
	for (size_t b = 0; b < AGE_BUCKETS; b++) {
		row->bytes[b] += births->bytes[b];
		row->count[b] += births->count[b];
	}
	row->older += births->older;
}

static int by_stack(const void *a, const void *b)
{
	const struct age_row *x = a, *y = b;

	if (x->path != y->path)
		return x->path < y->path ? -1 : 1;
	return (x->domain > y->domain) - (x->domain < y->domain);
}

static void merge_rows(struct ages *ages)
{
	size_t kept = 0;

	if (ages->count > 0)
		qsort(ages->rows, ages->count, sizeof(*ages->rows), by_stack);
	for (size_t i = 0; i < ages->count; i++) {
		if (kept == 0 || by_stack(&ages->rows[kept - 1], &ages->rows[i]) != 0) {
			ages->rows[kept++] = ages->rows[i];
			continue;
		}
		struct births births = {.older = ages->rows[i].older};
		memcpy(births.bytes, ages->rows[i].bytes, sizeof(births.bytes));
		memcpy(births.count, ages->rows[i].count, sizeof(births.count));
		merge_births(&ages->rows[kept - 1], &births);
	}
	ages->count = kept;
}

static void add_member(struct ages *ages, struct model *model, const struct process *process, struct births **by_site)
{
	uint32_t *paths, *domains;

	model_sites(model, process, &paths, &domains);
	ages->rows = xreallocarray(ages->rows, ages->count + process->segment->site_count, sizeof(*ages->rows));
	for (size_t i = 0; i < process->segment->site_count; i++) {
		if (!by_site[i])
			continue;
		struct age_row *row = &ages->rows[ages->count++];
		*row = (struct age_row){.path = paths[i], .domain = domains[i]};
		merge_births(row, by_site[i]);
		free(by_site[i]);
	}
	free(paths);
	free(domains);
}

/* ---- judgement ----------------------------------------------------------------------------- */

void ages_judge(struct age_row *row, size_t buckets, uint64_t bucket_ns)
{
	/* The youngest bucket holds what is on its way. */
	const size_t whole = buckets - 1, third = whole / 3;
	const double seconds = (double)bucket_ns / 1e9;
	double thirds[3] = {0}, bytes = 0, blocks = 0, squares = 0;

	for (size_t b = whole - 3 * third; b < whole; b++) {
		thirds[(b - (whole - 3 * third)) / third] += row->bytes[b];
		bytes += row->bytes[b];
		blocks += row->count[b];
	}
	const double n = (double)(3 * third), mean = bytes / n;
	for (size_t b = whole - 3 * third; b < whole; b++)
		squares += (row->bytes[b] - mean) * (row->bytes[b] - mean);
	const double error = 1.96 * sqrt(squares / (n * (n - 1)));
	const double least = fmin(thirds[0], fmin(thirds[1], thirds[2])), most = fmax(thirds[0], fmax(thirds[1], thirds[2]));
	row->rate = mean / seconds;
	row->low = fmax(mean - error, 0) / seconds;
	row->high = (mean + error) / seconds;
	row->leaking = bytes >= LEAST_BYTES && blocks >= FEWEST_BLOCKS && least >= ALIKE * most && row->low > 0;
}

/*
 * Little's law: blocks that live = births a second x lifetime. Of the live ones those that leak are as many
 * from every time, so the excess of the young over the old is what usually lives and dies.
 */
static void judge_lifetime(struct age_row *row, const struct ages *ages, double freed_per_second)
{
	const double seconds = (double)ages->bucket_ns / 1e9;
	double old = 0, live = 0;

	for (size_t b = 0; b < ages->buckets; b++) {
		live += row->count[b];
		if (b < ages->buckets / 2)
			old += row->count[b];
	}
	const double tail = ages->buckets >= 2 ? old / (double)(ages->buckets / 2) : 0; /* a bucket */
	const double dying = fmax(live - tail * (double)ages->buckets, 0);
	row->lifetime = freed_per_second > 0 ? dying / freed_per_second : INFINITY;
	for (size_t b = 0; b < ages->buckets && isfinite(row->lifetime); b++) {
		const double age = (double)(ages->buckets - 1 - b) * seconds;
		if (age <= fmax(AGE_OVERDUE * row->lifetime, 2 * seconds))
			break;
		row->overdue_bytes += row->bytes[b];
		row->overdue_count += row->count[b];
	}
}

/* Frees a second of each stack, from its counters: rows and figures are of one reading. */
static void judge(struct ages *ages, const struct model *model, double life_seconds)
{
	for (size_t i = 0; i < model->row_count; i++) {
		const struct row *from = &model->rows[i];
		struct age_row *row = (struct age_row *)ages_find(ages, from->path, from->domain);
		if (!row)
			continue;
		const double freed = (double)from->figures.allocated_count - (double)from->figures.live_count;
		judge_lifetime(row, ages, fmax(freed, 0) / fmax(life_seconds, 1));
		if (ages->enough)
			ages_judge(row, ages->buckets, ages->bucket_ns);
	}
}

/* ---- reading ------------------------------------------------------------------------------- */

static uint64_t first_start(const struct family *family)
{
	uint64_t start = UINT64_MAX;

	for (size_t i = 0; i < family->count; i++) {
		const struct segment *s = family->members[i].segment;
		if (s && s->header.start_ns < start)
			start = s->header.start_ns;
	}
	return start;
}

/* When the figures were true. */
static uint64_t time_of(const struct family *family)
{
	uint64_t latest = 0;

	if (!family->snapshot)
		return watch_now();
	for (size_t i = 0; i < family->count; i++) {
		const struct segment *s = family->members[i].segment;
		if (s && s->read_ns > latest)
			latest = s->read_ns;
	}
	return latest;
}

static bool read_member(struct reading *r, const struct family *family, size_t member)
{
	const struct process *process = &family->members[member];
	struct peek peek;

	if (family->snapshot) {
		const struct snapshot_births *births;
		const size_t count = snapshot_births(family->snapshot, member, &births);
		for (size_t i = 0; i < count; i++) {
			if (births[i].site < process->segment->site_count)
				add_birth(r, births[i].site, births[i].age_ns, (double)births[i].bytes, (double)births[i].count);
		}
		return count > 0;
	}
	if (!process->alive)
		return false;
	peek_open(&peek, process->pid);
	const bool read = live_table_walk(&peek, &process->segment->header, process->segment->site_count, visit, r) >= 0;
	peek_close(&peek);
	return read;
}

struct ages ages_read(struct model *model, const struct family *family, uint64_t since_ns)
{
	struct ages ages = {0};
	const uint64_t start = first_start(family), now = time_of(family);

	if (start >= now)
		return ages;
	struct reading r = {.now_ns = now, .since_ns = since_ns ? since_ns : start + (now - start) / WARM_UP};
	const uint64_t span = now > r.since_ns ? now - r.since_ns : 1;
	ages.bucket_ns = r.bucket_ns = (span / AGE_BUCKETS / HR_LIVE_AGE_NS + 1) * HR_LIVE_AGE_NS;
	ages.buckets = r.buckets = span / r.bucket_ns + 1 < AGE_BUCKETS ? span / r.bucket_ns + 1 : AGE_BUCKETS;
	ages.enough = ages.buckets > FEWEST_BUCKETS;
	for (size_t i = 0; i < family->count; i++) {
		if (!family->members[i].segment)
			continue;
		r.by_site = xcalloc(family->members[i].segment->site_count, sizeof(*r.by_site));
		ages.told |= read_member(&r, family, i);
		add_member(&ages, model, &family->members[i], r.by_site);
		free(r.by_site);
	}
	merge_rows(&ages);
	judge(&ages, model, (double)(now - start) / 1e9);
	return ages;
}

const struct age_row *ages_find(const struct ages *ages, uint32_t path, uint32_t domain)
{
	const struct age_row key = {.path = path, .domain = domain};

	return ages->count ? bsearch(&key, ages->rows, ages->count, sizeof(key), by_stack) : NULL;
}

void ages_free(struct ages *ages)
{
	free(ages->rows);
	*ages = (struct ages){0};
}
