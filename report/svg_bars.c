/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * svg_bars.c - bars of parts side by side, to one scale.
 *
 *   beside:  label    [####|###|##        ]   value        above:  label                      value
 *                                                                  [####|###|##                   ]
 */
#include "svg.h"

#include "markup.h"
#include "text.h"

#include <inttypes.h>
#include <string.h>

#define BESIDE_ROW 22.0
#define ABOVE_ROW 44.0
#define PER_LETTER 1.9 /* percent, in the narrowest place: a card on a phone */
#define GAP 0.15 /* percent between parts, where they are wide enough to be told apart */

static uint64_t sum_of(const struct svg_bar *bar)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < bar->count; i++)
		sum += bar->parts[i].value;
	return sum;
}

/* Room in percent for the longest of the texts beside the bars. */
static double room_for(const struct svg_bar *bars, size_t count, bool values)
{
	size_t longest = 4;

	for (size_t i = 0; i < count; i++) {
		const size_t length = strlen(values ? bars[i].value : bars[i].label);
		if (length > longest)
			longest = length;
	}
	return longest > 20 ? 20 * PER_LETTER : (double)longest * PER_LETTER;
}

static void draw_parts(FILE *out, const struct svg_bar *bar, double y, double from, double to, uint64_t longest)
{
	double x = from;

	for (size_t i = 0; i < bar->count; i++) {
		const struct svg_part *part = &bar->parts[i];
		const double width = longest ? (to - from) * (double)part->value / (double)longest : 0;
		if (part->value == 0)
			continue;
		fprintf(out, "<rect class=\"%s\" x=\"%.3f%%\" y=\"%.0f\" width=\"%.3f%%\" height=\"14\"><title>", part->css, x, y,
			width > 3 * GAP ? width - GAP : width);
		markup_text(out, part->label);
		fprintf(out, ": %s</title></rect>\n", text_bytes(part->value));
		x += width;
	}
}

void svg_bars(FILE *out, bool alone, const char *name, bool above, const struct svg_bar *bars, size_t count)
{
	const double row = above ? ABOVE_ROW : BESIDE_ROW;
	const double left = above ? 0 : room_for(bars, count, false) + 2, right = above ? 100 : 98 - room_for(bars, count, true);
	uint64_t longest = 0;

	for (size_t i = 0; i < count; i++) {
		const uint64_t sum = sum_of(&bars[i]);
		if (sum > longest)
			longest = sum;
	}
	const size_t keys = alone && count > 0 && bars[0].count > 1 ? bars[0].count : 0;
	svg_open(out, alone, name, row * (double)count + (keys ? 12 + SVG_KEY_HEIGHT(keys) : 0));
	for (size_t i = 0; i < count; i++) {
		const double y = row * (double)i, base = y + 14;
		fprintf(out, "<text x=\"0\" y=\"%.0f\">", base);
		markup_short(out, bars[i].label, above ? 60 : 20);
		fprintf(out, "</text><text class=\"number\" x=\"100%%\" y=\"%.0f\">", base);
		markup_short(out, bars[i].value, 40);
		fputs("</text>", out);
		fprintf(out, "<rect class=\"track\" x=\"%g%%\" y=\"%.0f\" width=\"%g%%\" height=\"14\"/>\n", left,
			above ? y + 21 : y + 3, right - left);
		draw_parts(out, &bars[i], above ? y + 21 : y + 3, left, right, longest);
	}
	if (keys)
		svg_key(out, row * (double)count + 12, bars[0].parts, keys);
	svg_close(out, alone);
}
