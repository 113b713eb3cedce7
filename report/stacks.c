/* SPDX-License-Identifier: BSD-2-Clause */
/* stacks.c - renders the model: rows of figures with the frames that hold them. */
#include "stacks.h"

#include "json.h"
#include "process.h"
#include "text.h"
#include "xalloc.h"

#include <inttypes.h>
#include <math.h>

#define SCREENFUL_STACKS 8
#define SCREENFUL_GROUPS 25
#define SCREENFUL_FRAMES 16

static uint64_t not_below_zero(int64_t value)
{
	return value > 0 ? (uint64_t)value : 0;
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static struct json *frame_json(const struct frame *frame, enum group group)
{
	struct json *json = json_object();
	const bool module_alone = group == GROUP_MODULE;

	json_set_string(json, "function", module_alone ? NULL : frame->function);
	json_set_string(json, "module", frame->module);
	json_set_bytes(json, "offset", module_alone ? 0 : frame->offset);
	json_set_string(json, "file", module_alone ? NULL : frame->file);
	if (frame->line && !module_alone)
		json_set_integer(json, "line", frame->line);
	else
		json_set(json, "line", json_null());
	if (frame->on_trace)
		json_set_bool(json, "on_trace", true);
	return json;
}

static void set_figures(struct json *json, const struct figures *f)
{
	json_set_bytes(json, "live_bytes", not_below_zero(f->live_bytes));
	json_set_bytes(json, "live_count", not_below_zero(f->live_count));
	json_set_bytes(json, "peak_bytes", not_below_zero((int64_t)f->peak_bytes));
	json_set_bytes(json, "allocated_bytes", not_below_zero((int64_t)f->allocated_bytes));
	json_set_bytes(json, "allocated_count", not_below_zero((int64_t)f->allocated_count));
	json_set_bytes(json, "temporary_count", f->temporary_count);
	json_set_bytes(json, "inherited_bytes", not_below_zero(f->inherited_bytes));
}

struct printing {
	const struct model *model;
	enum group group;
	struct json **made; /* by frame: many rows share one */
};

static struct json *row_json(size_t index, void *context)
{
	const struct printing *p = context;
	const struct row *row = &p->model->rows[index];
	struct json *json = json_object(), *list = json_array();
	const uint32_t *frames;
	const size_t count = model_frames(p->model, row, &frames);

	set_figures(json, &row->figures);
	json_set_string(json, "domain", row->domain == MODEL_SEVERAL ? NULL : p->model->domains[row->domain]);
	json_set_bool(json, "estimated", row->estimated);
	if (row->estimated)
		json_set_bytes(json, "live_error_bytes", text_whole(sqrt(fmax(row->figures.live_variance, 0))));
	for (size_t i = 0; i < count; i++) {
		struct json **frame = &p->made[frames[i]];
		if (!*frame)
			*frame = frame_json(&p->model->frames[frames[i]], p->group);
		json_append(list, json_share(*frame));
	}
	json_set(json, "frames", list);
	return json;
}

static struct json *processes_json(const struct family *family)
{
	struct json *list = json_array();

	for (size_t i = 0; i < family->count; i++) {
		const struct process *p = &family->members[i];
		struct json *json = json_object();
		json_set_integer(json, "pid", p->pid);
		json_set_string(json, "role", role_name(p->role));
		json_set_string(json, "exe", p->exe);
		json_set_string(json, "state", p->alive ? "live" : "ended");
		json_set_bool(json, "preloaded", p->segment != NULL);
		json_append(list, json);
	}
	return list;
}

static void print_json(const struct family *family, const struct model *model, const struct stacks_options *options,
	struct quality *quality, FILE *out)
{
	struct json *report = json_object(), *total = json_object();
	const size_t limit = options->common.limit_given && options->common.limit ? options->common.limit : model->row_count;
	struct printing printing = {model, options->group, NULL};
	const uint32_t *frames;

	/* All names are looked up before the quality block is written: it says which files had none. */
	for (size_t i = 0; i < model->row_count; i++)
		model_frames(model, &model->rows[i], &frames);
	printing.made = xcalloc(model->frame_count, sizeof(*printing.made));
	json_set_integer(report, "schema", 1);
	json_set(report, "processes", processes_json(family));
	set_figures(total, &model->total);
	json_set(report, "total", total);
	json_set(report, "stacks", json_null());
	json_set(report, "quality", quality_json(quality));
	json_print_rows(report, "stacks", limit < model->row_count ? limit : model->row_count, row_json, &printing, out);
	for (size_t i = 0; i < model->frame_count; i++) {
		if (printing.made[i])
			json_free(printing.made[i]);
	}
	free(printing.made);
}

/* ---- text ---------------------------------------------------------------------------------- */

static const char *measure_name(enum measure by)
{
	static const char *const names[] = {"live bytes", "bytes at the peak", "allocated bytes", "live blocks", "temporary blocks"};

	return names[by];
}

static uint64_t time_span(const struct family *family)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < family->count; i++) {
		const struct segment *s = family->members[i].segment;
		const uint64_t end = !s ? 0 : family->members[i].alive ? s->read_ns : s->header.last_event_ns;
		if (s && end > s->header.start_ns && end - s->header.start_ns > longest)
			longest = end - s->header.start_ns;
	}
	return longest;
}

