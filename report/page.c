/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page.c - the frame of the page: one file that needs nothing else and asks the network for nothing.
 *
 * Its policy allows the one style sheet and the one script that are in it, by their hashes, and nothing more: were
 * a name from outside ever to become markup, it could neither load nor run anything.
 */
#include "page.h"

#include "markup.h"
#include "page_assets.h"
#include "sha256.h"
#include "svg.h"
#include "text.h"
#include "xalloc.h"

#include <inttypes.h>

static const struct {
	const char *name;
	bool (*draw)(const struct page *page, FILE *out, bool alone);
} pictures[] = {
	{"system", picture_system}, {"application", picture_application}, {"family", picture_family}, {"waterfall", picture_waterfall},
	{"timeline", picture_timeline}, {"flame", picture_flame}, {"sizes", picture_sizes}, {"ages", picture_ages},
	{"heap", picture_heap}, {"compare", picture_compare},
};
const char page_picture_names[] = "system, application, family, waterfall, timeline, flame, sizes, ages, heap, compare";

int page_picture(const struct page *page, const char *name, FILE *out)
{
	for (size_t i = 0; i < sizeof(pictures) / sizeof(pictures[0]); i++) {
		if (strcmp(pictures[i].name, name) != 0)
			continue;
		if (pictures[i].draw(page, out, true))
			return 0;
		text_error("The page without --svg shows what there is.", "--svg=%s: there is nothing to draw", name);
		return -1;
	}
	text_error(NULL, "--svg: %s: no such picture; there are %s", text_safe(name, 40), page_picture_names);
	return -1;
}

/* ---- sections ------------------------------------------------------------------------------ */

const char *page_color(size_t index)
{
	static const char *const colors[] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"};

	return colors[index % 10];
}

void section_open(FILE *out, const char *id, const char *heading, const char *sentence)
{
	fprintf(out, "<section id=\"%s\" aria-labelledby=\"%s-heading\">\n<h2 id=\"%s-heading\">%s</h2>\n", id, id, id, heading);
	if (sentence)
		fprintf(out, "<p class=\"soft\">%s</p>\n", sentence);
}

void section_close(FILE *out)
{
	fputs("</section>\n", out);
}

static void lost_rows(const struct json *lost, FILE *out)
{
	const struct json *value;
	const char *reason;

	for (size_t i = 0; (reason = json_member(lost, i, &value)); i++) {
		fputs("<tr><th>lost: ", out);
		markup_text(out, reason);
		fprintf(out, "<td class=\"n\"><data value=\"%" PRId64 "\">%s</data>\n", json_to_integer(value), text_count((uint64_t)json_to_integer(value)));
	}
	if (json_length(lost) == 0 && !json_member(lost, 0, &value))
		fputs("<tr><th>lost<td class=\"n\">nothing\n", out);
}

void section_quality(const struct page *page, FILE *out)
{
	const struct json *q = page->quality, *notes = json_get(q, "approximate");

	if (!q)
		return;
	section_open(out, "quality", "Data quality", "What to know to judge the figures above.");
	fputs("<table class=\"figures\"><tbody>\n<tr><th>stacks sampled every<td class=\"n\">", out);
	if (json_is_unknown(json_get(q, "sampled_bytes")))
		fputs("not sampled: every allocation", out);
	else
		fputs(text_bytes((uint64_t)json_to_integer(json_get(q, "sampled_bytes"))), out);
	fputc('\n', out);
	lost_rows(json_get(q, "lost"), out);
	fprintf(out, "<tr><th>unknown frees<td class=\"n\">%s\n", text_count((uint64_t)json_to_integer(json_get(q, "unknown_frees"))));
	if (!json_is_unknown(json_get(q, "unwind_differences")))
		fprintf(out, "<tr><th>unwind differences<td class=\"n\">%s\n", text_count((uint64_t)json_to_integer(json_get(q, "unwind_differences"))));
	fprintf(out, "<tr><th>heapray's own memory<td class=\"n\">%s\n</tbody></table>\n", text_bytes((uint64_t)json_to_integer(json_get(q, "own_bytes"))));
	if (json_length(notes) > 0)
		fputs("<ul class=\"notes\">\n", out);
	for (size_t i = 0; i < json_length(notes); i++) {
		fputs("<li>", out);
		markup_text(out, json_to_string(json_at(notes, i)));
		fputc('\n', out);
	}
	fputs(json_length(notes) > 0 ? "</ul>\n" : "", out);
	section_close(out);
}

