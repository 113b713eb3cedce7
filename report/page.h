/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page.h - the page of `heapray report`, and its pictures one by one.
 *
 * What is drawn is what the commands print as JSON, and stands in the page with its place there (data-json), so that
 * both are the same figures. A part of it that is NULL is left out of the page.
 *
 *   page.c          the frame: head, navigation, sections in order, style, script and policy
 *   page_memory.c   rings, the family side by side, the waterfall      of breakdown
 *   page_time.c     the time line and what grows                       of growth
 *   page_stacks.c   the stacks, packed, for page.js to draw            of the model
 *   page_blocks.c   sizes, ages, the heap map                          of heap_map
 *   page_zones.c    the zones                                          of zones
 *   page_others.c   the pages of `diff` and `compare`
 */
#ifndef HEAPRAY_PAGE_H
#define HEAPRAY_PAGE_H

#include "json.h"
#include "model.h"

#include <stdbool.h>
#include <stdio.h>

struct zone_set;

struct page {
	const char *title, *about; /* hostile text: the program; what is shown of it */
	const struct json *breakdown, *zones, *growth, *heap, *diff, *compare; /* as the commands print them */
	const struct zone_set *layouts;
	const struct json *quality;
	struct model *model;
	const int64_t *grown; /* by row of the model: live bytes gained while it was watched; NULL */
	uint64_t watched_ns, grown_ns;
};

/* Writes the page. */
void page_write(const struct page *page, FILE *out);

/* One picture as an SVG file. Returns 0, or -1 with the error printed: no such picture, or nothing to draw. */
int page_picture(const struct page *page, const char *name, FILE *out);
extern const char page_picture_names[]; /* "system, application, ..." */

/* The sections and pictures. A picture returns false, and draws nothing, when there is nothing to draw. */
bool picture_system(const struct page *page, FILE *out, bool alone);
bool picture_application(const struct page *page, FILE *out, bool alone);
bool picture_family(const struct page *page, FILE *out, bool alone);
bool picture_waterfall(const struct page *page, FILE *out, bool alone);
bool picture_timeline(const struct page *page, FILE *out, bool alone);
bool picture_flame(const struct page *page, FILE *out, bool alone);
bool picture_sizes(const struct page *page, FILE *out, bool alone);
bool picture_ages(const struct page *page, FILE *out, bool alone);
bool picture_heap(const struct page *page, FILE *out, bool alone);
bool picture_compare(const struct page *page, FILE *out, bool alone);

void section_memory(const struct page *page, FILE *out);
void section_time(const struct page *page, FILE *out);
void section_findings(const struct page *page, FILE *out);
void section_stacks(const struct page *page, FILE *out);
void section_blocks(const struct page *page, FILE *out);
void section_zones(const struct page *page, FILE *out);
void section_diff(const struct page *page, FILE *out);
void section_compare(const struct page *page, FILE *out);
void section_quality(const struct page *page, FILE *out);

/* <section id=ID> with its heading and a sentence below; section_end closes it. Both texts are ours. */
void section_open(FILE *out, const char *id, const char *heading, const char *sentence);
void section_close(FILE *out);

/* The ledger that stands for the target: the family's sum, or its only process; *path says where it is in the JSON. */
const struct json *page_ledger(const struct page *page, const char **path);
/* The class of a component's colour, one of ours whatever the id is. */
const char *page_component_css(const char *id);
const char *page_color(size_t index); /* p0 to p9 and round again */

/* An array's length, and what of it is shown when it is longer than `most`. */
static inline size_t at_most(size_t count, size_t most)
{
	return count < most ? count : most;
}

#endif
