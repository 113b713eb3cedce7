/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_rows.c - a row of one reading finds itself in the next by a key of what defines it: frames keep
 * their numbers in a model that is refreshed.
 */
#include "top_rows.h"

#include "text.h"
#include "xalloc.h"

#include <math.h>

#define HEAP_KEY 0x48454150u /* keeps keys of heaps apart from those of rows */

const char *top_view_name(enum top_view view)
{
	static const char *const names[] = {"owner", "stack", "module", "lua"};

	return names[view];
}

const char *top_sort_name(enum top_sort sort)
{
	static const char *const names[] = {"live", "growth", "allocated", "blocks", "peak"};

	return names[sort];
}

/* ---- courses ------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t key, uint64_t value)
{
	key = (key ^ value) * 0x9e3779b97f4a7c15u;
	return key ^ (key >> 29);
}

static struct course **slot_of(struct course **courses, size_t capacity, uint64_t key)
{
	size_t at = key & (capacity - 1);

	while (courses[at] && courses[at]->key != key)
		at = (at + 1) & (capacity - 1);
	return &courses[at];
}

/* Makes room for twice as many; those not in the last readings are dropped. */
static void rehash(struct top *top)
{
	size_t capacity = top->course_capacity ? top->course_capacity * 2 : 1024, kept = 0;
	struct course **courses = xcalloc(capacity, sizeof(*courses));

	for (size_t i = 0; i < top->course_capacity; i++) {
		struct course *course = top->courses[i];
		if (!course)
			continue;
		if (course->seen + 2 < top->reading) {
			free(course);
			continue;
		}
		*slot_of(courses, capacity, course->key) = course;
		kept++;
	}
	free(top->courses);
	top->courses = courses;
	top->course_capacity = capacity;
	top->course_count = kept;
}

