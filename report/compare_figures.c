/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_figures.c - the figures of a run.
 *
 * Exact: times, faults, allocations, and of a single process peak resident (the kernel's own high-water
 * mark) and peak requested (the shim's). Of several processes those two are the highest of the samples.
 */
#include "compare_figures.h"

#include "compare_full.h"
#include "compare_metric.h"
#include "compare_stats.h"
#include "smaps.h"
#include "xalloc.h"

#include <math.h>

#define SEEN 0.98 /* a sample with so much of the peak shows it */

/* ---- the metric ---------------------------------------------------------------------------- */

static double metric_of(const struct compare *compare, const struct running *r)
{
	size_t length;
	char *bad, *text = compare->metric ? proc_read(compare->load ? r->load_output : r->output, &length) : NULL;

	if (!text)
		return NAN;
	const double value = metric_find(compare->metric, text, &bad);
	free(bad);
	free(text);
	return value;
}

/* ---- over the samples ---------------------------------------------------------------------- */

/* Of one process its own pages; of several, each its share of what they share. */
static double resident(const struct running *r, const struct sample *s)
{
	return r->watch.most_pids > 1 ? s->pss : s->rss;
}

static double at(const struct running *r, uint64_t ns)
{
	return (double)(ns - r->watch.start_ns) / 1e9;
}

static void steady(const struct running *r, double *value)
{
	const struct observer *w = &r->watch;
	const double begin = r->load_begin_ns ? at(r, r->load_begin_ns) : 0, end = at(r, r->load_end_ns ? r->load_end_ns : r->ended_ns);
	double *x = xcalloc(w->sample_count, sizeof(*x)), *y = xcalloc(w->sample_count, sizeof(*y)),
	       *z = xcalloc(w->sample_count, sizeof(*z));
	size_t count = 0, booked = 0;

	for (size_t i = 0; i < w->sample_count; i++) {
		const struct sample *s = &w->samples[i];
		if (s->seconds < (begin + end) / 2 || s->seconds > end)
			continue;
		z[count++] = resident(r, s);
		if (isnan(s->requested))
			continue;
		x[booked] = s->seconds;
		y[booked++] = s->requested;
	}
	/* Enough pairs for a slope; of thousands of points every n-th, it takes the square of them. */
	const size_t step = booked / 300 + 1;
	for (size_t i = 0; i * step < booked; i++) {
		x[i] = x[i * step];
		y[i] = y[i * step];
	}
	value[F_GROWTH] = stats_slope(x, y, booked / step);
	value[F_STEADY_RESIDENT] = stats_median(z, count);
	free(x);
	free(y);
	free(z);
}

static void resident_figures(const struct running *r, double *value)
{
	const struct observer *w = &r->watch;
	double most = NAN, of_load = NAN;

	for (size_t i = 0; i < w->sample_count; i++) {
		const struct sample *s = &w->samples[i];
		most = fmax(most, resident(r, s));
		if (r->load_begin_ns && s->seconds >= at(r, r->load_begin_ns))
			of_load = fmax(of_load, resident(r, s));
	}
	const bool single = r->reaped == 1 && w->most_pids <= 1;
	value[F_PEAK_RESIDENT] = single || isnan(most) ? (double)r->max_resident : most;
	if (r->after.seconds > 0)
		value[F_RETURNED] = fmax(0, of_load - resident(r, &r->after));
}

/* ---- from the books ------------------------------------------------------------------------ */

static void count_allocations(const struct running *r, double *value)
{
	uint64_t all = 0, startup = 0, own = 0;

	for (size_t i = 0; i < r->watch.member_count; i++) {
		const struct segment *segment = r->watch.members[i].segment;
		const struct hr_header *h = &segment->header;
		own += h->own_private_bytes + h->own_segment_bytes;
		if (h->state == HR_STATE_FORKED)
			continue;
		for (size_t k = 0; k < segment->site_count; k++)
			all += segment->sites[k].allocated_count - segment->sites[k].inherited_count;
		if (!h->parent_created_realtime_ns)
			startup += h->startup_allocated_count;
	}
	value[F_ALLOCATIONS] = (double)(all - startup);
	value[F_STARTUP] = (double)startup;
	value[F_OWN] = (double)own;
}

static void requested_figures(const struct running *r, double *value)
{
	const struct observer *w = &r->watch;
	double alone = 0, sampled = 0;

	for (size_t i = 0; i < w->member_count; i++) {
		uint64_t live, peak;
		full_blocks(w->members[i].segment, &live, &peak);
		alone = fmax(alone, (double)peak);
	}
	for (size_t i = 0; i < w->sample_count; i++)
		sampled = fmax(sampled, w->samples[i].blocks);
	value[F_PEAK_REQUESTED] = w->member_count > 1 ? fmax(alone, sampled) : alone;
}

/*
 * A peak between two samples, or in a run that was over before the second: the kernel's high-water mark still
 * has it. What was not the allocator's at the sample is taken to have been there at the peak too.
 */
static double pages_by_mark(const struct running *r, const struct sample *s, const double *value)
{
	if (r->reaped != 1 || r->watch.most_pids > 1)
		return NAN;
	return (double)r->max_resident - value[F_OWN] - (s->rss - s->pages - s->heapray);
}

/* The highest its allocator told of itself, every 20 ms, in a time line that outlives it. */
static double held_by_itself(const struct running *r)
{
	double most = NAN;

	for (size_t i = 0; r->watch.member_count == 1 && i < r->watch.members[0].segment->point_count; i++) {
		const struct hr_point *p = &r->watch.members[0].segment->timeline[i];
		if (p->held_bytes != UINT64_MAX)
			most = fmax(most, (double)p->held_bytes);
	}
	return most;
}

/* What the shim measured of sampled blocks; for runs too short for a look at the live ones. */
static double usable_ratio(const struct running *r, const struct run *run)
{
	double requested = 0, usable = 0;

	for (size_t i = 0; i < run->size_count; i++) {
		requested += (double)run->sizes[i].requested;
		usable += (double)run->sizes[i].usable;
	}
	for (size_t i = 0; usable <= 0 && i < r->watch.member_count; i++) {
		requested = (double)r->watch.members[i].segment->header.usable_sampled_requested;
		usable = (double)r->watch.members[i].segment->header.usable_sampled_usable;
	}
	return usable > 0 && requested > 0 ? usable / requested : NAN;
}

/*
 * Every witness of what is held sees a part: pages those that were touched, statistics what the allocator counts
 * (glibc's mallinfo2 one arena of many). What was handed out is held in any case. The highest of them counts.
 */
static void held_figures(const struct running *r, double *value)
{
	const struct observer *w = &r->watch;
	const struct sample *highest = NULL;

	for (size_t i = 0; i < w->sample_count; i++) {
		const struct sample *s = &w->samples[i];
		if (isnan(s->held))
			continue;
		value[F_PEAK_HELD] = fmax(value[F_PEAK_HELD], s->held);
		value[F_PEAK_PAGES] = fmax(value[F_PEAK_PAGES], s->pages);
		if (!highest || s->blocks > highest->blocks)
			highest = s;
	}
	const bool seen = highest && highest->blocks >= SEEN * value[F_PEAK_REQUESTED];
	if (highest && !seen)
		value[F_PEAK_PAGES] = fmax(value[F_PEAK_PAGES], pages_by_mark(r, highest, value));
	const double handed_out = fmax(value[F_PEAK_REQUESTED], value[F_PEAK_USABLE]);
	value[F_PEAK_HELD] = fmax(fmax(value[F_PEAK_HELD], held_by_itself(r)), fmax(value[F_PEAK_PAGES], handed_out));
	const double at_peak = seen ? fmax(highest->held, handed_out) : value[F_PEAK_HELD];
	value[F_PEAK_FRAGMENTATION] = value[F_PEAK_REQUESTED] > 0 ? at_peak / value[F_PEAK_REQUESTED] : NAN;
	if (r->after.seconds > 0 && !isnan(r->after.held)) {
		value[F_AFTER_REQUESTED] = r->after.blocks;
		value[F_AFTER_PAGES] = r->after.pages;
		value[F_AFTER_HELD] = fmax(r->after.held, r->after.blocks);
		value[F_AFTER_FRAGMENTATION] = r->after.blocks > 0 ? value[F_AFTER_HELD] / r->after.blocks : NAN;
	}
}

static void quality_figures(const struct running *r, struct run *run)
{
	struct family family = {.members = xcalloc(r->watch.member_count, sizeof(*family.members)), .count = r->watch.member_count};

	for (size_t i = 0; i < family.count; i++)
		family.members[i].segment = r->watch.members[i].segment;
	quality_of(&family, &run->quality);
	for (size_t i = 0; i < run->quality.approximate_count; i++)
		free(run->quality.approximate[i]);
	run->quality.approximate_count = 0;
	free(family.members);
}

void figures_fill(const struct compare *compare, const struct arm *arm, struct running *r, struct run *run)
{
	double *value = run->value;

	for (size_t i = 0; i < FIGURE_COUNT; i++)
		value[i] = NAN;
	value[F_METRIC] = metric_of(compare, r);
	value[F_WALL] = r->load_end_ns ? (double)(r->load_end_ns - r->load_begin_ns) / 1e9 : at(r, r->ended_ns);
	value[F_USER] = r->user_s;
	value[F_SYSTEM] = r->system_s;
	value[F_CPU] = r->user_s + r->system_s;
	value[F_FAULTS] = (double)r->faults;
	resident_figures(r, value);
	steady(r, value);
	run->processes = r->watch.most_pids > r->watch.member_count ? r->watch.most_pids : r->watch.member_count;
	if (r->watch.dir) {
		run->size_count = sizes_classes(&r->watch.sizes, arm, &run->sizes);
		count_allocations(r, value);
		requested_figures(r, value);
		value[F_PEAK_USABLE] = value[F_PEAK_REQUESTED] * usable_ratio(r, run);
		held_figures(r, value);
		quality_figures(r, run);
	} else {
		value[F_GROWTH] = NAN;
	}
	run->samples = r->watch.samples;
	run->sample_count = r->watch.sample_count;
}
