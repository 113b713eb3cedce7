/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot_diff.c - both sides as one list of {key, before, after}, sorted by key; neighbours with equal keys
 * are added up; what is equal before and after falls out.
 */
#include "snapshot_diff.h"

#include "snapshot.h"
#include "xalloc.h"

#include <inttypes.h>

struct changes {
	struct change *list;
	size_t count, capacity;
};

static struct change *add(struct changes *changes, enum change_kind kind, char *key)
{
	xgrow(changes->list, changes->count, changes->capacity);
	struct change *change = &changes->list[changes->count++];
	*change = (struct change){.kind = kind, .key = key};
	return change;
}

/* ---- stacks -------------------------------------------------------------------------------- */

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void put_frame(FILE *out, const struct frame *frame, enum group group)
{
	fprintf(out, "%s!", base(frame->module));
	if (group == GROUP_MODULE)
		return;
	if (frame->function || frame->kind != FRAME_NATIVE)
		fputs(frame->function ? frame->function : "", out);
	else
		fprintf(out, "%" PRIx64, frame->offset);
	/* Of a group by function the line is one of many. */
	if (group == GROUP_STACK && frame->line)
		fprintf(out, ":%s:%u", frame->file ? frame->file : "", frame->line);
	putc('\n', out);
}

static char *key_of(const char *domain, const struct model *model, const uint32_t *frames, size_t count, enum group group)
{
	char *key;
	size_t length;
	FILE *out = xalloc_check(open_memstream(&key, &length));

	fprintf(out, "%s\n", domain ? domain : "");
	for (size_t i = 0; i < count; i++)
		put_frame(out, &model->frames[frames[i]], group);
	fclose(out);
	return key;
}

static void set_side(struct change *change, int64_t bytes, bool after)
{
	*(after ? &change->after : &change->before) = bytes;
}

static void add_row(struct changes *changes, const struct model *model, const struct row *row, enum group group, bool after)
{
	const char *domain = row->domain == MODEL_SEVERAL ? NULL : model->domains[row->domain];
	const uint32_t *frames;
	const size_t count = model_frames(model, row, &frames);
	struct change *change = add(changes, CHANGE_STACK, key_of(domain, model, frames, count, group));

	set_side(change, row->figures.live_bytes, after);
	change->model = model;
	change->domain = domain;
	change->frame_count = count;
	change->frames = xcalloc(count, sizeof(*frames));
	for (size_t i = 0; i < count; i++)
		change->frames[i] = frames[i];
}

/* The innermost Lua frame of a stack: which line of the program asked for it. */
static void add_lua(struct changes *changes, const struct model *model, const struct row *row, bool after)
{
	const uint32_t *frames;
	const size_t count = model_frames(model, row, &frames);
	size_t at = 0;

	while (at < count && model->frames[frames[at]].kind != FRAME_LUA)
		at++;
	if (at == count)
		return;
	struct change *change = add(changes, CHANGE_LUA, key_of(NULL, model, frames + at, 1, GROUP_STACK));
	set_side(change, row->figures.live_bytes, after);
	change->model = model;
	change->frame_count = 1;
	change->frames = memcpy(xcalloc(1, sizeof(*frames)), frames + at, sizeof(*frames));
}

static void add_model(struct changes *changes, struct model *model, enum group group, bool after)
{
	for (size_t i = 0; i < model->row_count; i++)
		add_lua(changes, model, &model->rows[i], after);
	model_group(model, group);
	for (size_t i = 0; i < model->row_count; i++)
		add_row(changes, model, &model->rows[i], group, after);
}

/* ---- components and zones ------------------------------------------------------------------ */

static void add_components(struct changes *changes, const struct json *report, bool after)
{
	const struct json *processes = json_get(report, "processes");

	for (size_t p = 0; p < json_length(processes); p++) {
		const struct json *components = json_get(json_at(processes, p), "components");
		for (size_t i = 0; i < json_length(components); i++) {
			const struct json *c = json_at(components, i);
			const char *id = json_to_string(json_get(c, "id"));
			if (id)
				set_side(add(changes, CHANGE_COMPONENT, xstrdup(id)), json_to_integer(json_get(c, "resident_bytes")), after);
		}
	}
}

static void add_zones(struct changes *changes, const struct json *report, bool after)
{
	const struct json *zones = json_get(report, "zones");

	for (size_t i = 0; i < json_length(zones); i++) {
		const struct json *z = json_at(zones, i);
		const char *name = json_to_string(json_get(z, "name")), *kind = json_to_string(json_get(z, "kind"));
		char *key = xasprintf("%s (%s)", name && *name ? name : "without a name", kind ? kind : "");
		set_side(add(changes, CHANGE_ZONE, key), json_to_integer(json_get(json_get(z, "used"), "bytes")), after);
	}
}

static void add_kept(struct changes *changes, const struct family *before, const struct family *after)
{
	static const struct {
		const char *name;
		void (*add)(struct changes *changes, const struct json *report, bool after);
	} kept[] = {{"breakdown", add_components}, {"zones", add_zones}};

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]) && before->snapshot && after->snapshot; i++) {
		const struct json *a = snapshot_report(before->snapshot, kept[i].name), *b = snapshot_report(after->snapshot, kept[i].name);
		if (!a || !b)
			continue; /* one of them was taken of an ended process: it says nothing, which is not 0 */
		kept[i].add(changes, a, false);
		kept[i].add(changes, b, true);
	}
}

/* ---- one list ------------------------------------------------------------------------------ */

static int by_key(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind) : strcmp(x->key, y->key);
}

static int by_size(const void *a, const void *b)
{
	const struct change *x = a, *y = b;
	const int64_t dx = llabs(x->after - x->before), dy = llabs(y->after - y->before);

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (dx != dy)
		return dx > dy ? -1 : 1;
	return strcmp(x->key, y->key);
}

static void free_change(struct change *change)
{
	free(change->key);
	free(change->frames);
}

/* Adds equal keys up, then drops what did not change. */
static void settle(struct changes *changes)
{
	size_t kept = 0, differing = 0;

	if (changes->count > 0)
		qsort(changes->list, changes->count, sizeof(*changes->list), by_key);
	for (size_t i = 0; i < changes->count; i++) {
		struct change *change = &changes->list[i];
		if (kept == 0 || by_key(&changes->list[kept - 1], change) != 0) {
			changes->list[kept++] = *change;
			continue;
		}
		changes->list[kept - 1].before += change->before;
		changes->list[kept - 1].after += change->after;
		free_change(change);
	}
	for (size_t i = 0; i < kept; i++) {
		if (changes->list[i].before != changes->list[i].after)
			changes->list[differing++] = changes->list[i];
		else
			free_change(&changes->list[i]);
	}
	changes->count = differing;
	if (differing > 0)
		qsort(changes->list, differing, sizeof(*changes->list), by_size);
}

struct diff diff_of(const struct family *before, struct model *before_model, const struct family *after, struct model *after_model,
	enum group group)
{
	struct diff diff = {.before = before_model->total.live_bytes, .after = after_model->total.live_bytes};
	struct changes changes = {0};

	add_model(&changes, before_model, group, false);
	add_model(&changes, after_model, group, true);
	add_kept(&changes, before, after);
	settle(&changes);
	diff.list = changes.list;
	diff.count = changes.count;
	return diff;
}

void diff_free(struct diff *diff)
{
	for (size_t i = 0; i < diff->count; i++)
		free_change(&diff->list[i]);
	free(diff->list);
	*diff = (struct diff){0};
}
