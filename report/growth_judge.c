/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth_judge.c - from what was gathered to findings, and one sentence.
 *
 * By ages, a cache that keeps things for longer than the process has run looks like a leak. So ages only
 * explain growth that the time line of their heap shows: stacks are taken, those that free least first,
 * until their rates add up to the heap's slope.
 */
#include "growth.h"

#include "text.h"
#include "xalloc.h"

#include <math.h>

#define WARM_UP 10             /* one part of so many of the time line is left out, without a mark */
#define EXPLAINED 1.3          /* a stack's rate may exceed what is left of its heap's slope by this */

/* ---- heaps --------------------------------------------------------------------------------- */

static void judge_heaps(struct growth *g)
{
	const struct timeline *t = &g->timeline;
	const size_t first = g->timeline_first, count = t->count > first ? t->count - first : 0;

	g->heaps = xcalloc(t->domain_count, sizeof(*g->heaps));
	for (size_t d = 0; d < t->domain_count; d++) {
		const double *live = t->domains[d].live;
		g->heaps[d] = (struct heap_trend){.name = t->domains[d].name, .live = t->count ? live[t->count - 1] : 0};
		g->heaps[d].trend = trend_fit(t->seconds + first, t->effort + first, live + first, count);
	}
}

/* ---- findings by age ----------------------------------------------------------------------- */

struct candidate {
	const struct age_row *row;
	double freed; /* part of what was allocated that was freed */
};

static int by_freed(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->freed != y->freed)
		return x->freed < y->freed ? -1 : 1;
	return x->row < y->row ? -1 : 1;
}

static double freed_part(const struct model *model, const struct age_row *row)
{
	for (size_t i = 0; i < model->row_count; i++) {
		const struct figures *f = &model->rows[i].figures;
		if (model->rows[i].path == row->path && model->rows[i].domain == row->domain && f->allocated_bytes > 0)
			return 1 - (double)f->live_bytes / (double)f->allocated_bytes;
	}
	return 1;
}

static struct candidate *candidates_of(const struct growth *g, const char *heap, size_t *count)
{
	struct candidate *list = xcalloc(g->ages.count, sizeof(*list));

	*count = 0;
	for (size_t i = 0; i < g->ages.count; i++) {
		const struct age_row *row = &g->ages.rows[i];
		if (row->leaking && strcmp(g->model->domains[row->domain], heap) == 0)
			list[(*count)++] = (struct candidate){row, freed_part(g->model, row)};
	}
	if (*count > 0)
		qsort(list, *count, sizeof(*list), by_freed);
	return list;
}

static void add_by_age(struct growth *g, const struct age_row *row, const struct trend *heap)
{
	struct finding *f = &g->findings.growing[g->findings.growing_count++];
	double live = row->older, grown = 0;

	for (size_t b = 0; b < AGE_BUCKETS; b++)
		grown += row->bytes[b];
	*f = (struct finding){
		.trend = {.shape = TREND_GROWING, .slope = row->rate, .low = row->low, .high = row->high, .z = heap->z},
		.domain = row->domain, .path = row->path, .stacks = 1, .live = live + grown, .grown = grown, .per_event = NAN,
	};
}

static bool significant(const struct growth *g, const struct heap_trend *heap)
{
	const double seconds = g->timeline.seconds[g->timeline.count - 1] - g->timeline.seconds[g->timeline_first];

	return heap->trend.shape == TREND_GROWING && heap->trend.slope * seconds >= FIND_LEAST_BYTES &&
	       heap->trend.slope * seconds >= FIND_LEAST_SHARE * heap->live;
}

static int by_slope(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->trend.slope != y->trend.slope)
		return x->trend.slope > y->trend.slope ? -1 : 1;
	return (x->path > y->path) - (x->path < y->path);
}

static void find_by_age(struct growth *g)
{
	g->by_ages = true;
	g->findings.growing = xcalloc(g->ages.count + g->timeline.domain_count, sizeof(*g->findings.growing));
	for (size_t d = 0; d < g->timeline.domain_count; d++) {
		const struct heap_trend *heap = &g->heaps[d];
		const size_t before = g->findings.growing_count;
		if (!significant(g, heap))
			continue;
		size_t count;
		struct candidate *list = candidates_of(g, heap->name, &count);
		double left = heap->trend.high;
		for (size_t i = 0; i < count; i++) {
			if (list[i].row->rate > EXPLAINED * left || list[i].row->rate < FIND_LEAST_SHARE * heap->trend.slope)
				continue;
			left -= list[i].row->rate;
			add_by_age(g, list[i].row, &heap->trend);
		}
		free(list);
		if (g->findings.growing_count == before) /* it grows, and no stack says why: the heap itself */
			g->findings.growing[g->findings.growing_count++] = (struct finding){
				.trend = heap->trend, .domain = d, .path = UINT32_MAX, .live = heap->live,
				.grown = heap->live - g->timeline.domains[d].live[g->timeline_first], .per_event = NAN,
			};
	}
	if (g->findings.growing_count > 0)
		qsort(g->findings.growing, g->findings.growing_count, sizeof(*g->findings.growing), by_slope);
}

/* ---- the sentence -------------------------------------------------------------------------- */

static double seconds_looked_at(const struct growth *g)
{
	const struct samples *s = g->samples;

	if (s)
		return s->count > g->samples_first ? s->seconds[s->count - 1] - s->seconds[g->samples_first] : 0;
	return g->timeline.count > g->timeline_first ? g->timeline.seconds[g->timeline.count - 1] - g->timeline.seconds[g->timeline_first] : 0;
}

static void say(struct growth *g)
{
	const size_t points = g->samples ? g->samples->count - g->samples_first : g->timeline.count - g->timeline_first;
	const char *span = text_duration(text_whole(seconds_looked_at(g) * 1e9));
	const size_t count = g->findings.growing_count;
	const bool ages_needed = !g->samples && count == 0 && g->ages.told && !g->ages.enough;

	if (count > 0)
		snprintf(g->verdict, sizeof(g->verdict), "%zu %s: together %s/s over %s", count, count == 1 ? "place grows" : "places grow",
			text_signed_bytes(llround(g->slope)), span);
	else if (points < TREND_FEWEST || ages_needed)
		snprintf(g->verdict, sizeof(g->verdict), "too little data: %zu readings over %s; at least %d are needed, and a minute is better",
			points, span, TREND_FEWEST);
	else if (g->findings.settled_count > 0)
		snprintf(g->verdict, sizeof(g->verdict), "nothing goes on growing over %s; %zu %s and settled (warm-up, a cache that fills)", span,
			g->findings.settled_count, g->findings.settled_count == 1 ? "place grew" : "places grew");
	else
		snprintf(g->verdict, sizeof(g->verdict), "nothing grows by more than %s over %s", text_bytes(FIND_LEAST_BYTES), span);
}

void growth_judge(struct growth *g)
{
	if (!g->options->since)
		g->timeline_first = timeline_at(&g->timeline, g->timeline.count ? g->timeline.seconds[g->timeline.count - 1] / WARM_UP : 0);
	if (g->timeline_first > g->timeline.count)
		g->timeline_first = g->timeline.count;
	judge_heaps(g);
	if (g->samples)
		g->findings = findings_of(g->samples, g->samples_first);
	else if (g->timeline.count > g->timeline_first)
		find_by_age(g);
	if (g->findings.uncollected)
		quality_approximate(&g->quality, "%s: no collection was seen, so what grows there may be garbage: look for longer",
			g->findings.uncollected);
	for (size_t i = 0; i < g->findings.growing_count; i++)
		g->slope += g->findings.growing[i].trend.slope;
	say(g);
}
