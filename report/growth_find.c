/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth_find.c - groups the series by place, and judges each group.
 *
 * Frames are only looked up for series that grew at all: most stacks of a server never do.
 */
#include "growth_find.h"

#include "xalloc.h"

#include <math.h>

struct place {
	uint32_t domain, key[FIND_FRAMES];
	uint32_t series;
	double grown;
};

struct sums {
	double live[SAMPLES_MOST], variance;
	size_t stacks;
	bool estimated;
	uint32_t heaviest;
	double heaviest_grown;
};

/* ---- places -------------------------------------------------------------------------------- */

static void key_of(const struct model *model, const struct series *series, uint32_t key[FIND_FRAMES])
{
	const struct row row = {.path = series->path, .domain = series->domain};
	const uint32_t *frames;
	const size_t count = model_frames(model, &row, &frames);
	size_t kept = 0;

	memset(key, 0xff, FIND_FRAMES * sizeof(*key));
	for (size_t i = 0; i < count && kept < FIND_FRAMES; i++) {
		if (!model_is_wrapper(model, frames[i]))
			key[kept++] = frames[i];
	}
	for (size_t i = 0; i < count && kept == 0; i++) /* nothing but wrappers */
		key[kept++] = frames[i];
}

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->domain != y->domain)
		return x->domain < y->domain ? -1 : 1;
	for (size_t i = 0; i < FIND_FRAMES; i++) {
		if (x->key[i] != y->key[i])
			return x->key[i] < y->key[i] ? -1 : 1;
	}
	return (x->series > y->series) - (x->series < y->series);
}

static bool same_place(const struct place *x, const struct place *y)
{
	return x->domain == y->domain && memcmp(x->key, y->key, sizeof(x->key)) == 0;
}

/* The series that grew, by place. */
static struct place *places_of(const struct samples *s, size_t first, size_t *count)
{
	struct place *places = xcalloc(s->series_count, sizeof(*places));

	*count = 0;
	for (size_t i = 1; i < s->series_count; i++) {
		const double grown = s->series[i]->live[s->count - 1] - s->series[i]->live[first];
		if (grown <= 0)
			continue;
		struct place *place = &places[(*count)++];
		*place = (struct place){.domain = s->series[i]->domain, .series = i, .grown = grown};
		key_of(s->model, s->series[i], place->key);
	}
	if (*count > 0)
		qsort(places, *count, sizeof(*places), by_place);
	return places;
}

/* ---- one place ----------------------------------------------------------------------------- */

static struct trend fit(const struct samples *s, size_t first, const double *live)
{
	return trend_fit(s->seconds + first, s->effort + first, live + first, s->count - first);
}

static void add(struct sums *sums, const struct samples *s, const struct place *place)
{
	const struct series *series = s->series[place->series];

	for (size_t i = 0; i < s->count; i++)
		sums->live[i] += series->live[i];
	sums->stacks++;
	sums->variance += series->variance;
	sums->estimated |= series->estimated;
	if (!sums->heaviest || place->grown > sums->heaviest_grown) {
		sums->heaviest = place->series;
		sums->heaviest_grown = place->grown;
	}
}

/* Large enough to speak of, and above the error of an estimate. */
static bool matters(const struct sums *sums, size_t first, size_t last)
{
	const double grown = sums->live[last] - sums->live[first], error = 3 * sqrt(fmax(sums->variance, 0));

	return grown >= FIND_LEAST_BYTES && grown >= FIND_LEAST_SHARE * sums->live[first] && (!sums->estimated || grown > error);
}

static bool is_up(enum trend_shape shape)
{
	return shape == TREND_GROWING || shape == TREND_SLOWING || shape == TREND_PLATEAU;
}

/* Bytes for each event of the counter, over the same columns. */
static double per_event(const struct samples *s, size_t first, const double *live)
{
	if (s->events[s->count - 1] <= s->events[first])
		return NAN;
	return trend_slope(s->events + first, live + first, s->count - first);
}

static struct finding finding_of(const struct samples *s, size_t first, const struct sums *sums, struct trend trend)
{
	const struct series *heaviest = s->series[sums->heaviest];

	return (struct finding){
		.trend = trend,
		.domain = heaviest->domain,
		.path = heaviest->path,
		.stacks = sums->stacks,
		.live = sums->live[s->count - 1],
		.grown = sums->live[s->count - 1] - sums->live[first],
		.per_event = per_event(s, first, sums->live),
		.estimated = sums->estimated,
	};
}

static void judge(const struct samples *s, size_t first, const struct place *places, size_t count, struct findings *findings)
{
	struct sums *all = xcalloc(1, sizeof(*all)), *rising = xcalloc(1, sizeof(*rising));
	struct trend trend;

	for (size_t i = 0; i < count; i++)
		add(all, s, &places[i]);
	if (!matters(all, first, s->count - 1))
		goto done;
	for (size_t i = 0; i < count; i++) {
		if (fit(s, first, s->series[places[i].series]->live).shape == TREND_GROWING)
			add(rising, s, &places[i]);
	}
	if (rising->stacks > 0 && matters(rising, first, s->count - 1)) {
		trend = fit(s, first, rising->live);
		if (trend.shape == TREND_GROWING) {
			findings->growing[findings->growing_count++] = finding_of(s, first, rising, trend);
			goto done;
		}
	}
	trend = fit(s, first, all->live);
	if (trend.shape == TREND_GROWING) /* many stacks, each too little to be judged alone */
		findings->growing[findings->growing_count++] = finding_of(s, first, all, trend);
	else if (is_up(trend.shape))
		findings->settled[findings->settled_count++] = finding_of(s, first, all, trend);
done:
	free(all);
	free(rising);
}

/* ---- all ----------------------------------------------------------------------------------- */

static int by_slope(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->trend.slope != y->trend.slope)
		return x->trend.slope > y->trend.slope ? -1 : 1;
	return (x->path > y->path) - (x->path < y->path);
}

static int by_grown(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->grown != y->grown)
		return x->grown > y->grown ? -1 : 1;
	return (x->path > y->path) - (x->path < y->path);
}

struct findings findings_of(const struct samples *s, size_t first)
{
	struct findings findings = {0};
	size_t count;

	if (s->count - first < TREND_FEWEST || first >= s->count)
		return findings;
	struct place *places = places_of(s, first, &count);
	findings.growing = xcalloc(count, sizeof(*findings.growing));
	findings.settled = xcalloc(count, sizeof(*findings.settled));
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && same_place(&places[i], &places[end]);)
			end++;
		judge(s, first, places + i, end - i, &findings);
	}
	free(places);
	if (findings.growing_count > 0)
		qsort(findings.growing, findings.growing_count, sizeof(*findings.growing), by_slope);
	if (findings.settled_count > 0)
		qsort(findings.settled, findings.settled_count, sizeof(*findings.settled), by_grown);
	return findings;
}

void findings_free(struct findings *findings)
{
	free(findings->growing);
	free(findings->settled);
	*findings = (struct findings){0};
}
