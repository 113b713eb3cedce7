/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_layout.c - the layout of a zone for a terminal. The characters alone tell used from free;
 * colour only repeats them.
 */
#include "zone_draw.h"

#include "text.h"
#include "xalloc.h"

#include <inttypes.h>

#define MOST_PAGE_LINES 64
#define MOST_GRID_LINES 32
#define LABEL_COLUMNS 36 /* of a page's line: what is beside its cells */

struct ink {
	const char *used, *free, *part;
};

static struct ink choose_ink(void)
{
	const char *locale = getenv("LC_ALL");

	if (!locale || !*locale)
		locale = getenv("LC_CTYPE");
	if (!locale || !*locale)
		locale = getenv("LANG");
	if (locale && (strcasestr(locale, "utf-8") || strcasestr(locale, "utf8")))
		return (struct ink){"█", "·", "▒"};
	return (struct ink){"#", ".", "+"};
}

/* One cell; colour is switched only where it changes. */
static void put_cell(const struct ink *ink, uint64_t used, uint64_t bytes, const char **color, FILE *out)
{
	const char *cell = used == 0 ? ink->free : used >= bytes ? ink->used : ink->part;
	const char *wanted = used == 0 ? text_green() : used >= bytes ? text_red() : text_yellow();

	if (wanted != *color)
		fputs(wanted, out);
	*color = wanted;
	fputs(cell, out);
}

static void legend(const struct ink *ink, const char *cell, FILE *out)
{
	fprintf(out, "  %s%s%s used  %s%s%s free  %s%s%s partly used   %s\n", text_red(), ink->used,
		text_reset(), text_green(), ink->free, text_reset(), text_yellow(), ink->part, text_reset(),
		cell);
}

/* Used bytes of the [from, to) part of an item's page. */
static uint64_t used_between(const struct zone_cursor *item, uint64_t from, uint64_t to)
{
	uint64_t used = 0;

	if (item->kind != ZONE_ITEM_CHUNKS)
		return item->kind == ZONE_ITEM_FREE ? 0 : to - from;
	for (uint64_t i = from / item->chunk_size; i * item->chunk_size < to; i++) {
		const uint64_t low = i * item->chunk_size < from ? from : i * item->chunk_size;
		const uint64_t end = (i + 1) * item->chunk_size, high = end > to ? to : end;
		used += zone_chunk_used(item, i) ? high - low : 0;
	}
	return used;
}

/* One item, one line: `3-5   free      ........  3 pages`. */
static void page_line(const struct zone_head *head, const struct zone_cursor *item, unsigned cells,
	const struct ink *ink, FILE *out)
{
	const uint64_t page = zone_page_size(head), a_cell = page / cells;
	const char *color = NULL;
	char range[48], what[32];

	if (item->pages > 1)
		snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, item->page,
			item->page + item->pages - 1);
	else
		snprintf(range, sizeof(range), "%" PRIu64, item->page);
	if (item->kind == ZONE_ITEM_CHUNKS)
		snprintf(what, sizeof(what), "%" PRIu64 " B", item->chunk_size);
	else
		snprintf(what, sizeof(what), "%s",
			item->kind == ZONE_ITEM_FREE  ? "free"
			: item->kind == ZONE_ITEM_RUN ? "pages"
						      : "unclear");

	fprintf(out, "  %5s  %-7s  ", range, what);
	for (unsigned i = 0; i < cells && item->kind == ZONE_ITEM_TORN; i++)
		fputc('?', out);
	for (unsigned i = 0; i < cells && item->kind != ZONE_ITEM_TORN; i++)
		put_cell(ink, used_between(item, i * a_cell, (i + 1) * a_cell), a_cell, &color, out);
	fputs(text_reset(), out);
	if (item->kind == ZONE_ITEM_CHUNKS)
		fprintf(out, "  %" PRIu64 " of %u used\n", zone_item_used(head, item) / item->chunk_size,
			item->chunks);
	else
		fprintf(out, "  %" PRIu64 " page%s\n", item->pages, item->pages == 1 ? "" : "s");
}

static unsigned power_of_two_below(unsigned n)
{
	unsigned power = 8;

	while (power * 2 <= n && power < 512)
		power *= 2;
	return power;
}

static void draw_pages(const struct zone_copy *copy, int width, const struct ink *ink, FILE *out)
{
	const unsigned cells = power_of_two_below(width > LABEL_COLUMNS ? width - LABEL_COLUMNS : 8);
	struct zone_cursor item = {0};
	char cell[64];

	snprintf(cell, sizeof(cell), "a line is a page, a cell %" PRIu64 " bytes",
		zone_page_size(&copy->head) / cells);
	legend(ink, cell, out);
	fprintf(out, "%s  %5s  %s%s\n", text_bold(), "page", "slot", text_reset());
	while (zone_next(copy, &item))
		page_line(&copy->head, &item, cells, ink, out);
}

/* Used bytes of each cell of `per_cell` pages. */
static uint64_t *cell_bytes(const struct zone_copy *copy, uint64_t per_cell, uint64_t cells)
{
	uint64_t *used = xcalloc(cells, sizeof(*used));
	struct zone_cursor item = {0};

	while (zone_next(copy, &item)) {
		const uint64_t a_page = zone_item_used(&copy->head, &item) / item.pages;
		for (uint64_t i = 0; i < item.pages; i++)
			used[(item.page + i) / per_cell] += a_page;
	}
	return used;
}

static void draw_grid(const struct zone_copy *copy, int width, const struct ink *ink, FILE *out)
{
	const uint64_t pages = copy->head.page_count,
		       columns = power_of_two_below(width > 24 ? width - 14 : 8);
	const uint64_t per_cell = (pages + columns * MOST_GRID_LINES - 1) / (columns * MOST_GRID_LINES);
	const uint64_t cells = (pages + per_cell - 1) / per_cell, page = zone_page_size(&copy->head);
	uint64_t *used = cell_bytes(copy, per_cell, cells);
	char cell[64];

	snprintf(cell, sizeof(cell), "a cell is %" PRIu64 " page%s of %" PRIu64 " bytes", per_cell,
		per_cell == 1 ? "" : "s", page);
	legend(ink, cell, out);
	fprintf(out, "%s  %9s%s\n", text_bold(), "page", text_reset());
	for (uint64_t i = 0; i < cells; i += columns) {
		const char *color = NULL;
		fprintf(out, "  %9" PRIu64 "  ", i * per_cell);
		for (uint64_t j = i; j < i + columns && j < cells; j++) {
			const uint64_t left = pages - j * per_cell;
			put_cell(ink, used[j], (left < per_cell ? left : per_cell) * page, &color, out);
		}
		fprintf(out, "%s\n", text_reset());
	}
	free(used);
}

void zone_draw_text(const struct zone *zone, int width, FILE *out)
{
	const struct ink ink = choose_ink();

	if (zone->copy.head.page_count <= MOST_PAGE_LINES)
		draw_pages(&zone->copy, width, &ink, out);
	else
		draw_grid(&zone->copy, width, &ink, out);
}
