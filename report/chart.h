/* SPDX-License-Identifier: BSD-2-Clause */
/* chart.h - pictures made of characters: an area chart over time, and a line's worth of one. */
#ifndef HEAPRAY_CHART_H
#define HEAPRAY_CHART_H

#include <stddef.h>
#include <stdio.h>

struct chart_layer {
	const char *name;
	const double *values; /* bytes, as many as points */
};
#define CHART_LAYERS 6 /* with glyphs of their own; more share the last */

/*
 * Layers stacked on each other, the first lowest, and `line` (NULL: none) as dots over them where it is known
 * (not NAN). seconds ascending. Writes `height` lines of at most `width` columns, a time axis and a legend.
 */
void chart_area(FILE *out, const double *seconds, size_t count, const struct chart_layer *layers, size_t layer_count,
	const double *line, const char *line_name, int width, int height);

/* The glyph of a layer, in its colour. */
const char *chart_glyph(size_t layer);

/* The course of the values in `width` characters, from their lowest to their highest; one of four static buffers. */
const char *chart_spark(const double *values, size_t count, int width);

#endif
