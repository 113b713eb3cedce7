/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * svg_lines.c - bytes over time. The lines are in a plot of 1000 by 1000 that is stretched to its place; the text
 * is outside it, so that it is not stretched.
 */
#include "svg.h"

#include "markup.h"
#include "text.h"

#include <math.h>
#include <string.h>

#define PLOT 260.0   /* pixels down */
#define TOP 18.0     /* room for marks */
#define BELOW 26.0   /* room for times */
#define LEGEND 22.0  /* a line of it */
#define GRID_LINES 4

/* The lowest of a scale that is not below, whose steps are easy to read when it is divided by GRID_LINES. */
static uint64_t round_up(uint64_t most)
{
	static const unsigned steps[] = {1, 2, 4, 8, 12, 16, 20, 24, 32, 40, 48, 60, 80, 100, 120, 160, 200, 240, 320, 400, 480, 600, 800, 1024};
	uint64_t unit = 1;

	while (most / unit >= 1024 && unit < 1ull << 60)
		unit <<= 10;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i] * unit >= most)
			return steps[i] * unit;
	}
	return most;
}

static void grid(FILE *out, uint64_t top, double from, double to)
{
	for (int i = 0; i <= GRID_LINES; i++) {
		const double y = TOP + PLOT * (GRID_LINES - i) / GRID_LINES;
		fprintf(out, "<rect class=\"grid\" x=\"0\" y=\"%.1f\" width=\"100%%\" height=\"1\"/>", y);
		if (i > 0)
			fprintf(out, "<text class=\"soft\" x=\"2\" y=\"%.1f\">%s</text>\n", y + 13, text_bytes(top / GRID_LINES * (uint64_t)i));
	}
	for (int i = 0; i <= 2; i++) {
		const double seconds = from + (to - from) * i / 2;
		fprintf(out, "<text class=\"soft %s\" x=\"%d%%\" y=\"%.0f\">%s</text>\n", i == 0 ? "" : i == 2 ? "number" : "middle", i * 50,
			TOP + PLOT + 18, text_duration(text_whole(seconds * 1e9)));
	}
}

static void draw(FILE *out, const struct svg_line *line, const double *seconds, size_t points, uint64_t top)
{
	const double from = seconds[0], span = seconds[points - 1] > from ? seconds[points - 1] - from : 1;
	bool pen_down = false;

	fprintf(out, "<path class=\"line %s\" d=\"", line->css);
	for (size_t i = 0; i < points; i++) {
		if (line->values[i] == UINT64_MAX) {
			pen_down = false;
			continue;
		}
		fprintf(out, "%c%.1f %.1f", pen_down ? 'L' : 'M', 1000 * (seconds[i] - from) / span,
			1000 * (1 - (double)line->values[i] / (double)top));
		pen_down = true;
	}
	fputs("\"><title>", out);
	markup_text(out, line->label);
	fputs("</title></path>\n", out);
}

/* The last value that is known: lines may end before others. */
static const char *last_of(const struct svg_line *line, size_t points)
{
	while (points > 0 && line->values[points - 1] == UINT64_MAX)
		points--;
	return points > 0 ? text_bytes(line->values[points - 1]) : "";
}

/* In a page it is text below, which wraps. */
static void legend_below(FILE *out, const struct svg_line *lines, size_t count, size_t points)
{
	fputs("<p class=\"legend\">", out);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "<span><i class=\"key %s\"></i>", lines[i].css);
		markup_short(out, lines[i].label, 40);
		fprintf(out, " %s</span> ", last_of(&lines[i], points));
	}
	fputs("</p>\n", out);
}

static void draw_mark(FILE *out, const struct svg_mark *mark, double from, double to)
{
	const double x = to > from ? 100 * (mark->seconds - from) / (to - from) : 0;

	if (x < 0 || x > 100)
		return;
	fprintf(out, "<rect class=\"mark\" x=\"%.2f%%\" y=\"4\" width=\"1\" height=\"%.0f\"/><text class=\"soft %s\" x=\"%.2f%%\" y=\"12\">", x,
		PLOT + TOP - 4, x > 80 ? "number" : "", x + (x > 80 ? -0.5 : 0.5));
	markup_short(out, mark->label, 24);
	fputs("</text>\n", out);
}

void svg_lines(FILE *out, bool alone, const char *name, const double *seconds, size_t points, const struct svg_line *lines, size_t count,
	const struct svg_mark *marks, size_t mark_count)
{
	uint64_t most = 1;

	for (size_t k = 0; k < count; k++) {
		for (size_t i = 0; i < points; i++) {
			if (lines[k].values[i] != UINT64_MAX && lines[k].values[i] > most)
				most = lines[k].values[i];
		}
	}
	const uint64_t top = round_up(most);
	svg_open(out, alone, name, TOP + PLOT + BELOW + (alone ? LEGEND * (double)count : 0));
	grid(out, top, seconds[0], seconds[points - 1]);
	for (size_t i = 0; i < mark_count; i++)
		draw_mark(out, &marks[i], seconds[0], seconds[points - 1]);
	fprintf(out, "<svg y=\"%.0f\" width=\"100%%\" height=\"%.0f\" viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" overflow=\"visible\">\n",
		TOP, PLOT);
	for (size_t k = 0; k < count; k++)
		draw(out, &lines[k], seconds, points, top);
	fputs("</svg>\n", out);
	for (size_t i = 0; alone && i < count; i++)
		svg_key(out, TOP + PLOT + BELOW + LEGEND * (double)i, &(struct svg_part){lines[i].label, lines[i].css, 0}, 1);
	svg_close(out, alone);
	if (!alone)
		legend_below(out, lines, count, points);
}