/* Adds this reading's values; *growth and *allocation become bytes a second since the one before. */
static const struct course *follow(struct top *top, uint64_t key, double live, double allocated, double *growth, double *allocation)
{
	if (2 * top->course_count >= top->course_capacity)
		rehash(top);
	struct course **slot = slot_of(top->courses, top->course_capacity, key), *course = *slot;
	*growth = *allocation = 0;
	if (!course) {
		course = *slot = xcalloc(1, sizeof(*course));
		course->key = key;
		top->course_count++;
	} else if (course->seen == top->reading) { /* arranged again: the values are there */
		if (course->count >= 2 && top->seconds > 0)
			*growth = (course->live[course->count - 1] - course->live[course->count - 2]) / top->seconds;
		return course;
	}
	if (course->count == TOP_HISTORY)
		memmove(course->live, course->live + 1, --course->count * sizeof(double));
	if (course->count > 0 && top->seconds > 0) {
		*growth = (live - course->live[course->count - 1]) / top->seconds;
		*allocation = (allocated - course->allocated) / top->seconds;
	}
	course->live[course->count++] = live;
	course->allocated = allocated;
	course->seen = top->reading;
	return course;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static uint64_t key_of(const struct top *top, const struct row *row, const uint32_t *frames, size_t count)
{
	uint64_t key = mix(mix(top->view + 1, top->member + 1), row->domain);

	if (top->view == VIEW_STACK)
		return mix(key, row->path);
	for (size_t i = 0; i < count; i++) {
		const struct frame *frame = &top->model->frames[frames[i]];
		key = mix(key, top->view == VIEW_MODULE ? frame->module_index : top->view == VIEW_LUA ? frames[i] : frame->identity);
	}
	return key;
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void name_frame(const struct frame *frame, char *text, size_t size)
{
	if (frame->kind == FRAME_LUA)
		snprintf(text, size, "%s:%u %s", base(frame->file ? frame->file : "?"), frame->line, frame->function ? frame->function : "");
	else if (frame->function)
		snprintf(text, size, "%s", frame->function);
	else
		snprintf(text, size, "%s+0x%llx", base(frame->module), (unsigned long long)frame->offset);
}

/* "leak_path < answer < serve": from the owner outwards, as far as there is room. */
static void label_stack(const struct top *top, const uint32_t *frames, size_t count, char *label, size_t size)
{
	size_t at = 0, length = 0;

	while (at + 1 < count && model_is_wrapper(top->model, frames[at]))
		at++;
	*label = '\0';
	for (; at < count && length + 8 < size; at++) {
		char name[128];
		name_frame(&top->model->frames[frames[at]], name, sizeof(name));
		length += (size_t)snprintf(label + length, size - length, "%s%s", length ? " < " : "", name);
	}
}

static void label_row(const struct top *top, const struct row *row, const uint32_t *frames, size_t count, char *label, size_t size)
{
	const char *domain = row->domain == MODEL_SEVERAL ? "several heaps" : top->model->domains[row->domain];

	if (count == 0)
		snprintf(label, size, "%s", top->view == VIEW_LUA ? "not from Lua" : domain);
	else if (top->view == VIEW_STACK || top->view == VIEW_LUA)
		label_stack(top, frames, count, label, size);
	else if (top->view == VIEW_MODULE)
		snprintf(label, size, "%s", base(top->model->frames[frames[0]].module));
	else
		name_frame(&top->model->frames[frames[0]], label, size);
	snprintf(label, size, "%s", text_safe(label, size - 1));
}

static bool matches(const struct top *top, const struct top_row *row)
{
	const char *domain = row->row->domain == MODEL_SEVERAL ? "" : top->model->domains[row->row->domain];

	return !*top->filter || strcasestr(row->label, top->filter) || strcasestr(domain, top->filter);
}

static double value_of(const struct top_row *row, enum top_sort sort)
{
	const struct figures *f = &row->row->figures;

	switch (sort) {
	case SORT_GROWTH:
		return row->growth;
	case SORT_ALLOCATED:
		return row->allocation;
	case SORT_BLOCKS:
		return (double)f->live_count;
	case SORT_PEAK:
		return (double)f->peak_bytes;
	default:
		return (double)f->live_bytes;
	}
}

static int by_value(const void *a, const void *b, void *sort)
{
	const struct top_row *x = a, *y = b;
	const double vx = value_of(x, *(enum top_sort *)sort), vy = value_of(y, *(enum top_sort *)sort);

	if (vx != vy)
		return vx > vy ? -1 : 1;
	if (x->row->figures.live_bytes != y->row->figures.live_bytes)
		return x->row->figures.live_bytes > y->row->figures.live_bytes ? -1 : 1;
	return strcmp(x->label, y->label);
}

static void arrange_rows(struct top *top)
{
	static const enum group groups[] = {GROUP_OWNER, GROUP_STACK, GROUP_MODULE, GROUP_LUA};

	model_group(top->model, groups[top->view]);
	top->row_count = 0;
	for (size_t i = 0; i < top->model->row_count; i++) {
		const struct row *row = &top->model->rows[i];
		const uint32_t *frames;
		const size_t count = model_frames(top->model, row, &frames);
		struct top_row shown = {.row = row};
		label_row(top, row, frames, count, shown.label, sizeof(shown.label));
		shown.course = follow(top, key_of(top, row, frames, count), (double)row->figures.live_bytes,
			(double)row->figures.allocated_bytes, &shown.growth, &shown.allocation);
		if (!matches(top, &shown))
			continue;
		xgrow(top->rows, top->row_count, top->row_capacity);
		top->rows[top->row_count++] = shown;
	}
	if (top->row_count > 0)
		qsort_r(top->rows, top->row_count, sizeof(*top->rows), by_value, &top->sort);
}

/* ---- heaps --------------------------------------------------------------------------------- */

static int by_live(const void *a, const void *b)
{
	const struct top_heap *x = a, *y = b;

	if (x->live != y->live)
		return x->live > y->live ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Before the rows are grouped: each has one heap. */
static void arrange_heaps(struct top *top)
{
	struct model *model = top->model;
	double allocation;

	if (top->heap_capacity < model->domain_count)
		top->heaps = xreallocarray(top->heaps, top->heap_capacity = model->domain_count, sizeof(*top->heaps));
	top->heap_count = model->domain_count;
	for (size_t d = 0; d < model->domain_count; d++)
		top->heaps[d] = (struct top_heap){.name = model->domains[d]};
	for (size_t i = 0; i < model->row_count; i++)
		top->heaps[model->rows[i].domain].live += (double)model->rows[i].figures.live_bytes;
	for (size_t d = 0; d < model->domain_count; d++) {
		struct top_heap *heap = &top->heaps[d];
		heap->course = follow(top, mix(mix(HEAP_KEY, top->member), d), heap->live, 0, &heap->growth, &allocation);
	}
	qsort(top->heaps, top->heap_count, sizeof(*top->heaps), by_live);
}

/* ---- readings ------------------------------------------------------------------------------ */

void top_arrange(struct top *top)
{
	const struct family *family = &top->watch.family;
	struct process one;
	struct family alone = {.members = &one, .count = 1};

	if (top->member > family->count)
		top->member = 0;
	if (top->member > 0) {
		one = family->members[top->member - 1];
		one.parent = SIZE_MAX;
		family = &alone;
	}
	top->resident = watch_resident(family) == UINT64_MAX ? NAN : (double)watch_resident(family);
	top->held = watch_held(family) == UINT64_MAX ? NAN : (double)watch_held(family);
	top->used = watch_used(family) == UINT64_MAX ? NAN : (double)watch_used(family);
	model_refresh(top->model, family);
	arrange_heaps(top);
	arrange_rows(top);
}

int top_open(struct top *top, const struct options *options)
{
	*top = (struct top){0};
	if (watch_open(&top->watch, options) != 0)
		return -1;
	bool watched = false;
	for (size_t i = 0; i < top->watch.family.count; i++)
		watched |= top->watch.family.members[i].segment != NULL;
	if (!watched || !top->watch.family.members[0].alive) {
		text_error(watched ? "`heapray growth' shows the time line of what has ended." : "Start it with `heapray run -- CMD...'.",
			"%d: %s", (int)top->watch.family.members[0].pid, watched ? "has ended" : "not started under heapray");
		return -1;
	}
	quality_of(&top->watch.family, &top->quality);
	top->model = model_build(&top->watch.family, &top->quality);
	top->read_ns = watch_now();
	top->reading = 1;
	top_arrange(top);
	return 0;
}

void top_read(struct top *top)
{
	if (top->ended)
		return;
	if (!watch_again(&top->watch)) {
		top->ended = true;
		return;
	}
	const uint64_t now = watch_now();
	top->seconds = (double)(now - top->read_ns) / 1e9;
	top->read_ns = now;
	top->reading++;
	top_arrange(top);
}

void top_close(struct top *top)
{
	for (size_t i = 0; i < top->course_capacity; i++)
		free(top->courses[i]);
	free(top->courses);
	free(top->rows);
	free(top->heaps);
	model_free(top->model);
	watch_close(&top->watch);
}
