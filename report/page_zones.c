/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page_zones.c - a card for each zone: how full, its slabs in the order of their addresses, how many of each size are
 * used and free, and a box that says whether an allocation would fit.
 *
 * The layout is drawn from the zone itself, which a live process has; all else is `zones --json`.
 */
#include "page.h"

#include "markup.h"
#include "svg.h"
#include "text.h"
#include "xalloc.h"
#include "zone_find.h"

#include <inttypes.h>

#define COLUMNS 128
#define PAGE_ROWS 48    /* zones of at most so many pages have a row a page */
#define MOST_CELLS 2048 /* larger ones a cell a page or several */
#define MOST_SIZES 40
#define MOST_ZONES 64

enum cell { CELL_USED, CELL_OWN, CELL_PART, CELL_FREE, CELL_PAGE, CELL_TORN, CELL_SHADES };
#define SHADES 5 /* from free to used */
static const char *const css[] = {"z-used", "z-own", "z-part", "z-free", "z-page", "z-torn", "z0", "z1", "z2", "z3", "z4"};

static uint64_t bytes_of(const struct json *object, const char *key)
{
	const int64_t value = json_to_integer(json_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

/* ---- the layout ------------------------------------------------------------------------------ */

/* What [from, to) of a page of chunks is. */
static enum cell chunks_cell(const struct zone_cursor *item, uint64_t from, uint64_t to)
{
	bool used = false, free_one = false, own = false;

	for (uint64_t i = from / item->chunk_size; i * item->chunk_size < to && i < item->chunks; i++) {
		own |= i < item->own;
		used |= zone_chunk_used(item, (unsigned)i);
		free_one |= !zone_chunk_used(item, (unsigned)i);
	}
	return used && free_one ? CELL_PART : own ? CELL_OWN : used ? CELL_USED : CELL_FREE;
}

static void draw_rows(const struct zone *zone, FILE *out)
{
	const uint64_t pages = zone->copy.head.page_count, unit = zone_page_size(&zone->copy.head) / COLUMNS;
	uint32_t *cells = xcalloc(pages * COLUMNS, sizeof(*cells));
	struct zone_cursor item = {0};

	while (zone_next(&zone->copy, &item)) {
		for (uint64_t i = 0; i < item.pages * COLUMNS; i++) {
			uint32_t *cell = &cells[item.page * COLUMNS + i];
			*cell = item.kind == ZONE_ITEM_FREE ? CELL_PAGE :
				item.kind == ZONE_ITEM_RUN  ? CELL_USED :
				item.kind == ZONE_ITEM_TORN ? CELL_TORN :
							      chunks_cell(&item, i * unit, (i + 1) * unit);
		}
	}
	svg_cells(out, cells, pages * COLUMNS, COLUMNS, css, CELL_SHADES, pages > 24 ? 8 : 12);
	free(cells);
}

static void draw_pages(const struct zone *zone, FILE *out)
{
	const struct zone_head *head = &zone->copy.head;
	const uint64_t per_cell = (head->page_count + MOST_CELLS - 1) / MOST_CELLS, count = (head->page_count + per_cell - 1) / per_cell;
	uint64_t *used = xcalloc(count, sizeof(*used));
	uint32_t *cells = xcalloc(count, sizeof(*cells));
	struct zone_cursor item = {0};

	while (zone_next(&zone->copy, &item)) {
		for (uint64_t i = 0; i < item.pages; i++)
			used[(item.page + i) / per_cell] += zone_item_used(head, &item) / item.pages;
	}
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t left = head->page_count - i * per_cell, bytes = (left < per_cell ? left : per_cell) << head->page_shift;
		const uint64_t shade = (used[i] * (SHADES - 1) + bytes - 1) / bytes; /* a little used is not free */
		cells[i] = CELL_SHADES + (uint32_t)(shade < SHADES ? shade : SHADES - 1);
	}
	svg_cells(out, cells, count, COLUMNS, css, CELL_SHADES + SHADES, 12);
	free(cells);
	free(used);
}

static void draw_layout(const struct zone *zone, FILE *out)
{
	const struct zone_head *head = &zone->copy.head;

	if (head->page_count <= PAGE_ROWS) {
		fputs("<div class=\"layout\">", out);
		draw_rows(zone, out);
		fputs("</div><p class=\"legend\"><span><i class=\"key z-used\"></i>used</span> <span><i class=\"key z-own\"></i>a page's own bitmap</span> "
		      "<span><i class=\"key z-part\"></i>partly</span> <span><i class=\"key z-free\"></i>free chunk</span> "
		      "<span><i class=\"key z-page\"></i>free page</span> <span>a row is a page</span></p>\n", out);
		return;
	}
	fputs("<div class=\"layout\">", out);
	draw_pages(zone, out);
	fprintf(out, "</div><p class=\"legend\"><span><i class=\"key z0\"></i>free</span> <span><i class=\"key z2\"></i>half used</span> "
		"<span><i class=\"key z4\"></i>used</span> <span>a cell is %s</span></p>\n",
		text_bytes((head->page_count + MOST_CELLS - 1) / MOST_CELLS << head->page_shift));
}

/* ---- sizes ----------------------------------------------------------------------------------- */

struct size {
	uint64_t bytes, used, free;
};

static void add_sizes(const struct json *distribution, bool used, struct size *sizes, size_t *count)
{
	const struct json *of = json_get(distribution, "sizes"), *value;
	const char *key;

	for (size_t i = 0; (key = json_member(of, i, &value)); i++) {
		const uint64_t bytes = strtoull(key, NULL, 10), number = (uint64_t)json_to_integer(value);
		size_t at = 0;
		while (at < *count && sizes[at].bytes != bytes)
			at++;
		if (at == MOST_SIZES)
			continue;
		if (at == *count)
			sizes[(*count)++] = (struct size){.bytes = bytes};
		sizes[at].used += used ? number : 0;
		sizes[at].free += used ? 0 : number;
	}
}

static int by_bytes(const void *a, const void *b)
{
	const struct size *x = a, *y = b;

	return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static void draw_sizes(const struct json *zone, FILE *out)
{
	struct size sizes[MOST_SIZES];
	struct svg_bar bars[MOST_SIZES];
	struct svg_part parts[MOST_SIZES][2];
	char *labels[MOST_SIZES], *values[MOST_SIZES];
	size_t count = 0;

	add_sizes(json_get(zone, "used"), true, sizes, &count);
	add_sizes(json_get(zone, "free"), false, sizes, &count);
	if (count == 0)
		return;
	qsort(sizes, count, sizeof(*sizes), by_bytes);
	for (size_t i = 0; i < count; i++) {
		labels[i] = xstrdup(text_bytes(sizes[i].bytes));
		values[i] = xasprintf("%s + %s", text_count(sizes[i].used), text_count(sizes[i].free));
		parts[i][0] = (struct svg_part){"used", "z-used", sizes[i].used * sizes[i].bytes};
		parts[i][1] = (struct svg_part){"free", "z-free", sizes[i].free * sizes[i].bytes};
		bars[i] = (struct svg_bar){labels[i], values[i], parts[i], 2};
	}
	fputs("<h5>Slabs by size, used + free</h5>\n", out);
	svg_bars(out, false, "Bytes of used and of free slabs by their size", false, bars, count);
	for (size_t i = 0; i < count; i++) {
		free(labels[i]);
		free(values[i]);
	}
}

/* What page.js needs to answer as `zones --fit` does. */
static void fit_box(const struct json *zone, size_t index, FILE *out)
{
	const struct json *slots = json_get(zone, "slots"), *sizes = json_get(json_get(zone, "free"), "sizes"), *value;
	const char *key;

	if (json_is_unknown(sizes) || json_is_unknown(json_get(zone, "page_bytes")))
		return;
	fprintf(out, "<div class=\"fit\" data-page=\"%" PRIu64 "\" data-run=\"%" PRIu64 "\" data-pages=\"%" PRIu64 "\" data-least=\"%" PRIu64 "\" data-free=\"",
		bytes_of(zone, "page_bytes"), bytes_of(zone, "largest_free_run_pages"), bytes_of(zone, "pages_free"),
		json_length(slots) ? bytes_of(json_at(slots, 0), "size_bytes") : 8);
	for (size_t i = 0; (key = json_member(sizes, i, &value)); i++)
		fprintf(out, "%s%llu:%" PRId64, i ? " " : "", strtoull(key, NULL, 10), json_to_integer(value));
	fprintf(out, "\"><label for=\"fit-%zu\">Would an allocation fit?</label> <input id=\"fit-%zu\" type=\"number\" min=\"1\" placeholder=\"bytes\"> "
		"<output for=\"fit-%zu\"></output></div>\n", index, index, index);
}

/* ---- the card -------------------------------------------------------------------------------- */

static void figure(FILE *out, const char *label, const struct json *zone, const char *place, const char *key, bool bytes)
{
	fprintf(out, "<dt>%s<dd>", label);
	(bytes ? markup_bytes : markup_count)(out, zone, place, key);
	fputc('\n', out);
}

static void figures(const struct json *zone, size_t index, FILE *out)
{
	char *place = xasprintf("zones .zones[%zu]", index), *used = xasprintf("%s.used", place), *unused = xasprintf("%s.free", place);

	fputs("<dl>\n", out);
	figure(out, "size", zone, place, "size_bytes", true);
	figure(out, "in memory", zone, place, "resident_bytes", true);
	figure(out, "used slabs", json_get(zone, "used"), used, "bytes", true);
	figure(out, "free slabs", json_get(zone, "free"), unused, "bytes", true);
	figure(out, "pages", zone, place, "pages_total", false);
	figure(out, "free pages", zone, place, "pages_free", false);
	figure(out, "longest free run", zone, place, "largest_free_run_pages", false);
	figure(out, "refused", zone, place, "failures", false);
	fputs("</dl>\n", out);
	free(unused);
	free(used);
	free(place);
}

static void card(const struct page *page, size_t index, FILE *out)
{
	const struct json *zone = json_at(page->zones, index), *advice = json_get(zone, "advice");
	const char *name = json_to_string(json_get(zone, "name")), *state = json_to_string(json_get(zone, "state"));
	const bool good = strcmp(state, "fine") == 0;

	fputs("<article class=\"card zone\">\n<h3>", out);
	markup_text(out, *name ? name : "(no name)");
	fputs(" <small>", out);
	markup_text(out, json_to_string(json_get(zone, "kind")));
	if (json_to_integer(json_get(zone, "generation")) > 1)
		fprintf(out, ", generation %" PRId64, json_to_integer(json_get(zone, "generation")));
	fprintf(out, "</small> <span class=\"state %s\">", good ? "good" : *state ? "bad" : "unknown");
	markup_text(out, *state ? state : "not read");
	fputs("</span></h3>\n<p class=\"soft\">", out);
	markup_text(out, json_to_string(json_get(zone, "reason")));
	if (json_to_bool(json_get(zone, "approximate"))) {
		fputs(" Approximate: ", out);
		markup_text(out, json_to_string(json_get(zone, "approximate_why")));
	}
	fputs("</p>\n", out);
	if (page->layouts && index < page->layouts->length && page->layouts->zones[index].walked)
		draw_layout(&page->layouts->zones[index], out);
	figures(zone, index, out);
	draw_sizes(zone, out);
	fit_box(zone, index, out);
	for (size_t i = 0; i < json_length(advice); i++) {
		fputs("<p class=\"advice\">", out);
		markup_text(out, json_to_string(json_at(advice, i)));
		fputs("</p>\n", out);
	}
	fputs("</article>\n", out);
}

void section_zones(const struct page *page, FILE *out)
{
	const size_t count = json_length(page->zones);

	if (count == 0)
		return;
	section_open(out, "zones", "Shared-memory zones", "What nginx's workers share, slab by slab.");
	fputs("<div class=\"gallery\">\n", out);
	for (size_t i = 0; i < at_most(count, MOST_ZONES); i++)
		card(page, i, out);
	fputs("</div>\n", out);
	if (count > MOST_ZONES)
		fprintf(out, "<p>%zu more: <code>heapray zones</code> shows them all.</p>\n", count - MOST_ZONES);
	section_close(out);
}
