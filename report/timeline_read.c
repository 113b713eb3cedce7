/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timeline_read.c - merges time lines by their own times.
 *
 * The merged line has a point wherever a member has one, thinned to as many as one ring holds.
 */
#include "timeline_read.h"

#include "xalloc.h"

#include <math.h>

#define MOST HR_TIMELINE_POINTS

static int by_time(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* All times of all members, each once, at most MOST; the last always stays. */
static uint64_t *times_of(const struct family *family, size_t *count)
{
	size_t all = 0, kept = 0;

	for (size_t i = 0; i < family->count; i++)
		all += family->members[i].segment ? family->members[i].segment->point_count : 0;
	uint64_t *times = xcalloc(all, sizeof(*times));
	all = 0;
	for (size_t i = 0; i < family->count; i++) {
		const struct segment *s = family->members[i].segment;
		for (size_t p = 0; s && p < s->point_count; p++)
			times[all++] = s->timeline[p].time_ns;
	}
	if (all > 0)
		qsort(times, all, sizeof(*times), by_time);
	for (size_t i = 0; i < all; i++) {
		if (kept == 0 || times[i] != times[kept - 1])
			times[kept++] = times[i];
	}
	*count = kept < MOST ? kept : MOST;
	for (size_t i = 0; i < *count && kept > MOST; i++)
		times[i] = times[i * (kept - 1) / (MOST - 1)];
	return times;
}

static double *domain_of(struct timeline *t, const char *name)
{
	for (size_t i = 0; i < t->domain_count; i++) {
		if (strcmp(t->domains[i].name, name) == 0)
			return t->domains[i].live;
	}
	t->domains = xreallocarray(t->domains, t->domain_count + 1, sizeof(*t->domains));
	t->domains[t->domain_count] = (struct timeline_domain){.name = xstrdup(name), .live = xcalloc(t->count, sizeof(double))};
	return t->domains[t->domain_count++].live;
}

/*
 * What the member still has of what it inherited, by domain. When it freed the rest is not known: it is taken
 * to have been at once.
 */
static void inherited_of(const struct process *process, double inherited[HR_TIMELINE_DOMAINS])
{
	const struct segment *s = process->segment;

	memset(inherited, 0, HR_TIMELINE_DOMAINS * sizeof(*inherited));
	for (size_t i = 0; i < s->site_count && process->parent != SIZE_MAX; i++) {
		const size_t domain = s->sites[i].domain < HR_TIMELINE_DOMAINS - 1 ? s->sites[i].domain : HR_TIMELINE_DOMAINS - 1;
		/* Signed: a remainder of sampling may be below zero. */
		inherited[domain] += (double)(int64_t)(s->sites[i].inherited_bytes - s->sites[i].inherited_freed_bytes);
	}
}

static double known(uint64_t bytes)
{
	return bytes == UINT64_MAX ? NAN : (double)bytes;
}

static void add_member(struct timeline *t, const uint64_t *times, const struct process *process)
{
	const struct segment *s = process->segment;
	double inherited[HR_TIMELINE_DOMAINS], *live[HR_TIMELINE_DOMAINS] = {0};
	size_t at = 0;

	inherited_of(process, inherited);
	for (size_t d = 0; d < HR_TIMELINE_DOMAINS && d < s->domain_count; d++)
		live[d] = domain_of(t, d == HR_TIMELINE_DOMAINS - 1 ? "others" : segment_domain_name(s, d));
	for (size_t i = 0; i < t->count; i++) {
		while (at + 1 < s->point_count && s->timeline[at + 1].time_ns <= times[i])
			at++;
		const struct hr_point *point = &s->timeline[at];
		if (point->time_ns > times[i])
			continue; /* it was not born yet */
		t->effort[i] += (double)point->allocated_count;
		t->resident[i] += known(point->resident_bytes);
		/* Its parent's heap is counted there; until it asks its own allocator nothing is told. */
		t->held[i] += s->header.allocator.taken_ns ? known(point->held_bytes) : 0;
		for (size_t d = 0; d < HR_TIMELINE_DOMAINS && live[d]; d++)
			live[d][i] += fmax((double)point->live_bytes[d] - inherited[d], 0);
	}
}

static int by_last_value(const void *a, const void *b, void *count)
{
	const struct timeline_domain *x = a, *y = b;
	const size_t last = *(const size_t *)count - 1;

	if (x->live[last] != y->live[last])
		return x->live[last] > y->live[last] ? -1 : 1;
	return strcmp(x->name, y->name);
}

void timeline_read(struct timeline *t, const struct family *family, struct quality *quality)
{
	size_t members = 0;

	*t = (struct timeline){0};
	uint64_t *times = times_of(family, &t->count);
	t->start_ns = t->count ? times[0] : 0;
	t->seconds = xcalloc(t->count, sizeof(double));
	t->resident = xcalloc(t->count, sizeof(double));
	t->held = xcalloc(t->count, sizeof(double));
	t->total = xcalloc(t->count, sizeof(double));
	t->effort = xcalloc(t->count, sizeof(double));
	for (size_t i = 0; i < family->count; i++) {
		const struct segment *s = family->members[i].segment;
		if (s && s->header.start_ns < t->start_ns)
			t->start_ns = s->header.start_ns;
	}
	for (size_t i = 0; i < t->count; i++)
		t->seconds[i] = (double)(times[i] - t->start_ns) / 1e9;
	for (size_t i = 0; i < family->count; i++) {
		if (!family->members[i].segment || family->members[i].segment->point_count == 0)
			continue;
		add_member(t, times, &family->members[i]);
		members++;
	}
	for (size_t d = 0; d < t->domain_count; d++) {
		for (size_t i = 0; i < t->count; i++)
			t->total[i] += t->domains[d].live[i];
	}
	if (t->count > 0 && t->domain_count > 0)
		qsort_r(t->domains, t->domain_count, sizeof(*t->domains), by_last_value, &t->count);
	if (members > 1)
		quality_approximate(quality, "the time line adds up %zu processes: resident pages they share are in it several times", members);
	free(times);
}

size_t timeline_at(const struct timeline *t, double seconds)
{
	size_t i = 0;

	while (i < t->count && t->seconds[i] < seconds)
		i++;
	return i;
}

void timeline_free(struct timeline *t)
{
	for (size_t i = 0; i < t->domain_count; i++) {
		free(t->domains[i].name);
		free(t->domains[i].live);
	}
	free(t->domains);
	free(t->seconds);
	free(t->resident);
	free(t->held);
	free(t->total);
	free(t->effort);
	*t = (struct timeline){0};
}
