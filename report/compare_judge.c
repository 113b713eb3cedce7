/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_judge.c - what may be said of the arms.
 *
 * For each figure the arm with the best median is set against every other. An arm is said to differ when
 * chance would give so uneven an order at most once in twenty times (over all those tests together) and
 * the medians are 1 % apart. Everything else is no difference beyond noise, or too few runs to tell.
 */
#include "compare.h"

#include "compare_stats.h"
#include "text.h"
#include "xalloc.h"

#include <math.h>
#include <stdarg.h>

#define CHANCE 0.05
#define APART 0.01

static void __attribute__((format(printf, 2, 3))) say(struct compare *compare, const char *format, ...)
{
	char *sentence;
	va_list args;

	va_start(args, format);
	const int length = vasprintf(&sentence, format, args);
	va_end(args);
	xalloc_check(length < 0 ? NULL : sentence);
	xgrow(compare->verdict, compare->verdict_count, compare->verdict_capacity);
	compare->verdict[compare->verdict_count++] = sentence;
}

/* ---- one figure ---------------------------------------------------------------------------- */

struct rival {
	const struct arm *arm;
	double median, probability, apart; /* apart: of the best's median */
};

static double test(const struct arm *a, const struct arm *b, enum figure figure)
{
	double *x, *y;
	size_t a_count, b_count;
	const struct run *a_runs = arm_runs(a, figure, &a_count), *b_runs = arm_runs(b, figure, &b_count);

	a_count = arm_values(a_runs, a_count, figure, &x);
	b_count = arm_values(b_runs, b_count, figure, &y);
	const double probability = stats_probability(x, a_count, y, b_count);
	free(x);
	free(y);
	return probability;
}

/* Runs of each arm with which `tests` tests can tell anything: 2 / C(2n, n) * tests <= CHANCE. */
static size_t runs_needed(size_t tests)
{
	double ways = 1;
	size_t n = 0;

	while (2 / ways * (double)tests > CHANCE) {
		n++;
		ways = ways * (double)(2 * n) * (double)(2 * n - 1) / (double)(n * n);
	}
	return n;
}

static char *append(char *text, const char *separator, char *more)
{
	char *joined = xasprintf("%s%s%s", text, *text ? separator : "", more);

	free(text);
	free(more);
	return joined;
}

static int by_apart(const void *a, const void *b)
{
	const double x = fabs(((const struct rival *)a)->apart), y = fabs(((const struct rival *)b)->apart);

	return (x > y) - (x < y);
}

static void describe(struct compare *compare, enum figure figure, const struct arm *best, struct rival *rivals, size_t count)
{
	const char *label = figures_info[figure].label, *which = figure == F_METRIC ? "highest" : "lowest";
	char *differ = xstrdup(""), *equal = xstrdup("");
	double worst = 0, most = 0;

	qsort(rivals, count, sizeof(*rivals), by_apart);
	for (size_t i = 0; i < count; i++) {
		const struct rival *r = &rivals[i];
		most = fmax(most, fabs(r->apart));
		if (r->probability > CHANCE || fabs(r->apart) < APART) {
			equal = append(equal, ", ", xasprintf("%s %+.1f %%", r->arm->name, 100 * r->apart));
			continue;
		}
		differ = append(differ, ", ", xasprintf("%s %+.1f %%", r->arm->name, 100 * r->apart));
		worst = fmax(worst, r->probability);
	}
	const size_t needed = runs_needed(count);
	size_t have;
	arm_runs(best, figure, &have);
	const char *best_text = figure_text(figure, arm_median(best, figure));
	if (*differ)
		say(compare, "%s: %s %s, %s; %s (%.0f %% confidence)%s%s%s", label, best->name, which, best_text, differ,
			floor(100 * (1 - worst)), *equal ? "; no difference beyond noise: " : "", equal, "");
	else if (have < needed && most >= APART)
		say(compare, "%s: %s %s, %s; %s; too few runs to tell that from noise: %zu of each, %zu would do", label, best->name,
			which, best_text, equal, have, needed);
	else
		say(compare, "%s: no difference beyond noise (%s %s, %s; %s)", label, best->name, which, best_text, equal);
	free(differ);
	free(equal);
}

