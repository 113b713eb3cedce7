/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chart.c - a column of characters for each step of time, the highest value that fell into it.
 *
 * Layers differ by glyph as well as by colour.
 */
#include "chart.h"

#include "text.h"
#include "xalloc.h"

#include <math.h>
#include <stdint.h>

#define MARGIN 12 /* of the labels at the left */
#define STEPS 8   /* of a block character */

static const char *const blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const glyphs[CHART_LAYERS] = {"█", "▓", "▒", "░", "#", "+"};

static const char *colour(size_t layer)
{
	switch (layer % 4) {
	case 0:
		return text_cyan();
	case 1:
		return text_green();
	case 2:
		return text_yellow();
	default:
		return text_dim();
	}
}

static size_t clamp_layer(size_t layer)
{
	return layer < CHART_LAYERS ? layer : CHART_LAYERS - 1;
}

const char *chart_glyph(size_t layer)
{
	static char buffers[4][32];
	static unsigned turn;
	char *text = buffers[turn++ % 4];

	snprintf(text, sizeof(buffers[0]), "%s%s%s", colour(clamp_layer(layer)), glyphs[clamp_layer(layer)], text_reset());
	return text;
}

/* The value in each of `columns` steps of time: the highest in the step, else the one before; NAN before the first. */
static void resample(const double *seconds, const double *values, size_t count, double *to, int columns)
{
	const double span = count ? seconds[count - 1] - seconds[0] : 0;
	size_t at = 0;
	double last = NAN;

	for (int c = 0; c < columns; c++) {
		const double until = seconds[0] + span * (c + 1) / columns;
		double highest = NAN;
		for (; at < count && (seconds[at] <= until || c == columns - 1); at++) {
			last = values[at];
			if (!(highest >= last))
				highest = last;
		}
		to[c] = isnan(highest) ? last : highest;
	}
}

struct canvas {
	int columns, height;
	size_t layers;
	double *tops; /* [layer][column]: upper edge of the stacked layer */
	double *line;
	double highest;
};

static struct canvas canvas_of(const double *seconds, size_t count, const struct chart_layer *layers, size_t layer_count,
	const double *line, int width, int height)
{
	struct canvas c = {.columns = width - MARGIN > 10 ? width - MARGIN : 10, .height = height, .layers = layer_count, .highest = 1};

	if ((size_t)c.columns > count && count >= 2)
		c.columns = c.columns < 4 * (int)count ? c.columns : 4 * (int)count;
	c.tops = xcalloc(layer_count * c.columns, sizeof(double));
	c.line = line ? xcalloc(c.columns, sizeof(double)) : NULL;
	for (size_t l = 0; l < layer_count; l++) {
		double *top = c.tops + l * c.columns;
		resample(seconds, layers[l].values, count, top, c.columns);
		for (int i = 0; i < c.columns; i++) {
			top[i] = (isnan(top[i]) ? 0 : top[i]) + (l ? top[i - c.columns] : 0);
			c.highest = fmax(c.highest, top[i]);
		}
	}
	if (line)
		resample(seconds, line, count, c.line, c.columns);
	for (int i = 0; line && i < c.columns; i++)
		c.highest = fmax(c.highest, c.line[i]); /* fmax ignores NAN */
	return c;
}

static void print_cell(FILE *out, const struct canvas *c, int row, int column)
{
	const double low = c->highest * row / c->height, high = c->highest * (row + 1) / c->height;

	if (c->line && c->line[column] > low && c->line[column] <= high) {
		fprintf(out, "%s•%s", text_bold(), text_reset());
		return;
	}
	for (size_t l = 0; l < c->layers; l++) {
		const double top = c->tops[l * c->columns + column];
		if (top >= high - (high - low) / 2) {
			fputs(chart_glyph(l), out);
			return;
		}
		/* The upper edge of all: as much of the cell as it reaches. */
		if (l + 1 == c->layers && top > low) {
			const int eighths = (int)(STEPS * (top - low) / (high - low));
			fprintf(out, "%s%s%s", colour(clamp_layer(l)), blocks[eighths], text_reset());
			return;
		}
	}
	fputc(' ', out);
}

void chart_area(FILE *out, const double *seconds, size_t count, const struct chart_layer *layers, size_t layer_count,
	const double *line, const char *line_name, int width, int height)
{
	if (count < 2 || height < 1)
		return;
	struct canvas c = canvas_of(seconds, count, layers, layer_count, line, width, height);
	for (int row = height - 1; row >= 0; row--) {
		const bool label = row == height - 1 || row == 0 || row == height / 2;
		fprintf(out, "%*s ", MARGIN - 2, label ? text_bytes(text_whole(row ? c.highest * (row + 1) / height : 0)) : "");
		fputs(row == 0 ? "└" : "│", out);
		for (int column = 0; column < c.columns; column++)
			print_cell(out, &c, row, column);
		fputc('\n', out);
	}
	char start[64];
	snprintf(start, sizeof(start), "%s", text_duration(text_whole(seconds[0] * 1e9)));
	const char *end = text_duration(text_whole(seconds[count - 1] * 1e9));
	fprintf(out, "%*s%-*s%s\n%*s", MARGIN, "", c.columns - (int)strlen(end) > 0 ? c.columns - (int)strlen(end) : 0, start, end, MARGIN, "");
	for (size_t l = 0; l < layer_count; l++)
		fprintf(out, "%s %s   ", chart_glyph(l), text_safe(layers[l].name, 40));
	if (line)
		fprintf(out, "%s•%s %s", text_bold(), text_reset(), line_name);
	fputc('\n', out);
	free(c.tops);
	free(c.line);
}

const char *chart_spark(const double *values, size_t count, int width)
{
	static char buffers[4][256];
	static unsigned turn;
	char *text = buffers[turn++ % 4], *end = text;
	double low = INFINITY, high = -INFINITY;

	if (width > 80)
		width = 80;
	for (size_t i = 0; i < count; i++) {
		low = fmin(low, values[i]);
		high = fmax(high, values[i]);
	}
	*text = '\0';
	for (int c = 0; c < width && count > 0; c++) {
		const double value = values[width < 2 ? count - 1 : (size_t)c * (count - 1) / (size_t)(width - 1)];
		const int step = isnan(value) ? 0 : high > low ? 1 + (int)((STEPS - 1) * (value - low) / (high - low)) : 1;
		end = stpcpy(end, blocks[step]);
	}
	return text;
}
