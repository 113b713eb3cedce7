/* SPDX-License-Identifier: BSD-2-Clause */
/* page_time.c - what `heapray growth` knows: the time line, and the places that grow. */
#include "page.h"

#include "markup.h"
#include "svg.h"
#include "text.h"
#include "xalloc.h"

#include <inttypes.h>

#define MOST_LINES 14
#define MOST_MARKS 40
#define MOST_FINDINGS 50
#define MOST_FRAMES 12

/* An array of bytes; null is unknown. The result is the caller's. */
static uint64_t *values_of(const struct json *array, size_t points)
{
	uint64_t *values = xcalloc(points, sizeof(*values));

	for (size_t i = 0; i < points; i++) {
		const struct json *value = json_at(array, i);
		values[i] = json_is_unknown(value) ? UINT64_MAX : text_whole(json_to_real(value));
	}
	return values;
}

static bool has_any(const uint64_t *values, size_t points)
{
	for (size_t i = 0; i < points; i++) {
		if (values[i] != UINT64_MAX && values[i] > 0)
			return true;
	}
	return false;
}

static size_t add_line(struct svg_line *lines, size_t count, const char *label, const char *css, const struct json *array, size_t points)
{
	uint64_t *values = count < MOST_LINES && json_length(array) >= points ? values_of(array, points) : NULL;

	if (!values || !has_any(values, points)) {
		free(values);
		return count;
	}
	lines[count] = (struct svg_line){label, css, values};
	return count + 1;
}

static size_t marks_of(const struct json *timeline, struct svg_mark *marks)
{
	const struct json *list = json_get(timeline, "marks");
	size_t count = 0;

	for (; count < at_most(json_length(list), MOST_MARKS); count++)
		marks[count] = (struct svg_mark){json_to_real(json_get(json_at(list, count), "seconds")), json_to_string(json_get(json_at(list, count), "name"))};
	return count;
}

bool picture_timeline(const struct page *page, FILE *out, bool alone)
{
	const struct json *timeline = json_get(page->growth, "timeline"), *domains = json_get(timeline, "domains"), *array;
	const size_t points = json_length(json_get(timeline, "seconds"));
	struct svg_line lines[MOST_LINES];
	struct svg_mark marks[MOST_MARKS];
	const char *name;
	size_t count;

	if (points < 2)
		return false;
	double *seconds = xcalloc(points, sizeof(*seconds));
	for (size_t i = 0; i < points; i++)
		seconds[i] = json_to_real(json_at(json_get(timeline, "seconds"), i));
	count = add_line(lines, 0, "resident", "t-resident", json_get(timeline, "resident_bytes"), points);
	count = add_line(lines, count, "held by the allocator", "t-held", json_get(timeline, "held_bytes"), points);
	for (size_t i = 0; (name = json_member(domains, i, &array)); i++)
		count = add_line(lines, count, name, page_color(i), array, points);
	svg_lines(out, alone, "Memory over time", seconds, points, lines, count, marks, marks_of(timeline, marks));
	for (size_t i = 0; i < count; i++)
		free((void *)lines[i].values);
	free(seconds);
	return true;
}

void section_time(const struct page *page, FILE *out)
{
	if (json_length(json_get(json_get(page->growth, "timeline"), "seconds")) < 2)
		return;
	section_open(out, "time", "Over time", "Live bytes of each heap, and what the process has of the system.");
	fputs("<div class=\"card\">\n", out);
	picture_timeline(page, out, false);
	fputs("</div>\n", out);
	section_close(out);
}

/* ---- findings -------------------------------------------------------------------------------- */

/* "function file:line [module]", all of it hostile. */
static void frame(const struct json *f, FILE *out)
{
	const char *function = json_to_string(json_get(f, "function")), *file = json_to_string(json_get(f, "file")), *module = json_to_string(json_get(f, "module"));
	const char *slash = strrchr(module, '/');

	fputs("<li><code>", out);
	if (*function)
		markup_short(out, function, 200);
	else if (*file)
		markup_short(out, file, 200);
	else
		fprintf(out, "0x%" PRIx64, (uint64_t)json_to_integer(json_get(f, "offset")));
	fputs("</code> <span class=\"soft\">", out);
	if (*file) {
		markup_short(out, file, 120);
		if (!json_is_unknown(json_get(f, "line")))
			fprintf(out, ":%" PRId64, json_to_integer(json_get(f, "line")));
	} else {
		markup_short(out, slash ? slash + 1 : module, 60);
	}
	fputs("</span>\n", out);
}

static void finding(const struct json *f, size_t index, FILE *out)
{
	const struct json *frames = json_get(f, "frames");
	const double slope = json_to_real(json_get(f, "bytes_per_second"));
	char *place = xasprintf("growth .findings[%zu]", index);

	fprintf(out, "<article class=\"card finding\"><h3>%s a second in ", text_bytes(text_whole(slope)));
	markup_text(out, json_to_string(json_get(f, "domain")));
	fprintf(out, "</h3>\n<p class=\"soft\">between %s and %s a second with 95&#8239;%% confidence; ",
		text_bytes(text_whole(json_to_real(json_get(f, "low")))),
		text_bytes(text_whole(json_to_real(json_get(f, "high")))));
	markup_bytes(out, f, place, "live_bytes");
	fputs(" live.</p>\n<ol class=\"frames\">\n", out);
	for (size_t i = 0; i < at_most(json_length(frames), MOST_FRAMES); i++)
		frame(json_at(frames, i), out);
	fputs("</ol>\n</article>\n", out);
	free(place);
}

void section_findings(const struct page *page, FILE *out)
{
	const struct json *findings = json_get(page->growth, "findings");
	const char *verdict = json_to_string(json_get(page->growth, "verdict"));

	if (!page->growth)
		return;
	section_open(out, "findings", "What grows", NULL);
	if (*verdict) {
		fprintf(out, "<p class=\"verdict %s\">", json_length(findings) ? "bad" : strncmp(verdict, "too little", 10) == 0 ? "" : "good");
		markup_text(out, verdict);
		fputs("</p>\n", out);
	}
	for (size_t i = 0; i < at_most(json_length(findings), MOST_FINDINGS); i++)
		finding(json_at(findings, i), i, out);
	section_close(out);
}
