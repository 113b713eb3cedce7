/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_draw.h - a zone's slabs as a picture, in address order. Both need a zone that was walked.
 */
#ifndef HEAPRAY_ZONE_DRAW_H
#define HEAPRAY_ZONE_DRAW_H

#include "zone_find.h"

#include <stdio.h>

/* In characters, `width` columns: a line a page, or for larger zones a cell a page or several. */
void zone_draw_text(const struct zone *zone, int width, FILE *out);

/* As SVG: rows of pages; a cell a slab, or for larger zones a cell a page or several. */
void zone_draw_svg(const struct zone *zone, FILE *out);

#endif
