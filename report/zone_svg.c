/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_svg.c - the layout of a zone as a picture: rows of pages, red used, green free. Hovering tells
 * a cell's size and state. The file needs nothing beside it.
 *
 * A small zone has a cell for each slab. Past MOST_SLABS slabs or SLAB_PAGES pages a cell is a page,
 * past MOST_CELLS pages it is several, shaded from green to red by the bytes used.
 */
#include "zone_draw.h"

#include "text.h"
#include "zone_judge.h"

#include <inttypes.h>
#include <string.h>

#define MOST_SLABS 20000
#define SLAB_PAGES 512
#define MOST_CELLS 4096
#define LEFT 116.0 /* of the rows; their labels are beside them */
#define TOP 104.0
#define WIDE 1024.0 /* of a row */

#define RED "#e2574c"
#define BITMAP "#a8322a"
#define GREEN "#9bd8a4"
#define PAGE_GREEN "#5fba70"
#define GREY "#b9bec7"

struct picture {
	FILE *out;
	const struct zone_head *head;
	uint64_t columns;  /* cells of pages in a row */
	uint64_t per_cell; /* pages in a cell */
	double row, bar;   /* height of a row, and of what is drawn of it */
};

static void put_escaped(const char *text, FILE *out)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '<')
			fputs("&lt;", out);
		else if (*p == '>')
			fputs("&gt;", out);
		else if (*p == '&')
			fputs("&amp;", out);
		else if (*p == '"')
			fputs("&quot;", out);
		else
			/* A hostile name may be no valid UTF-8, which would make the file unreadable. */
			fputc(*p < 0x20 || *p >= 0x7f ? '?' : *p, out);
	}
}

/* The corner of a byte offset in the page area. */
static double x_of(const struct picture *p, uint64_t offset)
{
	const uint64_t row_bytes = p->columns * p->per_cell << p->head->page_shift;

	return LEFT + WIDE * (offset % row_bytes) / row_bytes;
}

static double y_of(const struct picture *p, uint64_t offset)
{
	const uint64_t row_bytes = p->columns * p->per_cell << p->head->page_shift;

	return TOP + p->row * (offset / row_bytes);
}

/* A bar over [offset, offset + bytes), in as many rows as it takes. */
static void put_bar(const struct picture *p, uint64_t offset, uint64_t bytes, const char *color)
{
	const uint64_t row_bytes = p->columns * p->per_cell << p->head->page_shift;
	const uint64_t end = offset + bytes;

	while (offset < end) {
		const uint64_t row_end = (offset / row_bytes + 1) * row_bytes,
			       stop = end < row_end ? end : row_end;
		const double width = WIDE * (stop - offset) / row_bytes;
		/* The line between cells would drown very narrow ones. */
		fprintf(p->out, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"%s\"%s/>",
			x_of(p, offset), y_of(p, offset), width, p->bar, color,
			width < 4 ? " stroke-width=\"0.25\"" : "");
		offset = stop;
	}
}

/* ---- a cell a slab ------------------------------------------------------------------------- */

static void put_chunks(const struct picture *p, const struct zone_cursor *item)
{
	const uint64_t at = item->page << p->head->page_shift;

	for (unsigned i = 0; i < item->chunks; i++) {
		const bool used = zone_chunk_used(item, i), own = i < item->own;
		fprintf(p->out, "<g><title>%" PRIu64 " bytes, %s, page %" PRIu64 "</title>", item->chunk_size,
			own    ? "used: the page's own bitmap"
			: used ? "used"
			       : "free",
			item->page);
		put_bar(p, at + i * item->chunk_size, item->chunk_size, own ? BITMAP : used ? RED : GREEN);
		fputs("</g>\n", p->out);
	}
}

static void put_item(const struct picture *p, const struct zone_cursor *item)
{
	const uint64_t page = zone_page_size(p->head), at = item->page * page;

	switch (item->kind) {
	case ZONE_ITEM_CHUNKS:
		put_chunks(p, item);
		return;
	case ZONE_ITEM_FREE:
		for (uint64_t i = 0; i < item->pages; i++) {
			fprintf(p->out,
				"<g><title>%" PRIu64 " bytes, free, page %" PRIu64 " of a run of %" PRIu64
				"</title>",
				page, item->page + i, item->pages);
			put_bar(p, at + i * page, page, PAGE_GREEN);
			fputs("</g>\n", p->out);
		}
		return;
	default:
		fprintf(p->out, "<g><title>%" PRIu64 " bytes, %s, from page %" PRIu64 "</title>",
			item->pages * page, item->kind == ZONE_ITEM_RUN ? "used" : "unclear", item->page);
		put_bar(p, at, item->pages * page, item->kind == ZONE_ITEM_RUN ? RED : GREY);
		fputs("</g>\n", p->out);
	}
}

static void put_slabs(const struct picture *p, const struct zone_copy *copy)
{
	struct zone_cursor item = {0};

	while (zone_next(copy, &item))
		put_item(p, &item);
}

/* ---- a cell a page or several -------------------------------------------------------------- */

static void put_shaded(const struct picture *p, uint64_t cell, uint64_t used)
{
	const uint64_t first = cell * p->per_cell, left = p->head->page_count - first;
	const uint64_t pages = left < p->per_cell ? left : p->per_cell, bytes = pages << p->head->page_shift;
	const double share = (double)used / bytes;
	char color[32];

	/* From PAGE_GREEN to RED. */
	snprintf(color, sizeof(color), "#%02x%02x%02x", (int)(0x5f + share * (0xe2 - 0x5f)),
		(int)(0xba + share * (0x57 - 0xba)), (int)(0x70 + share * (0x4c - 0x70)));
	if (pages == 1)
		fprintf(p->out, "<g><title>page %" PRIu64 ": %" PRIu64 " of %" PRIu64 " bytes used</title>",
			first, used, bytes);
	else
		fprintf(p->out,
			"<g><title>pages %" PRIu64 " to %" PRIu64 ": %" PRIu64 " of %" PRIu64
			" bytes used</title>",
			first, first + pages - 1, used, bytes);
	put_bar(p, first << p->head->page_shift, bytes, color);
	fputs("</g>\n", p->out);
}

