/* SPDX-License-Identifier: BSD-2-Clause */
/* svg.c - what is around a picture, rings, and strips of cells. */
#include "svg.h"

#include "markup.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define ALONE_WIDTH 960
#define MARGIN 24
#define HEADING 40

void svg_open(FILE *out, bool alone, const char *name, double height)
{
	if (alone) {
		const double wide = ALONE_WIDTH + 2 * MARGIN, high = height + 2 * MARGIN + HEADING;
		fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"picture\" width=\"%.0f\" height=\"%.0f\">\n<style>%s</style>\n"
			"<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/><text class=\"title\" x=\"%d\" y=\"%d\">",
			wide, high, svg_style, MARGIN, MARGIN + 14);
		markup_text(out, name);
		fprintf(out, "</text>\n<svg x=\"%d\" y=\"%d\" width=\"%d\" height=\"%.0f\">\n", MARGIN, MARGIN + HEADING, ALONE_WIDTH, height);
		return;
	}
	fprintf(out, "<svg class=\"picture\" role=\"img\" width=\"100%%\" height=\"%.0f\" aria-label=\"", height);
	markup_text(out, name);
	fputs("\">\n", out);
}

void svg_close(FILE *out, bool alone)
{
	fputs(alone ? "</svg>\n</svg>\n" : "</svg>\n", out);
}

void svg_key(FILE *out, double y, const struct svg_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const double x = 100.0 / 3 * (double)(i % 3), top = y + 22 * (double)(i / 3);
		fprintf(out, "<svg x=\"%.2f%%\" y=\"%.0f\" width=\"32%%\" height=\"22\"><rect class=\"%s\" x=\"0\" y=\"5\" width=\"12\" height=\"12\" rx=\"2\"/>"
			"<text x=\"20\" y=\"15\">", x, top, parts[i].css);
		markup_short(out, parts[i].label, 40);
		fputs("</text></svg>\n", out);
	}
}

/* ---- ring ---------------------------------------------------------------------------------- */

#define RING 220.0
#define OUTER 104.0
#define INNER 66.0
#define LEGEND_LINE 22

static void title(FILE *out, const struct svg_part *part, uint64_t sum)
{
	fputs("<title>", out);
	markup_text(out, part->label);
	fprintf(out, ": %s, %.1f %%</title>", text_bytes(part->value), sum ? 100.0 * (double)part->value / (double)sum : 0.0);
}

/* From and to: shares of the turn. A whole turn has no two ends to draw between: two halves. */
static void slice(FILE *out, double from, double to)
{
	const double a = 2 * M_PI * from, b = 2 * M_PI * to;
	const double c = RING / 2;

	fprintf(out, "M%.2f %.2fA%g %g 0 %d 1 %.2f %.2fL%.2f %.2fA%g %g 0 %d 0 %.2f %.2fZ", c + OUTER * sin(a), c - OUTER * cos(a),
		OUTER, OUTER, to - from > 0.5, c + OUTER * sin(b), c - OUTER * cos(b), c + INNER * sin(b), c - INNER * cos(b), INNER,
		INNER, to - from > 0.5, c + INNER * sin(a), c - INNER * cos(a));
}

static void legend(FILE *out, const struct svg_part *parts, size_t count, uint64_t sum)
{
	for (size_t i = 0; i < count; i++) {
		const double y = 16 + (double)i * LEGEND_LINE;
		fprintf(out, "<rect class=\"%s\" x=\"270\" y=\"%.0f\" width=\"12\" height=\"12\" rx=\"2\"/><text x=\"292\" y=\"%.0f\">",
			parts[i].css, y - 10, y);
		markup_short(out, parts[i].label, 40);
		fprintf(out, "</text><text class=\"number\" x=\"640\" y=\"%.0f\">%s</text><text class=\"number soft\" x=\"720\" y=\"%.0f\">%.1f %%</text>\n",
			y, text_bytes(parts[i].value), y, sum ? 100.0 * (double)parts[i].value / (double)sum : 0.0);
	}
}

void svg_ring(FILE *out, bool alone, const char *name, const struct svg_part *parts, size_t count)
{
	const double height = alone && count * LEGEND_LINE > RING ? (double)count * LEGEND_LINE : RING;
	uint64_t sum = 0, before = 0;

	for (size_t i = 0; i < count; i++)
		sum += parts[i].value;
	svg_open(out, alone, name, height);
	fprintf(out, "<svg class=\"ring\" width=\"%.0f\" height=\"%.0f\">\n", RING, RING);
	for (size_t i = 0; i < count && sum > 0; i++) {
		const double from = (double)before / (double)sum, to = (double)(before + parts[i].value) / (double)sum;
		before += parts[i].value;
		if (parts[i].value == 0)
			continue;
		fprintf(out, "<path class=\"%s\" d=\"", parts[i].css);
		if (to - from > 0.999)
			slice(out, from, (from + to) / 2);
		slice(out, to - from > 0.999 ? (from + to) / 2 : from, to);
		fputs("\">", out);
		title(out, &parts[i], sum);
		fputs("</path>\n", out);
	}
	fprintf(out, "<text class=\"sum\" x=\"50%%\" y=\"50%%\">%s</text></svg>\n", text_bytes(sum));
	if (alone)
		legend(out, parts, count, sum);
	svg_close(out, alone);
}

/* ---- cells --------------------------------------------------------------------------------- */

/* Neighbours of one class in a row are one rectangle of its path. */
static void cells_of_class(FILE *out, const uint32_t *cells, size_t count, size_t columns, uint32_t class)
{
	for (size_t i = 0; i < count; i++) {
		if (cells[i] != class)
			continue;
		size_t length = 1;
		while (i + length < count && (i + length) % columns && cells[i + length] == class)
			length++;
		fprintf(out, "M%zu %zuh%zuv1h-%zuz", i % columns, i / columns, length, length);
		i += length - 1;
	}
}

void svg_cells(FILE *out, const uint32_t *cells, size_t count, size_t columns, const char *const *css, size_t css_count, double row_height)
{
	const size_t rows = (count + columns - 1) / columns;

	fprintf(out, "<svg class=\"cells\" width=\"100%%\" height=\"%.0f\" viewBox=\"0 0 %zu %zu\" preserveAspectRatio=\"none\">\n",
		row_height * (double)rows, columns, rows);
	for (size_t class = 0; class < css_count; class++) {
		fprintf(out, "<path class=\"%s\" d=\"", css[class]);
		cells_of_class(out, cells, count, columns, class);
		fputs("\"/>\n", out);
	}
	fputs("</svg>\n", out);
}
