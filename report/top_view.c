/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_view.c - the layout, in rows of the screen:
 *
 *   0        program, pid, members; live and resident
 *   1..n     a heap each: bytes, a bar, growth, its course; at most MOST_HEAPS
 *   n+1      what the allocator keeps
 *   n+2      head of the table
 *   ...      rows
 *   last     keys, or the filter that is being typed
 */
#include "top_view.h"

#include "chart.h"
#include "process.h"
#include "text.h"
#include "top_screen.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MOST_HEAPS 4
#define BAR 20
#define SPARK 16
#define LABEL_AT 36

static void __attribute__((format(printf, 5, 6))) put(int row, int column, int width, enum screen_style style, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	screen_put(row, column, width, style, text);
}

static const char *bytes_of(double bytes)
{
	return isnan(bytes) ? "?" : text_bytes(bytes > 0 ? (uint64_t)bytes : 0);
}

static const char *rate_of(double bytes)
{
	return fabs(bytes) < 1 ? "" : text_signed_bytes((int64_t)llround(bytes));
}

static enum screen_style style_of(double growth)
{
	return growth >= 1 ? SCREEN_UP : growth <= -1 ? SCREEN_DOWN : SCREEN_PLAIN;
}

/* ---- above the table ----------------------------------------------------------------------- */

static void draw_title(const struct top *top, const struct top_state *state, int columns)
{
	const struct family *family = &top->watch.family;
	const struct process *shown = &family->members[top->member ? top->member - 1 : 0];
	const char *exe = strrchr(shown->exe, '/');
	char who[120];

	if (top->member || family->count == 1)
		snprintf(who, sizeof(who), "%s %d %s", text_safe(exe ? exe + 1 : shown->exe, 40), (int)shown->pid, role_name(shown->role));
	else
		snprintf(who, sizeof(who), "%s %d and %zu more", text_safe(exe ? exe + 1 : shown->exe, 40), (int)shown->pid, family->count - 1);
	put(0, 0, columns, SCREEN_BOLD, "%s", who);
	put(0, (int)strlen(who) + 2, columns, SCREEN_PLAIN, "live %s  resident %s%s", text_bytes(top->model->total.live_bytes > 0 ?
		(uint64_t)top->model->total.live_bytes : 0), bytes_of(top->resident), top->ended ? "  ENDED" : state->paused ? "  PAUSED" : "");
}

static void draw_bar(int row, int column, double part, double whole)
{
	const int full = whole > 0 && part > 0 ? (int)lround(BAR * fmin(part / whole, 1)) : 0;
	char text[BAR * 3 + 1] = "";

	for (int i = 0; i < BAR; i++)
		strcat(text, i < full ? "█" : "·");
	screen_put(row, column, BAR, SCREEN_BAR, text);
}

static int draw_heaps(const struct top *top, int row, int columns)
{
	double total = 0;

	for (size_t i = 0; i < top->heap_count; i++)
		total += fmax(top->heaps[i].live, 0);
	for (size_t i = 0; i < top->heap_count && i < MOST_HEAPS; i++) {
		const struct top_heap *heap = &top->heaps[i];
		if (i > 0 && heap->live <= 0)
			break;
		put(row, 0, 16, SCREEN_PLAIN, "%s", text_safe(heap->name, 16));
		put(row, 17, 10, SCREEN_BOLD, "%10s", bytes_of(heap->live));
		draw_bar(row, 28, heap->live, total);
		put(row, 49, 12, style_of(heap->growth), "%10s/s", *rate_of(heap->growth) ? rate_of(heap->growth) : "0 B");
		put(row, 62, columns, SCREEN_BAR, "%s", chart_spark(heap->course->live, heap->course->count, SPARK));
		row++;
	}
	if (!isnan(top->held))
		put(row++, 0, columns, SCREEN_DIM, "the allocator holds %s%s%s", bytes_of(top->held),
			isnan(top->used) || top->used > top->held ? "" : ", free ",
			isnan(top->used) || top->used > top->held ? "" : bytes_of(top->held - top->used));
	return row;
}

static int heap_rows(const struct top *top)
{
	int rows = 0;

	for (size_t i = 0; i < top->heap_count && i < MOST_HEAPS; i++)
		rows += i == 0 || top->heaps[i].live > 0;
	return rows + !isnan(top->held);
}

/* ---- the table ----------------------------------------------------------------------------- */

size_t top_page(const struct top *top)
{
	int rows, columns;

	screen_size(&rows, &columns);
	rows -= 1 + heap_rows(top) + 1 + 1; /* title, heaps, head, keys */
	return rows > 0 ? (size_t)rows : 0;
}

