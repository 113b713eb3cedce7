/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth_find.c - groups the series by place, and judges each group.
 *
 * Frames are only looked up for series that grew at all: most stacks of a server never do.
 *
 * A collected heap holds garbage until the next collection, and the more the larger it is: a leak makes the
 * churn beside it swell. So of a place in such a heap only what will still be there counts, at each moment the
 * least of what it held from then to the heap's last collection:
 *
 *   held      /|   /|  /      counts    ____ up to the last collection, a flat line: churn
 *            / |  / | /                 ____
 *           /  |_/  |/
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
	double live[SAMPLES_MOST], made[SAMPLES_MOST], variance; /* made: bytes allocated, ever */
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

/* ---- collected heaps ----------------------------------------------------------------------- */

#define COLLECTION 0.1 /* of a heap: a fall by so much, and a rise by half of it after, have a collection between them */

static bool is_collected(const char *domain)
{
	return strncmp(domain, "luajit:", 7) == 0 || strncmp(domain, "lua:", 4) == 0;
}

/* The readings that count for a place. */
struct span {
	size_t first, last; /* that are judged */
	size_t known;       /* a later one, of which is known what was still there; last when the heap is not collected */
	bool collected;
	size_t middle, collections; /* from the middle on so many were seen */
};

/*
 * The lowest readings between a fall and a rise: the last one and the one before; 0 when there are not as many.
 * Returns how many there are.
 */
static size_t find_collections(const double *total, size_t first, size_t count, size_t *last, size_t *before)
{
	size_t high = first, low = first, found = 0;
	bool falling = false;

	*last = *before = 0;
	/* A fall that still goes on at the end is not over: it says nothing. */
	for (size_t at = first + 1; at < count; at++) {
		if (falling && total[at] > (1 + COLLECTION / 2) * total[low]) {
			found++;
			*before = *last;
			*last = low;
			falling = false;
			high = at;
		} else if (falling && total[at] < total[low]) {
			low = at;
		} else if (!falling && total[at] > total[high]) {
			high = at;
		} else if (!falling && total[at] < (1 - COLLECTION) * total[high]) {
			falling = true;
			low = at;
		}
	}
	return found;
}

/*
 * A reading may fall into a collection. So the last one tells what stayed of what was there at the one before,
 * and readings are judged up to that; with too few of them up to the last, and with none all are taken as they are.
 */
static struct span span_of(const struct samples *s, size_t first, uint32_t domain)
{
	struct span span = {.first = first, .last = s->count - 1, .known = s->count - 1, .collected = is_collected(s->model->domains[domain])};
	double total[SAMPLES_MOST] = {0};
	size_t last = 0, before = 0;

	for (size_t i = 1; i < s->series_count && span.collected; i++) {
		for (size_t at = first; at < s->count && s->series[i]->domain == domain; at++)
			total[at] += s->series[i]->live[at];
	}
	if (span.collected)
		find_collections(total, first, s->count, &last, &before);
	if (last >= first + TREND_FEWEST)
		span.last = span.known = last;
	if (before >= first + TREND_FEWEST)
		span.last = before;
	span.middle = first + (span.last - first) / 2;
	if (span.collected)
		span.collections = find_collections(total, span.middle, s->count, &last, &before);
	return span;
}

/* Turns what was held into what stayed. */
static void keep_what_stays(double *live, struct span span)
{
	for (size_t at = span.known; span.collected && at-- > span.first;)
		live[at] = fmin(live[at], live[at + 1]);
}

/* ---- one place ----------------------------------------------------------------------------- */

static struct trend fit(const struct samples *s, struct span span, double *live)
{
	keep_what_stays(live, span);
	return trend_fit(s->seconds + span.first, s->effort + span.first, live + span.first, span.last - span.first + 1);
}

static void add(struct sums *sums, const struct samples *s, const struct place *place)
{
	const struct series *series = s->series[place->series];

	for (size_t i = 0; i < s->count; i++)
		sums->live[i] += series->live[i], sums->made[i] += series->allocated[i];
	sums->stacks++;
	sums->variance += series->variance;
	sums->estimated |= series->estimated;
	if (!sums->heaviest || place->grown > sums->heaviest_grown) {
		sums->heaviest = place->series;
		sums->heaviest_grown = place->grown;
	}
}

/* Large enough to speak of, and above the error of an estimate. */
static bool matters(const struct sums *sums, struct span span)
{
	const double grown = sums->live[span.last] - sums->live[span.first], error = 3 * sqrt(fmax(sums->variance, 0));

	return grown >= FIND_LEAST_BYTES && grown >= FIND_LEAST_SHARE * sums->live[span.first] && (!sums->estimated || grown > error);
}

