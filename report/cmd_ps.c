/* SPDX-License-Identifier: BSD-2-Clause */
/* cmd_ps.c - `heapray ps`: the watched processes as a tree. */
#include "command.h"

#include "family.h"
#include "json.h"
#include "process.h"
#include "text.h"
#include "xalloc.h"

#include <time.h>

struct ps_options {
	struct options common;
	bool all;
};

static const struct argp_option table[] = {
	{"all", 'a', NULL, 0, "Ended processes too", 1},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct ps_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->common;
		return 0;
	case 'a':
		options->all = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "takes no TARGET");
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {{&options_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.options = table,
	.parser = parse,
	.doc = "The watched processes, as a tree. What they forked that is not watched is shown too.",
	.children = children,
};

/* ---- figures of one ------------------------------------------------------------------------ */

/* Blocks of all heaps; UINT64_MAX: not known. */
static uint64_t live_bytes(const struct process *p)
{
	int64_t live = 0;

	if (!p->segment)
		return UINT64_MAX;
	/* A child that has not allocated yet has no rows of its own: what it has is what it was born with. */
	if (p->segment->header.state == HR_STATE_FORKED)
		return p->segment->header.inherited_bytes ? p->segment->header.inherited_bytes : UINT64_MAX;
	for (size_t i = 0; i < p->segment->site_count; i++)
		live += (int64_t)(p->segment->sites[i].allocated_bytes - p->segment->sites[i].freed_bytes);
	return live > 0 ? (uint64_t)live : 0;
}

static uint64_t age_ns(const struct process *p)
{
	struct timespec now;

	if (!p->segment)
		return UINT64_MAX;
	clock_gettime(CLOCK_REALTIME, &now);
	const uint64_t realtime = now.tv_sec * 1000000000ull + now.tv_nsec, start = p->segment->header.start_realtime_ns;
	return realtime > start ? realtime - start : 0;
}

static const char *allocator(const struct process *p)
{
	return p->segment ? segment_string(p->segment, p->segment->header.allocator_name) : NULL;
}

static const char *started(const struct process *p, char text[32])
{
	if (!p->segment)
		return NULL;
	const time_t seconds = p->segment->header.start_realtime_ns / 1000000000u;
	struct tm utc;
	gmtime_r(&seconds, &utc);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return text;
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static struct json *warnings_json(const struct process *p)
{
	struct json *list = json_array();
	const uint32_t warnings = p->segment ? p->segment->header.warnings : 0;

	if (warnings & HR_WARN_NOT_FIRST)
		json_append(list, json_string("another library's malloc comes before heapray's"));
	if (warnings & HR_WARN_STATIC_MALLOC)
		json_append(list, json_string("malloc is linked into the executable"));
	if (warnings & HR_WARN_MIXED_FAMILY)
		json_append(list, json_string("entry points come from several libraries"));
	return list;
}

static struct json *process_json(const struct process *p)
{
	struct json *json = json_object();
	char time[32];

	json_set_integer(json, "pid", p->pid);
	json_set_integer(json, "parent_pid", p->parent_pid);
	json_set_string(json, "role", role_name(p->role));
	json_set_string(json, "exe", p->exe);
	json_set_string(json, "state", p->alive ? "live" : "ended");
	json_set_bool(json, "preloaded", p->segment != NULL);
	json_set_string(json, "allocator", allocator(p));
	json_set_integer(json, "generation", p->generation);
	json_set_string(json, "started", started(p, time));
	json_set_bytes(json, "live_bytes", live_bytes(p));
	json_set_bytes(json, "resident_bytes", p->alive ? process_resident_bytes(p->pid) : UINT64_MAX);
	json_set_string(json, "segment", p->segment ? p->segment->path : NULL);
	json_set_bool(json, "draining", p->draining);
	json_set(json, "warnings", warnings_json(p));
	return json;
}

static void print_json(const struct family *family, size_t limit)
{
	struct json *report = json_object(), *list = json_array();

	for (size_t i = 0; i < family->count && i < limit; i++)
		json_append(list, process_json(&family->members[i]));
	json_set_integer(report, "schema", 1);
	json_set(report, "processes", list);
	json_print(report, stdout);
}

/* ---- text ---------------------------------------------------------------------------------- */

static void print_warnings(const struct process *p)
{
	const struct hr_header *h = p->segment ? &p->segment->header : NULL;
	const char *why = h ? segment_string(p->segment, h->state_reason) : NULL;

	if (!h) {
		printf("%12s%snot watched: it was started without LD_PRELOAD (for an nginx upgrade: `env LD_PRELOAD;' in its configuration)%s\n",
			"", text_yellow(), text_reset());
		return;
	}
	if (h->warnings & HR_WARN_NOT_FIRST)
		printf("%12s%sanother library's malloc comes before heapray's: put libheapray.so first in LD_PRELOAD%s\n", "", text_yellow(),
			text_reset());
	if (h->warnings & HR_WARN_STATIC_MALLOC)
		printf("%12s%smalloc is linked into the executable: heapray sees little of it%s\n", "", text_yellow(), text_reset());
	if (h->warnings & HR_WARN_MIXED_FAMILY)
		printf("%12s%sentry points come from several libraries; those the allocator lacks were built from its own%s\n", "", text_dim(),
			text_reset());
	if (h->state == HR_STATE_STOPPED)
		printf("%12s%srecording stopped%s%s%s\n", "", text_yellow(), why ? ": " : "", why ? text_safe(why, 200) : "", text_reset());
}

static void print_process(const struct process *p, unsigned depth)
{
	const char *name = allocator(p);
	const uint64_t age = age_ns(p);
	const int indent = depth < 8 ? (int)depth * 2 : 16;

	printf("%*s%-*d %-14s %-14s %11s %11s  %-12s %3u  %s\n", indent, "", 10 - (indent < 9 ? indent : 9), (int)p->pid,
		p->draining ? "draining" : role_name(p->role), age == UINT64_MAX ? "-" : p->alive ? text_duration(age) : "ended",
		live_bytes(p) == UINT64_MAX ? "-" : text_bytes(live_bytes(p)), p->alive ? text_bytes(process_resident_bytes(p->pid)) : "-",
		name ? text_safe(name, 12) : "-", p->generation, *p->exe ? text_safe(p->exe, 200) : "?");
	print_warnings(p);
}

/* A process, then those shown as its children. Parents are never in a circle: a child's segment is the younger. */
static void print_tree(const struct family *family, size_t at, unsigned depth, size_t *left)
{
	if (*left == 0 || depth > family->count)
		return;
	(*left)--;
	print_process(&family->members[at], depth);
	for (size_t i = 0; i < family->count; i++) {
		if (family->members[i].parent == at)
			print_tree(family, i, depth + 1, left);
	}
}

static void print_text(const struct family *family, const struct ps_options *options, size_t limit)
{
	if (family->count == 0) {
		printf("no %sprocess is being watched\n", options->all ? "" : "live ");
		text_note("start one with `heapray run -- CMD...'%s", options->all ? "" : "; `heapray ps --all' lists those that ended");
		return;
	}
	printf("%s%-10s %-14s %-14s %11s %11s  %-12s %3s  %s%s\n", text_dim(), "PID", "ROLE", "AGE", "LIVE", "RESIDENT", "ALLOCATOR", "GEN",
		"EXECUTABLE", text_reset());
	for (size_t i = 0; i < family->count; i++) {
		if (family->members[i].parent == SIZE_MAX)
			print_tree(family, i, 0, &limit);
	}
}

int cmd_ps(int argc, char **argv)
{
	struct ps_options options = {0};
	struct family family;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0 || family_all(&options.common, options.all, &family) != 0)
		return 2;
	const size_t limit = options.common.limit_given && options.common.limit ? options.common.limit : SIZE_MAX;
	if (options.common.json)
		print_json(&family, limit);
	else
		print_text(&family, &options, limit);
	family_close(&family);
	return 0;
}