/* ---- the head ------------------------------------------------------------------------------ */

static void head(const struct page *page, FILE *out)
{
	char *style = xasprintf("%s%s", svg_style, page_style), of_style[SHA256_BASE64], of_script[SHA256_BASE64];

	sha256_base64(style, strlen(style), of_style);
	sha256_base64(page_script, strlen(page_script), of_script);
	fprintf(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; "
		"base-uri 'none'; form-action 'none'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>", of_style, of_script);
	markup_text(out, page->title);
	fprintf(out, " - heapray</title>\n<style>%s</style>\n</head>\n<body>\n", style);
	free(style);
}

static void navigation(const struct page *page, FILE *out)
{
	const struct {
		const char *id, *name;
		bool there;
	} links[] = {
		{"findings", "Findings", page->growth != NULL}, {"diff", "Changes", page->diff != NULL}, {"compare", "Allocators", page->compare != NULL},
		{"memory", "Memory", page->breakdown != NULL}, {"time", "Time", json_length(json_get(json_get(page->growth, "timeline"), "seconds")) > 1},
		{"stacks", "Stacks", page->model != NULL}, {"blocks", "Blocks", page->heap != NULL},
		{"zones", "Zones", json_length(page->zones) > 0}, {"quality", "Quality", page->quality != NULL},
	};

	fputs("<header>\n<div class=\"top\"><h1>", out);
	markup_text(out, page->title);
	fputs("</h1><button type=\"button\" id=\"theme\" hidden>Dark</button></div>\n<p class=\"about\">", out);
	markup_text(out, page->about);
	fputs("</p>\n<nav aria-label=\"Sections\">", out);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (links[i].there)
			fprintf(out, "<a href=\"#%s\">%s</a>", links[i].id, links[i].name);
	}
	fputs("</nav>\n</header>\n<main>\n", out);
}

static void tile(FILE *out, const char *what, const char *value, const char *more)
{
	fprintf(out, "<div class=\"tile\"><span>%s</span><b>%s</b><span>%s</span></div>\n", what, value, more);
}

/* The handful of figures one looks for first. */
static void tiles(const struct page *page, FILE *out)
{
	const char *path;
	char more[100];

	fputs("<div class=\"tiles\">\n", out);
	if (page->breakdown) {
		const struct json *system = json_get(page_ledger(page, &path), "system");
		snprintf(more, sizeof(more), "of %s virtual", text_bytes((uint64_t)json_to_integer(json_get(system, "virtual_bytes"))));
		tile(out, "Resident", text_bytes((uint64_t)json_to_integer(json_get(system, "resident_bytes"))), more);
	}
	if (page->model) {
		const struct figures *t = &page->model->total;
		snprintf(more, sizeof(more), "in %s blocks", text_count(t->live_count > 0 ? (uint64_t)t->live_count : 0));
		tile(out, "Live", text_bytes(t->live_bytes > 0 ? (uint64_t)t->live_bytes : 0), more);
		tile(out, "At the peak", text_bytes(t->peak_bytes), json_length(json_get(page->breakdown, "processes")) > 1 ? "sum of the processes" : "of live bytes");
		snprintf(more, sizeof(more), "in %s allocations", text_count(t->allocated_count));
		tile(out, "Allocated", text_bytes(t->allocated_bytes), more);
	}
	if (json_length(page->zones) > 0)
		tile(out, "Zones", text_count(json_length(page->zones)), "of shared memory");
	fputs("</div>\n", out);
}

void page_write(const struct page *page, FILE *out)
{
	head(page, out);
	navigation(page, out);
	if (page->breakdown || page->model)
		tiles(page, out);
	section_findings(page, out);
	section_diff(page, out);
	section_compare(page, out);
	section_memory(page, out);
	section_time(page, out);
	section_stacks(page, out);
	section_blocks(page, out);
	section_zones(page, out);
	section_quality(page, out);
	fprintf(out, "</main>\n<footer>heapray %s</footer>\n<script>%s</script>\n</body>\n</html>\n", HEAPRAY_VERSION, page_script);
}