/* " at 12 s": since the start, of a single process; a family has no one peak. */
static const char *peak_time(const struct family *family)
{
	static char text[64];
	const struct segment *s = family->members[0].segment;

	text[0] = '\0';
	if (family->count == 1 && s && s->header.peak_ns > s->header.start_ns)
		snprintf(text, sizeof(text), " at %s", text_duration(s->header.peak_ns - s->header.start_ns));
	return text;
}

static void print_head(const struct family *family, const struct model *model, const struct stacks_options *options, FILE *out)
{
	const struct process *first = &family->members[0];
	const struct figures *t = &model->total;

	fprintf(out, "%s%s%s pid %d (%s%s)", text_bold(), text_safe(first->exe, 200), text_reset(), (int)first->pid, role_name(first->role),
		first->alive ? "" : ", ended");
	if (family->count > 1)
		fprintf(out, " and %zu it forked", family->count - 1);
	fprintf(out, ", watched for %s%s%s\n", text_duration(time_span(family)), options->domain ? ", domain " : "",
		options->domain ? text_safe(options->domain, 60) : "");
	fprintf(out, "live %s in %s blocks; peak %s%s; allocated %s in %s\n", text_bytes(not_below_zero(t->live_bytes)),
		text_count(not_below_zero(t->live_count)), text_bytes(t->peak_bytes), peak_time(family), text_bytes(t->allocated_bytes),
		text_count(t->allocated_count));
}

static void print_frame(const struct frame *frame, enum group group, FILE *out)
{
	const char *slash = strrchr(frame->module, '/'), *module = slash ? slash + 1 : frame->module;

	if (group == GROUP_MODULE) {
		fprintf(out, "%s\n", text_safe(frame->module, 300));
		return;
	}
	if (frame->function)
		fprintf(out, "%s%s%s", text_cyan(), text_safe(frame->function, 300), text_reset());
	else if (frame->kind == FRAME_LUA)
		fprintf(out, "%sLua function%s", text_cyan(), text_reset());
	else
		fprintf(out, "0x%" PRIx64, frame->offset);
	if (frame->file && frame->line)
		fprintf(out, " %s%s:%u%s", text_dim(), text_safe(frame->file, 200), frame->line, text_reset());
	else if (frame->file)
		fprintf(out, " %s%s%s", text_dim(), text_safe(frame->file, 200), text_reset());
	if (frame->on_trace)
		fprintf(out, " %s[trace]%s", text_dim(), text_reset());
	/* The name of an unnamed function starts with its module already. */
	if (frame->kind == FRAME_NATIVE && !(frame->function && strstr(frame->function, "!fn@")))
		fprintf(out, " %s[%s]%s", text_dim(), text_safe(module, 100), text_reset());
	fputc('\n', out);
}

