/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page_blocks.c - the blocks themselves: how large, how old, and where they lie.
 *
 * The heap map is two layers of the same cells: by owner and by age. A cell is as strong in colour as it is full;
 * what is resident and holds nothing is grey, what is not in memory is blank.
 */
#include "page.h"

#include "heap_map.h"
#include "markup.h"
#include "svg.h"
#include "text.h"
#include "xalloc.h"

#include <inttypes.h>

#define LEVELS 3 /* of how full a cell is */
#define ROW_HEIGHT 9.0
#define MOST_ROWS 64
#define MOST_CELLS 16384
#define MOST_MAPS 8

static uint64_t bytes_of(const struct json *object, const char *key)
{
	const int64_t value = json_to_integer(json_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

/* ---- sizes and ages ---------------------------------------------------------------------------- */

bool picture_sizes(const struct page *page, FILE *out, bool alone)
{
	const struct json *sizes = json_get(page->heap, "sizes");
	const size_t count = at_most(json_length(sizes), MOST_ROWS);
	struct svg_bar bars[MOST_ROWS];
	struct svg_part parts[MOST_ROWS];
	char *labels[MOST_ROWS], *values[MOST_ROWS];

	if (count == 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct json *size = json_at(sizes, i);
		labels[i] = xasprintf("up to %s", text_bytes(bytes_of(size, "to_bytes")));
		values[i] = xasprintf("%s in %s", text_bytes(bytes_of(size, "bytes")), text_count(bytes_of(size, "count")));
		parts[i] = (struct svg_part){labels[i], "p0", bytes_of(size, "bytes")};
		bars[i] = (struct svg_bar){labels[i], values[i], &parts[i], 1};
	}
	svg_bars(out, alone, "Live bytes by the size of their blocks", false, bars, count);
	for (size_t i = 0; i < count; i++) {
		free(labels[i]);
		free(values[i]);
	}
	return true;
}

/* The bounds are round: "10 s", "6 h". */
static char *age_label(const struct json *age)
{
	const bool last = json_is_unknown(json_get(age, "to_seconds"));
	const uint64_t seconds = bytes_of(age, last ? "from_seconds" : "to_seconds");
	const unsigned unit = seconds % 86400 == 0 ? 86400 : seconds % 3600 == 0 ? 3600 : seconds % 60 == 0 ? 60 : 1;

	return xasprintf("%s %" PRIu64 " %s", last ? "over" : "under", seconds / unit, unit == 86400 ? "d" : unit == 3600 ? "h" : unit == 60 ? "min" : "s");
}

bool picture_ages(const struct page *page, FILE *out, bool alone)
{
	const struct json *ages = json_get(page->heap, "ages"), *owners = json_get(page->heap, "owners");
	const size_t count = at_most(json_length(ages), HEAP_AGES), by = at_most(json_length(owners), HEAP_OWNERS);
	struct svg_bar bars[HEAP_AGES];
	struct svg_part parts[HEAP_AGES][HEAP_OWNERS];
	char *labels[HEAP_AGES], *values[HEAP_AGES];

	if (count == 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct json *age = json_at(ages, i);
		labels[i] = age_label(age);
		values[i] = xasprintf("%s in %s", text_bytes(bytes_of(age, "bytes")), text_count(bytes_of(age, "count")));
		for (size_t k = 0; k < by; k++) {
			const int64_t value = json_to_integer(json_at(json_get(age, "owners"), k));
			parts[i][k] = (struct svg_part){json_to_string(json_get(json_at(owners, k), "name")), k + 1 == by ? "p9" : page_color(k),
				value > 0 ? (uint64_t)value : 0};
		}
		bars[i] = (struct svg_bar){labels[i], values[i], parts[i], by};
	}
	svg_bars(out, alone, "Survivors by age, in the colours of their owners", false, bars, count);
	for (size_t i = 0; i < count; i++) {
		free(labels[i]);
		free(values[i]);
	}
	return true;
}

static void owners_table(const struct page *page, FILE *out)
{
	const struct json *owners = json_get(page->heap, "owners");
	const size_t count = at_most(json_length(owners), HEAP_OWNERS);

	fputs("<table class=\"figures\"><thead><tr><th>Owner<th class=\"n\">live<th class=\"n\">blocks</thead><tbody>\n", out);
	for (size_t i = 0; i < count; i++) {
		const struct json *owner = json_at(owners, i);
		char *place = xasprintf("heap .owners[%zu]", i);
		fprintf(out, "<tr><th><i class=\"key %s\"></i>", i + 1 == count ? "p9" : page_color(i));
		markup_short(out, json_to_string(json_get(owner, "name")), 80);
		fputs("<td class=\"n\">", out);
		markup_bytes(out, owner, place, "bytes");
		fputs("<td class=\"n\">", out);
		markup_count(out, owner, place, "count");
		fputc('\n', out);
		free(place);
	}
	fputs("</tbody></table>\n", out);
}

/* ---- the map ----------------------------------------------------------------------------------- */

#define EMPTY 0 /* resident, no block */
#define FIRST_COLOR 1

static const char *const age_css[HEAP_AGES] = {"a0", "a1", "a2", "a3", "a4", "a5", "a6"};

static size_t age_of(const struct json *heap, int64_t seconds)
{
	const struct json *ages = json_get(heap, "ages");
	size_t i = at_most(json_length(ages), HEAP_AGES);

	while (i > 1 && seconds < json_to_integer(json_get(json_at(ages, i - 1), "from_seconds")))
		i--;
	return i ? i - 1 : 0;
}

/* The class of each cell: a colour and how full it is. */
static uint32_t *classes_of(const struct json *heap, const struct json *map, bool by_age, size_t *count)
{
	const struct json *cells = json_get(map, "cells"), *used = json_get(cells, "used"), *resident = json_get(cells, "resident");
	const uint64_t cell = bytes_of(map, "cell_bytes");
	uint32_t *classes;

	*count = at_most(json_length(used), MOST_CELLS); /* a snapshot may say anything */
	classes = xcalloc(*count, sizeof(*classes));
	for (size_t i = 0; i < *count; i++) {
		const uint64_t bytes = (uint64_t)json_to_integer(json_at(used, i));
		const bool there = json_is_unknown(resident) || json_to_integer(json_at(resident, i)) > 0;
		const size_t level = cell && bytes < cell ? (size_t)(bytes * LEVELS / cell) : LEVELS - 1;
		size_t color = (size_t)json_to_integer(json_at(json_get(cells, "owner"), i));
		if (by_age)
			color = age_of(heap, json_to_integer(json_at(json_get(cells, "age_seconds"), i)));
		if (color >= HEAP_OWNERS)
			color = HEAP_OWNERS - 1;
		classes[i] = bytes ? FIRST_COLOR + (uint32_t)(color * LEVELS + level) : there ? EMPTY : UINT32_MAX;
	}
	return classes;
}

static void draw_layer(const struct json *heap, const struct json *map, bool by_age, FILE *out)
{
	const size_t owners = at_most(json_length(json_get(heap, "owners")), HEAP_OWNERS);
	char *css[FIRST_COLOR + HEAP_OWNERS * LEVELS];
	size_t count, used = FIRST_COLOR;
	uint32_t *classes = classes_of(heap, map, by_age, &count);

	css[EMPTY] = xstrdup("h-empty");
	for (size_t color = 0; color < (by_age ? HEAP_AGES : HEAP_OWNERS); color++) {
		for (size_t level = 0; level < LEVELS; level++)
			css[used++] = xasprintf("%s l%zu", by_age ? age_css[color] : color + 1 >= owners ? "p9" : page_color(color), level);
	}
	svg_cells(out, classes, count, HEAP_COLUMNS, (const char *const *)css, used, ROW_HEIGHT);
	for (size_t i = 0; i < used; i++)
		free(css[i]);
	free(classes);
}

static double rows_of(const struct json *map)
{
	return (double)((at_most(json_length(json_get(json_get(map, "cells"), "used")), MOST_CELLS) + HEAP_COLUMNS - 1) / HEAP_COLUMNS);
}

/* The map of the process with the largest heap, by owner. */
bool picture_heap(const struct page *page, FILE *out, bool alone)
{
	const struct json *maps = json_get(page->heap, "maps"), *best = NULL;

	for (size_t i = 0; i < json_length(maps); i++) {
		if (!best || bytes_of(json_at(maps, i), "span_bytes") > bytes_of(best, "span_bytes"))
			best = json_at(maps, i);
	}
	if (!best)
		return false;
	char *name = xasprintf("The heap of %s %" PRId64 " in the order of its addresses, blocks by owner", json_to_string(json_get(best, "role")),
		json_to_integer(json_get(best, "pid")));
	const struct json *owners = json_get(page->heap, "owners");
	const size_t count = at_most(json_length(owners), HEAP_OWNERS);
	struct svg_part keys[HEAP_OWNERS];
	for (size_t i = 0; i < count; i++)
		keys[i] = (struct svg_part){json_to_string(json_get(json_at(owners, i), "name")), i + 1 == count ? "p9" : page_color(i), 0};
	svg_open(out, alone, name, ROW_HEIGHT * rows_of(best) + 12 + SVG_KEY_HEIGHT(count));
	draw_layer(page->heap, best, false, out);
	svg_key(out, ROW_HEIGHT * rows_of(best) + 12, keys, count);
	svg_close(out, alone);
	free(name);
	return true;
}

static void pins_table(const struct json *map, size_t index, FILE *out)
{
	const struct json *pins = json_get(map, "pins");

	if (json_length(pins) == 0)
		return;
	fputs("<table class=\"figures\"><thead><tr><th>Who keeps pages that are nearly empty<th class=\"n\">pages<th class=\"n\">free in them"
	      "<th class=\"n wide\">by blocks of</thead><tbody>\n", out);
	for (size_t i = 0; i < json_length(pins); i++) {
		const struct json *pin = json_at(pins, i);
		char *place = xasprintf("heap .maps[%zu].pins[%zu]", index, i);
		fputs("<tr><th>", out);
		markup_short(out, json_to_string(json_get(pin, "owner")), 80);
		fputs("<td class=\"n\">", out);
		markup_count(out, pin, place, "pages");
		fputs("<td class=\"n\">", out);
		markup_bytes(out, pin, place, "free_bytes");
		fputs("<td class=\"n wide\">", out);
		markup_bytes(out, pin, place, "bytes");
		fputc('\n', out);
		free(place);
	}
	fputs("</tbody></table>\n", out);
}

static void draw_map(const struct page *page, const struct json *map, size_t index, FILE *out)
{
	char *place = xasprintf("heap .maps[%zu]", index);

	fputs("<div class=\"card heap\"><h4>", out);
	markup_text(out, json_to_string(json_get(map, "role")));
	fprintf(out, " %" PRId64 "</h4>\n<p class=\"soft\">", json_to_integer(json_get(map, "pid")));
	markup_bytes(out, map, place, "used_bytes");
	fputs(" in ", out);
	markup_count(out, map, place, "blocks");
	fputs(" blocks, in ", out);
	markup_bytes(out, map, place, "span_bytes");
	fputs(" of address space; ", out);
	markup_count(out, map, place, "pages_sparse");
	fputs(" of ", out);
	markup_count(out, map, place, "pages_used");
	fputs(" pages in use are filled by less than a quarter, with ", out);
	markup_bytes(out, map, place, "sparse_free_bytes");
	fprintf(out, " free in them. A cell is %s.</p>\n<div class=\"layer by-owner\">", text_bytes(bytes_of(map, "cell_bytes")));
	draw_layer(page->heap, map, false, out);
	fputs("</div>\n<div class=\"layer by-age\">", out);
	draw_layer(page->heap, map, true, out);
	fputs("</div>\n", out);
	pins_table(map, index, out);
	fputs("</div>\n", out);
	free(place);
}

static void age_legend(const struct page *page, FILE *out)
{
	const struct json *ages = json_get(page->heap, "ages");

	fputs("<p class=\"legend by-age\">", out);
	for (size_t i = 0; i < at_most(json_length(ages), HEAP_AGES); i++) {
		char *label = age_label(json_at(ages, i));
		fprintf(out, "<span><i class=\"key %s\"></i>%s</span> ", age_css[i], label);
		free(label);
	}
	fputs("</p>\n", out);
}

void section_blocks(const struct page *page, FILE *out)
{
	const struct json *maps = json_get(page->heap, "maps");

	if (!page->heap)
		return;
	section_open(out, "blocks", "The blocks", "Live blocks of malloc and direct mmaps, by their requested size, by their age, and where they lie.");
	fputs("<div class=\"pair\">\n<div class=\"card\"><h3>By size</h3>\n", out);
	picture_sizes(page, out, false);
	fputs("</div>\n<div class=\"card\"><h3>Survivors by age</h3>\n", out);
	picture_ages(page, out, false);
	owners_table(page, out);
	fputs("</div>\n</div>\n", out);
	if (json_length(maps) > 0) {
		fputs("<h3>The heap, in the order of its addresses</h3>\n<fieldset class=\"layers\" id=\"layers\"><legend>Colours are</legend>"
		      "<label><input type=\"radio\" name=\"layer\" value=\"owner\" checked> owners, as above</label> "
		      "<label><input type=\"radio\" name=\"layer\" value=\"age\"> ages</label></fieldset>\n", out);
		age_legend(page, out);
		fputs("<p class=\"legend\"><span><i class=\"key h-empty\"></i>in memory, free</span> <span><i class=\"key h-gone\"></i>not in memory</span> "
		      "<span>stronger: fuller</span></p>\n", out);
	}
	for (size_t i = 0; i < at_most(json_length(maps), MOST_MAPS); i++)
		draw_map(page, json_at(maps, i), i, out);
	section_close(out);
}
