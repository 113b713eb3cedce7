/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_measure.c - the rounds. All arms take turns in every round, so that what changes with time (a warm
 * cache, a neighbour, the heat) meets them alike. Round 0 is dropped; it also shows which arms are void
 * before much time went into them.
 */
#include "compare.h"

#include "compare_run.h"
#include "preload.h"
#include "text.h"
#include "xalloc.h"

#include <unistd.h>

static void add_quality(struct quality *sum, const struct quality *more)
{
	sum->watched += more->watched;
	for (size_t i = 0; i < HR_LOST_COUNT; i++)
		sum->lost[i] += more->lost[i];
	sum->unknown_frees += more->unknown_frees;
	sum->sampled_bytes = more->sampled_bytes;
	sum->lua_sampled_bytes = more->lua_sampled_bytes;
	sum->unwind_differences = more->unwind_differences;
	if (sum->own_bytes < more->own_bytes)
		sum->own_bytes = more->own_bytes;
}

static void progress(const struct compare *compare, size_t round, const struct arm *arm, bool watched)
{
	static int terminal = -1;

	if (terminal < 0)
		terminal = isatty(STDERR_FILENO);
	if (!terminal)
		return;
	if (round == 0)
		fprintf(stderr, "\r\033[Kwarm-up: %s", text_safe(arm->name, 40));
	else
		fprintf(stderr, "\r\033[Kround %zu of %zu: %s%s", round, compare->runs, text_safe(arm->name, 40), watched ? "" : ", bare");
}

/* Keeps the run, or makes the arm void. */
static void book(struct arm *arm, struct run *run, bool watched, bool keep)
{
	if (run->served_by && !arm->served_by)
		arm->served_by = xstrdup(run->served_by);
	if (run->self_check)
		arm->void_why = run->self_check;
	else if (run->fault)
		arm->void_why = xasprintf("%s%s", watched ? "" : "without the shim: ", run->fault);
	if (arm->void_why || !keep)
		return;
	struct run **runs = watched ? &arm->watched : &arm->bare;
	size_t *count = watched ? &arm->watched_count : &arm->bare_count;
	*runs = xreallocarray(*runs, *count + 1, sizeof(**runs));
	(*runs)[(*count)++] = *run;
}

/*
 * glibc has no operator new. Where the program is linked with an allocator that has one, the C++ library is put
 * before it, as glibc is for malloc.
 */
static bool repair(struct arm *arm, const struct run *run)
{
	if (!run->only_new || arm->also || strcmp(arm->allocator, "glibc") != 0)
		return false;
	arm->also = "libstdc++.so.6";
	return true;
}

static int turn(struct compare *compare, struct arm *arm, size_t round, bool watched)
{
	struct run run;

	if (arm->void_why)
		return 0;
	progress(compare, round, arm, watched);
	do {
		if (run_once(compare, arm, watched, &run) != 0)
			return -1;
	} while (repair(arm, &run));
	if (watched)
		add_quality(&compare->quality, &run.quality);
	book(arm, &run, watched, round > 0);
	return 0;
}

/* What cannot be preloaded need not be started to know it. */
static void look_at_program(struct compare *compare)
{
	bool stumbles;
	const char *obstacle = preload_obstacle(compare->program, &stumbles);

	for (size_t i = 0; obstacle && i < compare->arm_count; i++)
		if (!compare->arms[i].void_why)
			compare->arms[i].void_why = xasprintf("%s: %s: nothing can be preloaded into it", compare->command[0], obstacle);
}

int compare_measure(struct compare *compare)
{
	int result = 0;

	compare->quality.sampled_bytes = compare->quality.lua_sampled_bytes = compare->quality.unwind_differences = JSON_UNKNOWN;
	look_at_program(compare);
	for (size_t round = 0; round <= compare->runs && result == 0; round++) {
		for (size_t i = 0; i < compare->arm_count && result == 0; i++) {
			result = turn(compare, &compare->arms[i], round, true);
			if (result == 0 && round > 0 && compare->bare)
				result = turn(compare, &compare->arms[i], round, false);
		}
	}
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	return result;
}