static void put_cells(const struct picture *p, const struct zone_copy *copy)
{
	struct zone_cursor item = {0};
	uint64_t cell = 0, used = 0;

	while (zone_next(copy, &item)) {
		const uint64_t a_page = zone_item_used(p->head, &item) / item.pages;
		for (uint64_t page = item.page; page < item.page + item.pages; page++) {
			if (page / p->per_cell != cell) {
				put_shaded(p, cell, used);
				cell = page / p->per_cell;
				used = 0;
			}
			used += a_page;
		}
	}
	put_shaded(p, cell, used);
}

/* ---- around them --------------------------------------------------------------------------- */

static void put_legend(const struct picture *p, bool slabs)
{
	static const struct {
		const char *color, *text;
		bool slabs, cells;
	} entries[] = {
		{RED, "used", true, true},
		{BITMAP, "used by the page's own bitmap", true, false},
		{GREEN, "free chunk", true, false},
		{PAGE_GREEN, "free page", true, true},
		{"#a18a5f", "partly used", false, true},
	};
	double x = LEFT;

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		if (!(slabs ? entries[i].slabs : entries[i].cells))
			continue;
		fprintf(p->out,
			"<rect x=\"%.0f\" y=\"76\" width=\"12\" height=\"12\" rx=\"2\" fill=\"%s\"/>"
			"<text x=\"%.0f\" y=\"86\" class=\"small\">%s</text>\n",
			x, entries[i].color, x + 18, entries[i].text);
		x += 46 + 6.4 * strlen(entries[i].text);
	}
}

/* Beside each row: its first page, and where a row is one page, the slot it is cut for. */
static void put_labels(const struct picture *p, const struct zone_copy *copy)
{
	struct zone_cursor item = {0};

	while (zone_next(copy, &item)) {
		for (uint64_t page = item.page; page < item.page + item.pages; page++) {
			if (page % (p->columns * p->per_cell))
				continue;
			const double y = y_of(p, page << p->head->page_shift) + p->bar / 2 + 4;
			fprintf(p->out, "<text x=\"%.0f\" y=\"%.1f\" class=\"small\" text-anchor=\"end\">",
				LEFT - 10, y);
			if (p->columns * p->per_cell > 1 || item.kind != ZONE_ITEM_CHUNKS)
				fprintf(p->out, "page %" PRIu64 "</text>\n", page);
			else
				fprintf(p->out, "page %" PRIu64 " \302\267 %" PRIu64 " B</text>\n", page,
					item.chunk_size);
		}
	}
}

static void put_heading(const struct picture *p, const struct zone *zone, double height)
{
	char reason[ZONE_TEXT];
	const enum zone_state state = zone_judge(p->head, &zone->counts, reason);

	fprintf(p->out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f "
		"%.0f\" "
		"font-family=\"system-ui, -apple-system, 'DejaVu Sans', sans-serif\">\n"
		"<style>.small{font-size:11px;fill:#5b6472}.title{font-size:18px;font-weight:600;fill:#"
		"1f2733}"
		".sub{font-size:13px;fill:#3b4452}g:hover{opacity:.65}</style>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fbfcfd\"/>\n",
		LEFT + WIDE + 32, height, LEFT + WIDE + 32, height);
	fprintf(p->out, "<text x=\"%.0f\" y=\"34\" class=\"title\">", LEFT);
	put_escaped(zone->name.kind, p->out);
	fputs(" ", p->out);
	put_escaped(zone->name.name[0] ? zone->name.name : "(no name)", p->out);
	fprintf(p->out,
		"</text>\n<text x=\"%.0f\" y=\"58\" class=\"sub\">%s: %s \302\267 %s \302\267 %" PRIu64
		" slabs used, %" PRIu64 " free%s</text>\n",
		LEFT, zone_state_name(state), reason, text_bytes(zone->end - zone->start),
		zone->counts.used.count, zone->counts.free.count,
		zone->doubt[0] ? " \302\267 approximate" : "");
}

void zone_draw_svg(const struct zone *zone, FILE *out)
{
	const struct zone_head *head = &zone->copy.head;
	const bool slabs = zone->counts.used.count + zone->counts.free.count <= MOST_SLABS &&
			   head->page_count <= SLAB_PAGES;
	struct picture p = {.out = out, .head = head, .columns = 1, .per_cell = 1};

	if (!slabs)
		p.per_cell = (head->page_count + MOST_CELLS - 1) / MOST_CELLS;
	const uint64_t cells = (head->page_count + p.per_cell - 1) / p.per_cell;
	while (cells > 24 * p.columns && p.columns < 128)
		p.columns *= 2;
	const uint64_t rows = (cells + p.columns - 1) / p.columns;
	p.row = rows <= 12 ? 30 : rows <= 24 ? 24 : 14;
	p.bar = p.row - (p.row > 20 ? 6 : 3);

	put_heading(&p, zone, TOP + p.row * rows + 20);
	put_legend(&p, slabs);
	put_labels(&p, &zone->copy);
	fputs("<g stroke=\"#fbfcfd\" stroke-width=\"0.6\">\n", out);
	if (slabs)
		put_slabs(&p, &zone->copy);
	else
		put_cells(&p, &zone->copy);
	fputs("</g>\n</svg>\n", out);
}