static void judge(struct compare *compare, enum figure figure)
{
	const struct arm *best = NULL;
	struct rival *rivals = xcalloc(compare->arm_count, sizeof(*rivals));
	double *probabilities = xcalloc(compare->arm_count, sizeof(*probabilities)), best_median = NAN;
	size_t count = 0;

	for (size_t i = 0; i < compare->arm_count; i++) {
		const struct arm *arm = &compare->arms[i];
		const double median = arm->void_why ? NAN : arm_median(arm, figure);
		if (isnan(median) || (best && !(figure == F_METRIC ? median > best_median : median < best_median)))
			continue;
		best = arm;
		best_median = median;
	}
	for (size_t i = 0; best && i < compare->arm_count; i++) {
		const struct arm *arm = &compare->arms[i];
		const double median = arm->void_why || arm == best ? NAN : arm_median(arm, figure);
		if (isnan(median))
			continue;
		probabilities[count] = test(best, arm, figure);
		rivals[count++] = (struct rival){.arm = arm, .median = median,
			.apart = best_median != 0 ? median / best_median - 1 : median != 0 ? INFINITY : 0};
	}
	if (count > 0) {
		stats_holm(probabilities, count);
		for (size_t i = 0; i < count; i++)
			rivals[i].probability = probabilities[i];
		describe(compare, figure, best, rivals, count);
	}
	free(rivals);
	free(probabilities);
}

/* ---- are they comparable at all? ----------------------------------------------------------- */

static void judge_events(struct compare *compare)
{
	double varies = 0, low = NAN, high = NAN;
	char *counts = xstrdup("");
	size_t arms = 0, runs = 0;

	for (size_t i = 0; i < compare->arm_count; i++) {
		const struct arm *arm = &compare->arms[i];
		const double median = arm->void_why ? NAN : arm_median(arm, F_ALLOCATIONS);
		if (isnan(median))
			continue;
		arms++;
		runs = arm->watched_count;
		varies = fmax(varies, 2 * arm_spread(arm, F_ALLOCATIONS));
		low = fmin(low, median);
		high = fmax(high, median);
		counts = append(counts, ", ", xasprintf("%s %s", arm->name, text_count((uint64_t)median)));
	}
	if (arms < 2)
		return;
	if (high == low && varies == 0)
		say(compare, "same events: %s allocations in every run of every arm", text_count((uint64_t)low));
	else if (runs < 2)
		say(compare, "allocations: %s; one run of each does not show how much the program itself varies", counts);
	else if (high - low <= 2 * varies)
		say(compare, "same events: %s allocations, as near as the program itself comes to itself (%s between runs)", counts,
			text_count((uint64_t)varies));
	else
		say(compare, "not the same events: %s allocations, the program itself varies by %s between runs: %s", counts,
			text_count((uint64_t)varies), compare->load ? "the load did more in some arms, or the server asks how much it was given" :
			"it did other work, or asks the allocator how much it was given");
	free(counts);
}

static void judge_status(struct compare *compare)
{
	for (size_t i = 0; i < compare->arm_count; i++) {
		const struct arm *arm = &compare->arms[i];
		size_t odd = 0;
		int status = 0;
		for (size_t k = 0; k < arm->watched_count; k++) {
			/* SIGTERM is how we stop servers. */
			if (arm->watched[k].exit_status == 0 || (compare->load && arm->watched[k].exit_status == 128 + 15))
				continue;
			odd++;
			status = arm->watched[k].exit_status;
		}
		if (odd)
			say(compare, "%s: exit status %d in %zu of %zu runs", arm->name, status, odd, arm->watched_count);
	}
}

static void judge_metric(struct compare *compare)
{
	for (size_t i = 0; compare->metric && i < compare->arm_count; i++)
		if (!compare->arms[i].void_why && isnan(arm_median(&compare->arms[i], F_METRIC)))
			say(compare, "%s: --metric '%s' matches nothing that was printed", compare->arms[i].name, compare->metric);
}

void compare_judge(struct compare *compare)
{
	static const enum figure plain[] = {F_METRIC, F_WALL, F_CPU, F_PEAK_RESIDENT};
	static const enum figure server[] = {F_METRIC, F_WALL, F_CPU, F_PEAK_RESIDENT, F_STEADY_RESIDENT, F_AFTER_PAGES};
	size_t fit = 0;

	for (size_t i = 0; i < compare->arm_count; i++) {
		if (compare->arms[i].void_why)
			say(compare, "%s: void: %s", compare->arms[i].name, compare->arms[i].void_why);
		fit += !compare->arms[i].void_why;
	}
	judge_status(compare);
	judge_metric(compare);
	judge_events(compare);
	const enum figure *list = compare->load ? server : plain;
	const size_t count = compare->load ? sizeof(server) / sizeof(server[0]) : sizeof(plain) / sizeof(plain[0]);
	for (size_t i = 0; i < count && fit > 1; i++)
		judge(compare, list[i]);
	if (fit < 2)
		say(compare, fit ? "one arm alone: nothing to compare it with" : "no arm can be compared");
}
