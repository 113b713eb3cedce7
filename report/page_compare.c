/* SPDX-License-Identifier: BSD-2-Clause */
/* page_compare.c - allocators side by side, as `heapray compare --json` has them. */
#include "page.h"

#include "markup.h"
#include "svg.h"
#include "text.h"
#include "xalloc.h"

#include <inttypes.h>
#include <math.h>

#define MOST_ARMS 16
#define MOST_SIZES 400

enum unit { BYTES, COUNT, SECONDS, PLAIN };
static const struct {
	const char *key, *label;
	enum unit unit;
	bool bare; /* from the runs without the shim, where there are any */
} figures[] = {
	{"metric", "metric", PLAIN, true}, {"wall_s", "wall time", SECONDS, true}, {"user_s", "user time", SECONDS, true},
	{"system_s", "system time", SECONDS, true}, {"peak_resident_bytes", "peak resident", BYTES, true},
	{"steady_resident_bytes", "steady resident", BYTES, true}, {"returned_bytes", "returned after the load", BYTES, true},
	{"page_faults", "page faults", COUNT, true}, {"peak_requested_bytes", "peak requested", BYTES, false},
	{"peak_usable_bytes", "peak usable", BYTES, false}, {"peak_held_bytes", "peak held", BYTES, false},
	{"peak_fragmentation", "held / requested", PLAIN, false}, {"allocations", "allocations", COUNT, false},
};
#define FIGURES (sizeof(figures) / sizeof(figures[0]))

static const struct json *arms_of(const struct page *page)
{
	return json_get(page->compare, "arms");
}

/* Where a figure is taken from: the bare runs' median, else the watched ones'. */
static const char *median_key(const struct json *arm, size_t figure)
{
	return figures[figure].bare && !json_is_unknown(json_get(json_get(arm, "bare_median"), figures[figure].key)) ? "bare_median" : "median";
}

/* ---- bars -------------------------------------------------------------------------------------- */

#define STEPS 4
static const struct {
	const char *key, *label, *css;
	bool bare; /* as in the table */
} steps[STEPS] = {
	{"peak_requested_bytes", "requested", "w-requested", false},
	{"peak_usable_bytes", "usable", "w-usable", false},
	{"peak_held_bytes", "held", "w-held", false},
	{"peak_resident_bytes", "resident", "w-resident", true},
};

bool picture_compare(const struct page *page, FILE *out, bool alone)
{
	const size_t arms = at_most(json_length(arms_of(page)), MOST_ARMS);
	struct svg_bar bars[MOST_ARMS * STEPS];
	struct svg_part parts[MOST_ARMS * STEPS];
	char *labels[MOST_ARMS * STEPS], *values[MOST_ARMS * STEPS];
	size_t count = 0;

	for (size_t i = 0; i < arms; i++) {
		const struct json *arm = json_at(arms_of(page), i);
		for (size_t k = 0; k < STEPS; k++) {
			const struct json *median = json_get(arm, steps[k].bare && !json_is_unknown(json_get(arm, "bare_median")) ? "bare_median" : "median");
			const int64_t value = json_to_integer(json_get(median, steps[k].key));
			if (json_is_unknown(json_get(median, steps[k].key)))
				continue;
			labels[count] = k == 0 ? xasprintf("%s, requested", json_to_string(json_get(arm, "allocator"))) : xstrdup(steps[k].label);
			values[count] = xstrdup(text_bytes((uint64_t)value));
			parts[count] = (struct svg_part){steps[k].label, steps[k].css, (uint64_t)value};
			bars[count] = (struct svg_bar){labels[count], values[count], &parts[count], 1};
			count++;
		}
	}
	if (count == 0)
		return false;
	svg_bars(out, alone, "At the peak: asked for, usable, held, resident", false, bars, count);
	for (size_t i = 0; i < count; i++) {
		free(labels[i]);
		free(values[i]);
	}
	return true;
}

/* ---- time lines over each other -------------------------------------------------------------- */

