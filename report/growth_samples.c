/* SPDX-License-Identifier: BSD-2-Clause */
/* growth_samples.c - keeps the columns; a row finds its series by its path, which the model numbers densely. */
#include "growth_samples.h"

#include "xalloc.h"

struct samples *samples_new(const struct family *family, struct quality *quality)
{
	struct samples *s = xcalloc(1, sizeof(*s));

	s->model = model_build(family, quality);
	s->series = xcalloc(s->series_capacity = 64, sizeof(*s->series));
	s->series_count = 1;
	s->stride = 1;
	return s;
}

static struct series *series_of(struct samples *s, const struct row *row)
{
	if (row->path >= s->path_capacity) {
		const size_t capacity = (row->path + 1) * 2;
		s->by_path = xreallocarray(s->by_path, capacity, sizeof(*s->by_path));
		memset(s->by_path + s->path_capacity, 0, (capacity - s->path_capacity) * sizeof(*s->by_path));
		s->path_capacity = capacity;
	}
	for (uint32_t i = s->by_path[row->path]; i; i = s->series[i]->next) {
		if (s->series[i]->domain == row->domain)
			return s->series[i];
	}
	struct series *made = xcalloc(1, sizeof(*made));
	*made = (struct series){.path = row->path, .domain = row->domain, .next = s->by_path[row->path]};
	xgrow(s->series, s->series_count, s->series_capacity);
	s->by_path[row->path] = s->series_count;
	s->series[s->series_count++] = made;
	return made;
}

static void halve_column(double *column)
{
	for (size_t i = 0; i < SAMPLES_MOST / 2; i++)
		column[i] = column[2 * i];
}

static void halve(struct samples *s)
{
	double *const columns[] = {s->seconds, s->effort, s->events, s->resident, s->held, s->used, s->total};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		halve_column(columns[i]);
	for (size_t i = 1; i < s->series_count; i++) {
		halve_column(s->series[i]->live);
		halve_column(s->series[i]->allocated);
		memset(s->series[i]->live + SAMPLES_MOST / 2, 0, sizeof(s->series[i]->live) / 2);
	}
	s->count = SAMPLES_MOST / 2;
	s->stride *= 2;
}

void samples_add(struct samples *s, const struct family *family, struct sample sample)
{
	if (s->readings++ % s->stride != 0)
		return;
	if (s->count == SAMPLES_MOST)
		halve(s);
	const size_t at = s->count++;
	model_refresh(s->model, family);
	for (size_t i = 0; i < s->model->row_count; i++) {
		const struct row *row = &s->model->rows[i];
		struct series *series = series_of(s, row);
		series->live[at] = (double)row->figures.live_bytes;
		series->allocated[at] = (double)row->figures.allocated_bytes;
		series->variance = row->figures.live_variance;
		series->estimated |= row->estimated;
	}
	s->seconds[at] = sample.seconds;
	s->events[at] = sample.events;
	s->resident[at] = sample.resident;
	s->held[at] = sample.held;
	s->used[at] = sample.used;
	s->total[at] = (double)s->model->total.live_bytes;
	s->effort[at] = (double)s->model->total.allocated_count;
	/* A member that ended takes its count with it. */
	if (at > 0 && s->effort[at] < s->effort[at - 1])
		s->effort[at] = s->effort[at - 1];
}

void samples_free(struct samples *s)
{
	for (size_t i = 1; i < s->series_count; i++)
		free(s->series[i]);
	free(s->series);
	free(s->by_path);
	model_free(s->model);
	free(s);
}