static void print_row(const struct model *model, const struct row *row, const struct stacks_options *options, FILE *out)
{
	const uint64_t value = model_measure(&row->figures, options->by), total = model_measure(&model->total, options->by);
	const bool counted = options->by == BY_COUNT || options->by == BY_TEMPORARY;
	const char *domain = row->domain == MODEL_SEVERAL ? "several domains" : model->domains[row->domain];
	const uint32_t *frames;
	const size_t count = model_frames(model, row, &frames);
	const size_t shown = options->common.limit_given || count <= SCREENFUL_FRAMES ? count : SCREENFUL_FRAMES;

	fprintf(out, "%s%s%12s%s %5.1f%% %10s  ", row->estimated ? "~" : " ", text_bold(), counted ? text_count(value) : text_bytes(value),
		text_reset(), total ? 100.0 * (double)value / (double)total : 0.0,
		counted ? text_bytes(not_below_zero(row->figures.live_bytes)) : text_count(options->by == BY_ALLOCATED ?
				not_below_zero((int64_t)row->figures.allocated_count) : not_below_zero(row->figures.live_count)));
	if (options->group != GROUP_STACK && options->group != GROUP_LUA && count > 0) {
		if (model->frames[frames[0]].kind == FRAME_NOTE)
			fprintf(out, "%s: ", text_safe(domain, 80));
		print_frame(&model->frames[frames[0]], options->group, out);
		return;
	}
	fprintf(out, "%s%s%s\n", text_green(), options->group == GROUP_LUA && count == 0 ? "not from Lua" : text_safe(domain, 80), text_reset());
	for (size_t i = 0; i < shown; i++) {
		fputs("                    ", out);
		print_frame(&model->frames[frames[i]], options->group, out);
	}
	if (shown < count)
		fprintf(out, "                    %s... %zu more frames%s\n", text_dim(), count - shown, text_reset());
}

static void print_rows(const struct model *model, const struct stacks_options *options, FILE *out)
{
	const bool counted = options->by == BY_COUNT || options->by == BY_TEMPORARY;
	size_t limit = options->group == GROUP_STACK || options->group == GROUP_LUA ? SCREENFUL_STACKS : SCREENFUL_GROUPS, shown = 0, hidden = 0;

	if (options->common.limit_given)
		limit = options->common.limit ? options->common.limit : SIZE_MAX;
	fprintf(out, "\n%s%13s  share %10s  by %s%s\n", text_dim(), counted ? "blocks" : "bytes", counted ? "live bytes" : "blocks",
		measure_name(options->by), text_reset());
	for (size_t i = 0; i < model->row_count; i++) {
		if (model_measure(&model->rows[i].figures, options->by) == 0)
			break; /* sorted: all that follow are zero too */
		if (shown < limit) {
			print_row(model, &model->rows[i], options, out);
			shown++;
		} else {
			hidden++;
		}
	}
	if (shown == 0)
		fputs("  none\n", out);
	if (hidden > 0)
		fprintf(out, "%s  ... %s more; --limit 0 shows all%s\n", text_dim(), text_count(hidden), text_reset());
	fputc('\n', out);
}

static void print_hint(const struct family *family, const struct stacks_options *options, FILE *out)
{
	const int pid = family->members[0].pid;

	if (options->group == GROUP_STACK)
		fprintf(out, "next: heapray stacks %d --group owner   who asked for it, wrappers left out\n", pid);
	else
		fprintf(out, "next: heapray stacks %d   the full call paths\n", pid);
}

static void print_text(const struct family *family, const struct model *model, const struct stacks_options *options,
	const struct quality *quality, FILE *out)
{
	print_head(family, model, options, out);
	print_rows(model, options, out);
	quality_print(quality, out);
	print_hint(family, options, out);
}

/* ---- both ---------------------------------------------------------------------------------- */

static int check_domain(const struct model *model, const char *name)
{
	char *known = xstrdup("");

	for (size_t i = 0; i < model->domain_count; i++) {
		char *longer = xasprintf("%s%s%s", known, i ? ", " : "", model->domains[i]);
		free(known);
		known = longer;
	}
	text_error(NULL, "--domain: %s: no such domain", text_safe(name, 60));
	fprintf(stderr, "There are: %s\n", text_safe(known, 400));
	free(known);
	return 2;
}

static bool has_domain(const struct model *model, const char *name)
{
	const size_t length = strlen(name);

	for (size_t i = 0; i < model->domain_count; i++) {
		if (strncmp(model->domains[i], name, length) == 0 && strchr(":", model->domains[i][length]))
			return true;
	}
	return false;
}

int stacks_report(const struct family *family, const struct stacks_options *options, FILE *out)
{
	struct quality quality;

	quality_of(family, &quality);
	struct model *model = model_build(family, &quality);
	if (options->domain && !has_domain(model, options->domain)) {
		const int status = check_domain(model, options->domain);
		model_free(model);
		quality_free(&quality);
		return status;
	}
	if (options->domain)
		model_keep_domain(model, options->domain);
	model_group(model, options->group);
	model_sort(model, options->by);
	if (options->common.json)
		print_json(family, model, options, &quality, out);
	else
		print_text(family, model, options, &quality, out);
	model_free(model);
	quality_free(&quality);
	return 0;
}