static void draw_row(const struct top *top, const struct top_row *row, int at, int columns, bool selected)
{
	const struct figures *f = &row->row->figures;
	const int label_columns = columns - LABEL_AT - (columns >= LABEL_AT + 40 + SPARK + 1 ? SPARK + 1 : 0);
	char line[256];

	snprintf(line, sizeof(line), "%s%9s %10s %10s  ", row->row->estimated ? "~" : " ", bytes_of((double)f->live_bytes),
		top->sort == SORT_ALLOCATED ? rate_of(row->allocation) : top->sort == SORT_PEAK ? bytes_of((double)f->peak_bytes) :
		rate_of(row->growth), text_count(f->live_count > 0 ? (uint64_t)f->live_count : 0));
	if (selected)
		put(at, 0, columns, SCREEN_SELECTED, "%-*s", columns, line);
	else
		screen_put(at, 0, LABEL_AT, top->sort == SORT_ALLOCATED ? SCREEN_PLAIN : style_of(row->growth), line);
	screen_put(at, LABEL_AT, label_columns, selected ? SCREEN_SELECTED : SCREEN_PLAIN, row->label);
	if (label_columns < columns - LABEL_AT)
		screen_put(at, columns - SPARK, SPARK, SCREEN_BAR, chart_spark(row->course->live, row->course->count, SPARK));
}

static void draw_table(const struct top *top, struct top_state *state, int at, int columns)
{
	const size_t page = top_page(top);

	put(at++, 0, columns, SCREEN_HEAD, " %9s %10s %10s  %-*s", "LIVE", top->sort == SORT_ALLOCATED ? "ALLOCATES/s" : top->sort == SORT_PEAK ?
		"PEAK" : "GROWS/s", "BLOCKS", columns > LABEL_AT ? columns - LABEL_AT : 1, top_view_name(top->view));
	if (state->selected >= top->row_count)
		state->selected = top->row_count ? top->row_count - 1 : 0;
	if (state->selected < state->scroll)
		state->scroll = state->selected;
	if (page > 0 && state->selected >= state->scroll + page)
		state->scroll = state->selected - page + 1;
	for (size_t i = 0; i < page && state->scroll + i < top->row_count; i++)
		draw_row(top, &top->rows[state->scroll + i], at + (int)i, columns, state->scroll + i == state->selected);
	if (top->row_count == 0)
		put(at, 1, columns, SCREEN_DIM, "no row%s%s", *top->filter ? " with " : "", top->filter);
}

/* All frames of the selected row, a line each. */
static void draw_frames(const struct top *top, const struct top_state *state, int at, int columns)
{
	const struct row *row = top->rows[state->selected].row;
	const uint32_t *frames;
	const size_t count = model_frames(top->model, row, &frames), page = top_page(top);

	put(at++, 0, columns, SCREEN_HEAD, " %s in %s%-*s", bytes_of((double)row->figures.live_bytes),
		row->domain == MODEL_SEVERAL ? "several heaps" : top->model->domains[row->domain], columns, "");
	for (size_t i = 0; i < count && i < page; i++) {
		const struct frame *frame = &top->model->frames[frames[i]];
		const char *module = strrchr(frame->module, '/');
		char place[300] = "";
		if (frame->file)
			snprintf(place, sizeof(place), " %s:%u", frame->file, frame->line);
		put(at + (int)i, 2, columns - 2, SCREEN_PLAIN, "%s%s [%s]", frame->function ? text_safe(frame->function, 100) : "", text_safe(place, 200),
			text_safe(module ? module + 1 : frame->module, 60));
	}
}

/* ---- all ----------------------------------------------------------------------------------- */

static void draw_keys(const struct top *top, const struct top_state *state, int row, int columns)
{
	if (state->asking)
		put(row, 0, columns, SCREEN_BOLD, "filter: %s_", top->filter);
	else if (state->frames)
		put(row, 0, columns, SCREEN_DIM, "any key: back");
	else
		put(row, 0, columns, SCREEN_DIM, "q quit  v view: %s  s sort: %s  / filter%s%s  p pause  m %s  enter: frames", top_view_name(top->view),
			top_sort_name(top->sort), *top->filter ? ": " : "", top->filter, top->member ? "one process" : "merged");
}

void top_draw(const struct top *top, struct top_state *state)
{
	int rows, columns;

	screen_size(&rows, &columns);
	screen_clear();
	draw_title(top, state, columns);
	const int at = draw_heaps(top, 1, columns);
	if (state->frames && state->selected < top->row_count)
		draw_frames(top, state, at, columns);
	else
		draw_table(top, state, at, columns);
	draw_keys(top, state, rows - 1, columns);
	screen_show();
}