/* The value of an arm's series at a time: its last sample before; unknown outside. */
static uint64_t value_at(const struct json *timeline, const char *key, double seconds, size_t *at)
{
	const struct json *times = json_get(timeline, "seconds"), *values = json_get(timeline, key);
	const size_t count = json_length(times);

	while (*at + 1 < count && json_to_real(json_at(times, *at + 1)) <= seconds)
		(*at)++;
	if (count == 0 || seconds < json_to_real(json_at(times, 0)) || (*at + 1 == count && seconds > json_to_real(json_at(times, *at))))
		return UINT64_MAX;
	const struct json *value = json_at(values, *at);
	return json_is_unknown(value) ? UINT64_MAX : (uint64_t)json_to_integer(value);
}

#define POINTS 200

static void draw_time(const struct page *page, const char *key, const char *heading, FILE *out)
{
	const size_t arms = at_most(json_length(arms_of(page)), MOST_ARMS);
	struct svg_line lines[MOST_ARMS];
	double end = 0, seconds[POINTS];
	size_t count = 0;

	for (size_t i = 0; i < arms; i++) {
		const struct json *times = json_get(json_get(json_at(arms_of(page), i), "timeline"), "seconds");
		end = fmax(end, json_length(times) ? json_to_real(json_at(times, json_length(times) - 1)) : 0);
	}
	if (end <= 0)
		return;
	for (size_t p = 0; p < POINTS; p++)
		seconds[p] = end * (double)p / (POINTS - 1);
	for (size_t i = 0; i < arms; i++) {
		const struct json *arm = json_at(arms_of(page), i);
		uint64_t *values = xcalloc(POINTS, sizeof(*values));
		size_t at = 0;
		for (size_t p = 0; p < POINTS; p++)
			values[p] = value_at(json_get(arm, "timeline"), key, seconds[p], &at);
		lines[count++] = (struct svg_line){json_to_string(json_get(arm, "allocator")), page_color(i), values};
	}
	fprintf(out, "<div class=\"card\"><h3>%s</h3>\n", heading);
	svg_lines(out, false, heading, seconds, POINTS, lines, count, NULL, 0);
	fputs("</div>\n", out);
	for (size_t i = 0; i < count; i++)
		free((void *)lines[i].values);
}

/* ---- by size ----------------------------------------------------------------------------------- */

/* Requested bytes at the peak by the size of the blocks; what rounding adds is the lighter part. */
static void draw_sizes(const struct json *arm, FILE *out)
{
	const struct json *sizes = json_get(arm, "sizes");
	const size_t all = at_most(json_length(sizes), MOST_SIZES);
	static struct svg_bar bars[MOST_SIZES];
	static struct svg_part parts[MOST_SIZES][2];
	static char *labels[MOST_SIZES], *values[MOST_SIZES];
	size_t count = 0;

	for (size_t i = 0; i < all; i++) {
		const struct json *size = json_at(sizes, i);
		const uint64_t requested = (uint64_t)json_to_integer(json_get(size, "requested_bytes")), usable = (uint64_t)json_to_integer(json_get(size, "usable_bytes"));
		if (requested == 0)
			continue;
		labels[count] = xasprintf("up to %s", text_bytes((uint64_t)json_to_integer(json_get(size, "up_to_bytes"))));
		values[count] = xasprintf("%s in %s", text_bytes(requested), text_count((uint64_t)json_to_integer(json_get(size, "count"))));
		parts[count][0] = (struct svg_part){"requested", "w-requested", requested};
		parts[count][1] = (struct svg_part){"rounding", "w-free", usable > requested ? usable - requested : 0};
		bars[count] = (struct svg_bar){labels[count], values[count], parts[count], 2};
		count++;
	}
	if (count == 0)
		return;
	fputs("<details class=\"card narrow\"><summary>Blocks by size: ", out);
	markup_text(out, json_to_string(json_get(arm, "allocator")));
	fputs("</summary>\n", out);
	svg_bars(out, false, "Live bytes at the peak by the size of their blocks", false, bars, count);
	fputs("</details>\n", out);
	for (size_t i = 0; i < count; i++) {
		free(labels[i]);
		free(values[i]);
	}
}

/* ---- the table --------------------------------------------------------------------------------- */

