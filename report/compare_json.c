/* SPDX-License-Identifier: BSD-2-Clause */
/* compare_json.c - the comparison as JSON: every run, the medians, and of the last run the pictures' data. */
#include "compare.h"

#include "json.h"
#include "xalloc.h"

#include <math.h>

static void set_value(struct json *object, const char *id, enum unit unit, double value)
{
	if (isnan(value))
		json_set(object, id, json_null());
	else if (unit == UNIT_BYTES || unit == UNIT_COUNT)
		json_set_integer(object, id, llround(value));
	else
		json_set_real(object, id, value);
}

static struct json *run_json(const struct run *run, bool bare)
{
	struct json *json = json_object();

	for (enum figure f = 0; f < (bare ? FIRST_BOOKED : FIGURE_COUNT); f++)
		set_value(json, figures_info[f].id, figures_info[f].unit, run->value[f]);
	json_set_integer(json, "exit_status", run->exit_status);
	json_set_integer(json, "processes", (int64_t)run->processes);
	return json;
}

static struct json *runs_json(const struct run *runs, size_t count, bool bare)
{
	struct json *json = json_array();

	for (size_t i = 0; i < count; i++)
		json_append(json, run_json(&runs[i], bare));
	return json;
}

static struct json *median_json(const struct run *runs, size_t count, bool bare)
{
	struct run median = {0};

	if (count == 0)
		return json_null();
	for (enum figure f = 0; f < FIGURE_COUNT; f++)
		median.value[f] = runs_median(runs, count, f);
	/* Status and processes are of a run as it was: the last. */
	median.exit_status = runs[count - 1].exit_status;
	median.processes = runs[count - 1].processes;
	return run_json(&median, bare);
}

/* Watched less bare, of what both tell. */
static struct json *cost_json(const struct arm *arm)
{
	struct json *json = json_object();

	if (arm->bare_count == 0)
		return json_null();
	for (enum figure f = 0; f < FIRST_BOOKED; f++)
		set_value(json, figures_info[f].id, figures_info[f].unit,
			runs_median(arm->watched, arm->watched_count, f) - runs_median(arm->bare, arm->bare_count, f));
	return json;
}

static struct json *spread_json(const struct arm *arm)
{
	struct json *json = json_object();

	for (enum figure f = 0; f < FIGURE_COUNT; f++)
		set_value(json, figures_info[f].id, UNIT_SECONDS, arm_spread(arm, f));
	return json;
}

static struct json *timeline_json(const struct run *run)
{
	struct json *json = json_object(), *seconds = json_array(), *columns[6];
	static const char *const names[] = {"resident_bytes", "pss_bytes", "requested_bytes", "held_bytes",
		"allocator_resident_bytes", "heapray_bytes"};

	json_set(json, "seconds", seconds);
	for (size_t c = 0; c < 6; c++)
		json_set(json, names[c], columns[c] = json_array());
	for (size_t i = 0; i < run->sample_count; i++) {
		const struct sample *s = &run->samples[i];
		const double values[] = {s->rss, s->pss, s->requested, s->held, s->pages, s->heapray};
		json_append(seconds, json_real(s->seconds));
		for (size_t c = 0; c < 6; c++)
			json_append(columns[c], isnan(values[c]) ? json_null() : json_integer(llround(values[c])));
	}
	return json;
}

static struct json *sizes_json(const struct run *run)
{
	struct json *json = json_array();

	for (size_t i = 0; i < run->size_count; i++) {
		const struct size_class *c = &run->sizes[i];
		struct json *row = json_object();
		json_set_bytes(row, "up_to_bytes", c->up_to);
		json_set_bytes(row, "count", c->count);
		json_set_bytes(row, "requested_bytes", c->requested);
		json_set_bytes(row, "usable_bytes", c->usable ? c->usable : JSON_UNKNOWN);
		json_append(json, row);
	}
	return json;
}

static struct json *arm_json(const struct arm *arm)
{
	struct json *json = json_object(), *variables = json_array();
	const size_t watched = arm->void_why ? 0 : arm->watched_count, bare = arm->void_why ? 0 : arm->bare_count;
	const struct run *last = watched ? &arm->watched[watched - 1] : NULL;

	for (size_t i = 0; i < arm->variable_count; i++)
		json_append(variables, json_string(arm->variables[i]));
	json_set_string(json, "allocator", arm->name);
	json_set_string(json, "void", arm->void_why);
	json_set_string(json, "provided_by", arm->served_by);
	json_set_string(json, "library", arm->library);
	json_set(json, "variables", variables);
	json_set(json, "runs", runs_json(arm->watched, watched, false));
	json_set(json, "bare_runs", runs_json(arm->bare, bare, true));
	json_set(json, "median", median_json(arm->watched, watched, false));
	json_set(json, "bare_median", median_json(arm->bare, bare, true));
	json_set(json, "spread", watched ? spread_json(arm) : json_null());
	json_set(json, "shim_cost", watched ? cost_json(arm) : json_null());
	json_set(json, "timeline", last ? timeline_json(last) : json_null());
	json_set(json, "sizes", last ? sizes_json(last) : json_null());
	return json;
}

void compare_print_json(const struct compare *compare)
{
	struct json *json = json_object(), *arms = json_array(), *verdict = json_array(), *command = json_array();

	for (char **word = compare->command; *word; word++)
		json_append(command, json_string(*word));
	for (size_t i = 0; i < compare->arm_count; i++)
		json_append(arms, arm_json(&compare->arms[i]));
	for (size_t i = 0; i < compare->verdict_count; i++)
		json_append(verdict, json_string(compare->verdict[i]));
	json_set_integer(json, "schema", 1);
	json_set(json, "command", command);
	json_set_string(json, "load", compare->load);
	json_set(json, "arms", arms);
	json_set(json, "verdict", verdict);
	json_set(json, "quality", quality_json(&compare->quality));
	json_print(json, stdout);
}