/* In its second half it kept more than can wait for the next collection. */
static bool is_kept(const struct sums *sums, struct span span)
{
	const double made = sums->made[span.last] - sums->made[span.middle], stayed = sums->live[span.last] - sums->live[span.middle];

	return !span.collected || stayed > made / (double)(span.collections + 1);
}

static bool is_up(enum trend_shape shape)
{
	return shape == TREND_GROWING || shape == TREND_SLOWING || shape == TREND_PLATEAU;
}

/* Bytes for each event of the counter, over the same columns. */
static double per_event(const struct samples *s, struct span span, const double *live)
{
	if (s->events[span.last] <= s->events[span.first])
		return NAN;
	return trend_slope(s->events + span.first, live + span.first, span.last - span.first + 1);
}

static struct finding finding_of(const struct samples *s, struct span span, const struct sums *sums, struct trend trend)
{
	const struct series *heaviest = s->series[sums->heaviest];
	const size_t count = span.last - span.first + 1;
	/* An estimate's own error comes on top of what the readings scatter by. */
	const double error = sums->live[span.last] > 0 ? 1.96 * sqrt(fmax(sums->variance, 0)) / sums->live[span.last] : 0;

	trend.low -= error * trend.slope;
	trend.high += error * trend.slope;
	return (struct finding){
		.course = memcpy(xcalloc(count, sizeof(double)), sums->live + span.first, count * sizeof(double)),
		.course_count = count,
		.trend = trend,
		.domain = heaviest->domain,
		.path = heaviest->path,
		.stacks = sums->stacks,
		.live = sums->live[span.last],
		.grown = sums->live[span.last] - sums->live[span.first],
		.per_event = per_event(s, span, sums->live),
		.estimated = sums->estimated,
	};
}

/* Whether one stack of a place grows by itself. */
static bool grows(const struct samples *s, struct span span, const struct place *place)
{
	double live[SAMPLES_MOST];

	memcpy(live, s->series[place->series]->live, sizeof(live));
	return fit(s, span, live).shape == TREND_GROWING;
}

/* How far from a line: the width of the interval for its slope; INFINITY when they do not grow. */
static double fit_sums(const struct samples *s, struct span span, struct sums *sums, struct trend *trend)
{
	*trend = (struct trend){.shape = TREND_FLAT};
	if (sums->stacks == 0 || !matters(sums, span))
		return INFINITY;
	*trend = fit(s, span, sums->live);
	if (!matters(sums, span)) /* in what stays */
		trend->shape = TREND_FLAT;
	return trend->shape == TREND_GROWING ? (trend->high - trend->low) / trend->slope : INFINITY;
}

static void judge(const struct samples *s, struct span span, const struct place *places, size_t count, struct findings *findings)
{
	struct sums *all = xcalloc(1, sizeof(*all)), *rising = xcalloc(1, sizeof(*rising)), *chosen = all;
	struct trend trend, trend_of_rising;

	for (size_t i = 0; i < count; i++)
		add(all, s, &places[i]);
	for (size_t i = 0; i < count && matters(all, span); i++) {
		if (grows(s, span, &places[i]))
			add(rising, s, &places[i]);
	}
	if (fit_sums(s, span, rising, &trend_of_rising) < fit_sums(s, span, all, &trend)) {
		trend = trend_of_rising;
		chosen = rising;
	}
	if (trend.shape == TREND_GROWING && is_kept(chosen, span))
		findings->growing[findings->growing_count++] = finding_of(s, span, chosen, trend);
	else if (trend.shape == TREND_GROWING && span.collections == 0)
		findings->uncollected = s->model->domains[s->series[chosen->heaviest]->domain];
	else if (is_up(trend.shape) && trend.shape != TREND_GROWING)
		findings->settled[findings->settled_count++] = finding_of(s, span, chosen, trend);
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
	findings.growing = xcalloc(count + 1, sizeof(*findings.growing));
	findings.settled = xcalloc(count + 1, sizeof(*findings.settled));
	struct span span = {.first = first};
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && same_place(&places[i], &places[end]);)
			end++;
		if (i == 0 || places[i].domain != places[i - 1].domain) /* sorted: each domain once */
			span = span_of(s, first, places[i].domain);
		judge(s, span, places + i, end - i, &findings);
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
	for (size_t i = 0; i < findings->growing_count; i++)
		free(findings->growing[i].course);
	for (size_t i = 0; i < findings->settled_count; i++)
		free(findings->settled[i].course);
	free(findings->growing);
	free(findings->settled);
	*findings = (struct findings){0};
}