static void cell(const struct json *arm, size_t index, size_t figure, FILE *out)
{
	const char *from = median_key(arm, figure);
	const struct json *value = json_get(json_get(arm, from), figures[figure].key), *spread = json_get(json_get(arm, "spread"), figures[figure].key);
	char *place = xasprintf("compare .arms[%zu].%s", index, from);

	fputs("<td class=\"n\">", out);
	if (json_is_unknown(value))
		fputs("<span class=\"soft\">&#8211;</span>", out);
	else if (figures[figure].unit == BYTES)
		markup_bytes(out, json_get(arm, from), place, figures[figure].key);
	else if (figures[figure].unit == COUNT)
		markup_count(out, json_get(arm, from), place, figures[figure].key);
	else
		fprintf(out, "<data value=\"%.9g\" data-json=\"%s.%s\">%.4g%s</data>", json_to_real(value), place, figures[figure].key, json_to_real(value),
			figures[figure].unit == SECONDS ? "&#8239;s" : "");
	if (!json_is_unknown(value) && !json_is_unknown(spread) && json_to_real(spread) > 0) {
		const double s = json_to_real(spread);
		fputs(" <small class=\"soft\">&#177; ", out);
		if (figures[figure].unit == BYTES)
			fputs(text_bytes((uint64_t)s), out);
		else if (figures[figure].unit == COUNT)
			fputs(text_count((uint64_t)s), out);
		else
			fprintf(out, "%.2g", s);
		fputs("</small>", out);
	}
	free(place);
}

static void table(const struct page *page, FILE *out)
{
	const size_t arms = at_most(json_length(arms_of(page)), MOST_ARMS);

	fputs("<div class=\"scroll\"><table class=\"figures\"><thead><tr><th>Median of the runs", out);
	for (size_t i = 0; i < arms; i++) {
		fprintf(out, "<th class=\"n\"><i class=\"key %s\"></i>", page_color(i));
		markup_text(out, json_to_string(json_get(json_at(arms_of(page), i), "allocator")));
	}
	fputs("</thead><tbody>\n", out);
	for (size_t k = 0; k < FIGURES; k++) {
		bool any = false;
		for (size_t i = 0; i < arms; i++)
			any |= !json_is_unknown(json_get(json_get(json_at(arms_of(page), i), median_key(json_at(arms_of(page), i), k)), figures[k].key));
		if (!any)
			continue;
		fprintf(out, "<tr><th>%s", figures[k].label);
		for (size_t i = 0; i < arms; i++)
			cell(json_at(arms_of(page), i), i, k, out);
		fputc('\n', out);
	}
	fputs("</tbody></table></div>\n", out);
}

void section_compare(const struct page *page, FILE *out)
{
	const struct json *verdict = json_get(page->compare, "verdict");

	if (!page->compare)
		return;
	section_open(out, "compare", "Allocators side by side", "Times and resident memory are of the runs without heapray, where there were any; the rest is by its books.");
	for (size_t i = 0; i < json_length(verdict); i++) {
		fputs("<p class=\"verdict\">", out);
		markup_text(out, json_to_string(json_at(verdict, i)));
		fputs("</p>\n", out);
	}
	for (size_t i = 0; i < json_length(arms_of(page)); i++) {
		const struct json *arm = json_at(arms_of(page), i);
		if (json_is_unknown(json_get(arm, "void")))
			continue;
		fputs("<p class=\"verdict bad\">", out);
		markup_text(out, json_to_string(json_get(arm, "allocator")));
		fputs(" does not count: ", out);
		markup_text(out, json_to_string(json_get(arm, "void")));
		fputs("</p>\n", out);
	}
	table(page, out);
	fputs("<div class=\"card narrow\"><h3>At the peak</h3>\n", out);
	picture_compare(page, out, false);
	fputs("</div>\n", out);
	draw_time(page, "resident_bytes", "Resident memory over time", out);
	draw_time(page, "requested_bytes", "Requested bytes over time", out);
	for (size_t i = 0; i < at_most(json_length(arms_of(page)), MOST_ARMS); i++)
		draw_sizes(json_at(arms_of(page), i), out);
	section_close(out);
}
