/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * svg.h - the pictures: written by a small renderer of our own. A chart library would be a thousand times the
 * size of what is drawn here (bars, lines, rings, cells), would bring a version to keep up with, and none is in
 * Debian that draws without a browser.
 *
 * One function draws a picture, for the page (*part*) and for a file of its own (*alone*). Across, everything is
 * placed in percent, so that a picture is as wide as there is room and its text keeps its size on a phone; down,
 * in pixels. Colours are classes; page/picture.css says what they are, in light and in dark.
 */
#ifndef HEAPRAY_SVG_H
#define HEAPRAY_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A picture of `height` pixels. `name` is what it shows, for those who cannot see it. */
void svg_open(FILE *out, bool alone, const char *name, double height);
void svg_close(FILE *out, bool alone);

/* A value with a colour; `label` is hostile text. */
struct svg_part {
	const char *label, *css;
	uint64_t value;
};

/* What the colours are, from `y` on, in lines of three; SVG_KEY_HEIGHT(count) pixels. Only a picture alone needs one. */
void svg_key(FILE *out, double y, const struct svg_part *parts, size_t count);
#define SVG_KEY_HEIGHT(count) (22.0 * (double)(((count) + 2) / 3))

/* A ring of parts; their sum, in bytes, is in its middle. `alone` writes the legend beside it. */
void svg_ring(FILE *out, bool alone, const char *name, const struct svg_part *parts, size_t count);

/* A bar: parts side by side. */
struct svg_bar {
	const char *label, *value; /* hostile text; beside the bar */
	const struct svg_part *parts;
	size_t count;
};
/* Bars below each other, to one scale: 0 to the longest. `above`: labels have a line of their own.
 * Alone, bars of several parts have the key of the first one's below them. */
void svg_bars(FILE *out, bool alone, const char *name, bool above, const struct svg_bar *bars, size_t count);

/* Values over time; UINT64_MAX: not known then, the line has a gap. */
struct svg_line {
	const char *label, *css;
	const uint64_t *values;
};
struct svg_mark {
	double seconds;
	const char *label;
};
/* Bytes over time, from 0 up. seconds ascending, `points` of them. */
void svg_lines(FILE *out, bool alone, const char *name, const double *seconds, size_t points, const struct svg_line *lines,
	size_t count, const struct svg_mark *marks, size_t mark_count);

/*
 * A strip of equal cells in rows of `columns`, each of a class given by its number, UINT32_MAX: none. `css` are the
 * classes. Cells of one class are one path.
 */
void svg_cells(FILE *out, const uint32_t *cells, size_t count, size_t columns, const char *const *css, size_t css_count,
	double row_height);

/* What the page and every picture alone have in common: page/picture.css. */
extern const char svg_style[];

#endif
