/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model_group.c - rows into groups, and their order.
 *
 * A group is known by the frames that define it: none (domain), one (function, module, owner), the
 * Lua frames (lua). Rows that have no such frame make one group together.
 */
#include "model_private.h"

#include "xalloc.h"

/* Frames that define the row's group, into `to` (room for all of them): the count. */
static size_t choose(const struct model *model, const uint32_t *frames, size_t count, enum group group, uint32_t *to)
{
	size_t chosen = 0;

	switch (group) {
	case GROUP_FUNCTION:
		if (count > 0)
			to[chosen++] = frames[0];
		break;
	case GROUP_MODULE:
	case GROUP_OWNER:
		for (size_t i = 0; i < count && chosen == 0; i++) {
			if (!model_is_wrapper(model, frames[i]))
				to[chosen++] = frames[i];
		}
		if (chosen == 0 && count > 0) /* wrappers all the way: the outermost */
			to[chosen++] = frames[count - 1];
		break;
	case GROUP_LUA:
		for (size_t i = 0; i < count; i++) {
			if (model->frames[frames[i]].kind == FRAME_LUA)
				to[chosen++] = frames[i];
		}
		break;
	default:
		break;
	}
	return chosen;
}

/* What makes two frames the same for this grouping. */
static uint32_t key_of(const struct model *model, uint32_t frame, enum group group)
{
	if (group == GROUP_MODULE)
		return model->frames[frame].module_index;
	return group == GROUP_LUA ? frame : model->frames[frame].identity;
}

static void add(struct row *to, const struct row *from)
{
	struct figures *t = &to->figures;
	const struct figures *f = &from->figures;

	t->live_bytes += f->live_bytes;
	t->live_count += f->live_count;
	t->inherited_bytes += f->inherited_bytes;
	t->peak_bytes += f->peak_bytes;
	t->allocated_bytes += f->allocated_bytes;
	t->allocated_count += f->allocated_count;
	t->temporary_count += f->temporary_count;
	t->live_variance += f->live_variance;
	to->estimated |= from->estimated;
	if (to->domain != from->domain)
		to->domain = MODEL_SEVERAL;
}

/* A module is shown without a function; a function with the lowest of its addresses, whatever the order of rows. */
static void represent(const struct model *model, struct row *row, const uint32_t *chosen)
{
	for (uint32_t i = 0; i < row->frame_count; i++) {
		const struct frame *old = &model->frames[row->frames[i]], *new = &model->frames[chosen[i]];
		if (new->offset < old->offset || (new->offset == old->offset && chosen[i] < row->frames[i]))
			row->frames[i] = chosen[i];
	}
}

void model_group(struct model *model, enum group group)
{
	struct table *groups = NULL; /* by what defines them: the row */
	struct row *rows = NULL;
	size_t row_count = 0, capacity = 0;
	uint32_t chosen[SEGMENT_MAX_DEPTH * 2], key[SEGMENT_MAX_DEPTH * 2 + 1];
	const uint32_t *frames;

	if (group == GROUP_STACK)
		return;
	for (size_t i = 0; i < model->row_count; i++) {
		const struct row *row = &model->rows[i];
		size_t count = model_frames(model, row, &frames);
		count = choose(model, frames, count < SEGMENT_MAX_DEPTH * 2 ? count : SEGMENT_MAX_DEPTH * 2, group, chosen);
		key[0] = group == GROUP_DOMAIN ? row->domain : 0;
		for (size_t k = 0; k < count; k++)
			key[k + 1] = key_of(model, chosen[k], group);
		bool is_new;
		uint64_t *at = table_at(&groups, key, (count + 1) * sizeof(*key), &is_new);
		if (!is_new) {
			add(&rows[*at], row);
			represent(model, &rows[*at], chosen);
			continue;
		}
		*at = row_count;
		xgrow(rows, row_count, capacity);
		rows[row_count] = *row;
		rows[row_count].path = UINT32_MAX;
		rows[row_count].frame_count = count;
		rows[row_count].frames = count ? memcpy(xcalloc(count, sizeof(*chosen)), chosen, count * sizeof(*chosen)) : NULL;
		row_count++;
	}
	table_free(&groups);
	for (size_t i = 0; i < row_count && group == GROUP_DOMAIN; i++) { /* estimates and their remainder sum to what is exact */
		rows[i].estimated = false;
		rows[i].figures.live_variance = 0;
	}
	free(model->rows);
	model->rows = rows;
	model->row_count = row_count;
}

/* ---- order --------------------------------------------------------------------------------- */

uint64_t model_measure(const struct figures *f, enum measure by)
{
	switch (by) {
	case BY_PEAK:
		return (int64_t)f->peak_bytes > 0 ? f->peak_bytes : 0;
	case BY_ALLOCATED:
		return (int64_t)f->allocated_bytes > 0 ? f->allocated_bytes : 0; /* a remainder may be below zero */
	case BY_COUNT:
		return f->live_count > 0 ? f->live_count : 0;
	case BY_TEMPORARY:
		return f->temporary_count;
	default:
		return f->live_bytes > 0 ? f->live_bytes : 0;
	}
}

struct sorted {
	uint64_t value;
	const char *name;
	uint32_t index;
	struct row row;
};

static int by_value(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	const int names = strcmp(x->name, y->name);
	return names ? names : (x->index > y->index) - (x->index < y->index);
}

/* Its innermost frame: no need to look up the others for their order. */
static bool first_frame(const struct model *model, const struct row *row, uint32_t *frame)
{
	if (row->frame_count > 0)
		*frame = row->frames[0];
	else if (row->path != UINT32_MAX && row->path != 0)
		*frame = model_resolve(model, model->private->paths.pairs[row->path].second)->first_frame;
	else
		return false;
	return true;
}

void model_sort(struct model *model, enum measure by)
{
	struct sorted *sorted = xcalloc(model->row_count, sizeof(*sorted));
	uint32_t first;

	for (size_t i = 0; i < model->row_count; i++) {
		const struct row *row = &model->rows[i];
		const char *name = first_frame(model, row, &first) ? model->frames[first].function : row->domain != MODEL_SEVERAL ? model->domains[row->domain] : "";
		sorted[i] = (struct sorted){model_measure(&row->figures, by), name ? name : "", i, *row};
	}
	if (model->row_count > 0)
		qsort(sorted, model->row_count, sizeof(*sorted), by_value);
	for (size_t i = 0; i < model->row_count; i++)
		model->rows[i] = sorted[i].row;
	free(sorted);
}
