/* SPDX-License-Identifier: BSD-2-Clause */
/* page_diff.c - what changed between two snapshots, as `heapray diff --json` has it. */
#include "page.h"

#include "markup.h"
#include "text.h"
#include "xalloc.h"

#include <inttypes.h>

#define MOST_CHANGES 200 /* of each kind */

static const struct {
	const char *what, *heading;
} kinds[] = {
	{"stack", "By call path, live bytes"},
	{"lua", "By Lua line, live bytes"},
	{"component", "By component, resident bytes"},
	{"zone", "By zone, used bytes"},
};

static const char *word_of(const struct json *change)
{
	const int64_t before = json_to_integer(json_get(change, "before_bytes")), after = json_to_integer(json_get(change, "after_bytes"));

	return before == 0 ? "new" : after == 0 ? "gone" : after > before ? "grown" : "shrunk";
}

/* The innermost frame; the others fold out. */
static void name_of(const struct json *change, FILE *out)
{
	const struct json *frames = json_get(change, "frames");
	const size_t count = json_length(frames);

	if (json_is_unknown(frames)) {
		markup_text(out, json_to_string(json_get(change, "name")));
		return;
	}
	fputs(count > 1 ? "<details><summary>" : "", out);
	for (size_t i = 0; i < count; i++) {
		const struct json *f = json_at(frames, i);
		const char *function = json_to_string(json_get(f, "function")), *file = json_to_string(json_get(f, "file"));
		fputs(i > 1 ? "<br><code>" : "<code>", out);
		markup_short(out, *function ? function : *file ? file : "?", 160);
		fputs("</code>", out);
		if (*file) {
			fputs(" <span class=\"soft\">", out);
			markup_short(out, file, 100);
			if (!json_is_unknown(json_get(f, "line")))
				fprintf(out, ":%" PRId64, json_to_integer(json_get(f, "line")));
			fputs("</span>", out);
		}
		if (i == 0 && count > 1)
			fputs("</summary>", out);
	}
	fputs(count > 1 ? "</details>" : "", out);
}

static void table(const struct json *changes, const char *what, const char *heading, FILE *out)
{
	size_t shown = 0, more = 0;

	for (size_t i = 0; i < json_length(changes); i++) {
		const struct json *change = json_at(changes, i);
		if (strcmp(json_to_string(json_get(change, "what")), what) != 0)
			continue;
		if (shown == MOST_CHANGES) {
			more++;
			continue;
		}
		if (shown++ == 0)
			fprintf(out, "<h3>%s</h3>\n<div class=\"scroll\"><table class=\"figures\"><thead><tr><th>Where<th>What<th class=\"n\">change<th class=\"n\">before<th class=\"n\">after</thead><tbody>\n", heading);
		char *place = xasprintf("diff .changes[%zu]", i);
		fputs("<tr><th>", out);
		name_of(change, out);
		fprintf(out, "<td>%s<td class=\"n %s\">", word_of(change), json_to_integer(json_get(change, "delta_bytes")) > 0 ? "up" : "down");
		markup_bytes(out, change, place, "delta_bytes");
		fputs("<td class=\"n\">", out);
		markup_bytes(out, change, place, "before_bytes");
		fputs("<td class=\"n\">", out);
		markup_bytes(out, change, place, "after_bytes");
		fputc('\n', out);
		free(place);
	}
	fputs(shown ? "</tbody></table></div>\n" : "", out);
	if (more)
		fprintf(out, "<p class=\"soft\">%s more; <code>heapray diff --json</code> has all.</p>\n", text_count(more));
}

void section_diff(const struct page *page, FILE *out)
{
	const struct json *changes = json_get(page->diff, "changes"), *total = json_get(page->diff, "total");

	if (!page->diff)
		return;
	section_open(out, "diff", "What changed", NULL);
	fputs("<p>Live bytes: ", out);
	markup_bytes(out, total, "diff .total", "before_bytes");
	fputs(" before, ", out);
	markup_bytes(out, total, "diff .total", "after_bytes");
	fputs(" after: a change of ", out);
	markup_bytes(out, total, "diff .total", "live_bytes");
	fputs(".</p>\n", out);
	if (json_length(changes) == 0)
		fputs("<p class=\"verdict good\">Nothing changed.</p>\n", out);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		table(changes, kinds[i].what, kinds[i].heading, out);
	section_close(out);
}
