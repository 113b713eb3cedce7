/* SPDX-License-Identifier: BSD-2-Clause */
/* growth_json.c - `heapray growth --json`. The names are read by others' tests and never change. */
#include "growth.h"

#include "xalloc.h"

#include <math.h>

static struct json *bytes_or_null(double bytes)
{
	return isnan(bytes) || isinf(bytes) ? json_null() : json_integer((int64_t)llround(bytes));
}

static struct json *real_or_null(double value)
{
	return isnan(value) || isinf(value) ? json_null() : json_real(value);
}

static struct json *column(const double *values, size_t count)
{
	struct json *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_append(list, bytes_or_null(values[i]));
	return list;
}

static struct json *timeline_json(const struct timeline *t)
{
	struct json *json = json_object(), *seconds = json_array(), *domains = json_object();

	for (size_t i = 0; i < t->count; i++)
		json_append(seconds, json_real(t->seconds[i]));
	for (size_t d = 0; d < t->domain_count; d++)
		json_set(domains, t->domains[d].name, column(t->domains[d].live, t->count));
	json_set(json, "seconds", seconds);
	json_set(json, "resident_bytes", column(t->resident, t->count));
	json_set(json, "held_bytes", column(t->held, t->count));
	json_set(json, "domains", domains);
	return json;
}

static struct json *frames_json(const struct model *model, const struct finding *f)
{
	struct json *list = json_array();
	const struct row row = {.path = f->path, .domain = f->domain};
	const uint32_t *frames;
	const size_t count = f->path == UINT32_MAX ? 0 : model_frames(model, &row, &frames);

	for (size_t i = 0; i < count; i++) {
		const struct frame *frame = &model->frames[frames[i]];
		struct json *json = json_object();
		json_set_string(json, "function", frame->function);
		json_set_string(json, "module", frame->module);
		json_set_bytes(json, "offset", frame->offset);
		json_set_string(json, "file", frame->file);
		json_set(json, "line", frame->line ? json_integer(frame->line) : json_null());
		json_append(list, json);
	}
	return list;
}

static const char *heap_name(const struct growth *g, const struct finding *f)
{
	return f->path == UINT32_MAX ? g->timeline.domains[f->domain].name : g->model->domains[f->domain];
}

static struct json *finding_json(const struct growth *g, const struct finding *f)
{
	struct json *json = json_object();
	const struct age_row *age = f->path == UINT32_MAX ? NULL : ages_find(&g->ages, f->path, f->domain);

	json_set_string(json, "kind", "growth");
	json_set_string(json, "domain", heap_name(g, f));
	json_set(json, "bytes_per_second", real_or_null(f->trend.slope));
	json_set(json, "low", real_or_null(f->trend.low));
	json_set(json, "high", real_or_null(f->trend.high));
	json_set(json, "live_bytes", bytes_or_null(f->live));
	json_set(json, "grown_bytes", bytes_or_null(f->grown));
	json_set_string(json, "trend", trend_name(f->trend.shape));
	json_set_string(json, "seen_by", !g->by_ages ? "samples" : f->path == UINT32_MAX ? "timeline" : "ages");
	json_set_bool(json, "estimated", f->estimated);
	json_set_bytes(json, "stacks", f->stacks);
	json_set(json, "doubling_seconds", real_or_null(trend_seconds_to(f->live, 2 * f->live, f->trend.slope)));
	json_set(json, "bytes_per_event", real_or_null(f->per_event));
	json_set(json, "overdue_bytes", age && isfinite(age->lifetime) ? bytes_or_null(age->overdue_bytes) : json_null());
	json_set(json, "usual_lifetime_seconds", age ? real_or_null(age->lifetime) : json_null());
	json_set(json, "readings_bytes", column(f->course, f->course_count));
	json_set(json, "frames", frames_json(g->model, f));
	return json;
}

static struct json *findings_json(const struct growth *g, const struct finding *list, size_t count)
{
	struct json *json = json_array();

	for (size_t i = 0; i < count; i++)
		json_append(json, finding_json(g, &list[i]));
	return json;
}

static struct json *heaps_json(const struct growth *g)
{
	struct json *list = json_array();

	for (size_t d = 0; d < g->timeline.domain_count; d++) {
		const struct heap_trend *heap = &g->heaps[d];
		struct json *json = json_object();
		json_set_string(json, "domain", heap->name);
		json_set(json, "live_bytes", bytes_or_null(heap->live));
		json_set_string(json, "trend", trend_name(heap->trend.shape));
		json_set(json, "bytes_per_second", real_or_null(heap->trend.slope));
		json_set(json, "low", real_or_null(heap->trend.low));
		json_set(json, "high", real_or_null(heap->trend.high));
		json_append(list, json);
	}
	return list;
}

static void set_now(struct json *report, const struct growth *g)
{
	struct json *now = json_object();
	const struct growth_options *o = g->options;

	json_set(now, "live_bytes", bytes_or_null(g->live));
	json_set(now, "resident_bytes", bytes_or_null(g->resident));
	json_set(now, "held_bytes", bytes_or_null(g->held));
	json_set(now, "retained_bytes", bytes_or_null(g->held - g->used));
	json_set(now, "limit_bytes", g->limit ? json_integer((int64_t)g->limit) : json_null());
	json_set(now, "seconds_to_limit", g->limit ? real_or_null(trend_seconds_to((double)g->limit_usage, (double)g->limit, g->slope)) : json_null());
	json_set(now, "until_bytes", o->until_bytes ? json_integer((int64_t)o->until_bytes) : json_null());
	json_set(now, "seconds_to_until",
		o->until_bytes ? real_or_null(trend_seconds_to(isnan(g->resident) ? g->live : g->resident, (double)o->until_bytes, g->slope)) : json_null());
	json_set(report, "now", now);
}

int growth_print_json(struct growth *g)
{
	struct json *report = json_object();
	const size_t all = g->findings.growing_count;
	const size_t limit = g->options->common.limit_given && g->options->common.limit ? g->options->common.limit : all;

	json_set_integer(report, "schema", 1);
	json_set(report, "timeline", timeline_json(&g->timeline));
	json_set(report, "heaps", heaps_json(g));
	set_now(report, g);
	json_set_bytes(report, "readings", g->samples ? g->samples->count - g->samples_first : 0);
	json_set(report, "findings", findings_json(g, g->findings.growing, limit < all ? limit : all));
	json_set(report, "settled", findings_json(g, g->findings.settled, g->findings.settled_count));
	json_set_string(report, "verdict", g->verdict);
	json_set(report, "quality", quality_json(&g->quality));
	json_print(report, stdout);
	return all > 0;
}
