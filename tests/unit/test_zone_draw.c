/* SPDX-License-Identifier: BSD-2-Clause */
/* test_zone_draw.c - the pictures of a zone: a cell a slab, readable without colour; and hostile names. */
#include "text.h"
#include "zone_draw.h"
#include "zone_model.h"
#include "run_suite.h"

#include <check.h>

static struct zone zone;
static struct model m;

static void make(uint64_t size, const char *name)
{
	struct zone_bytes bytes;
	const char *why;

	setenv("LC_ALL", "C", 1);
	text_set_color("never");
	memset(&zone, 0, sizeof(zone));
	model_init(&m, 0, 12, size);
	model_alloc(&m, 80);
	model_alloc(&m, 30);
	zone.start = MODEL_ADDRESS;
	zone.end = MODEL_ADDRESS + size;
	snprintf(zone.name.name, sizeof(zone.name.name), "%s", name);
	snprintf(zone.name.kind, sizeof(zone.name.kind), "lua_shared_dict");
	model_bytes(&m, &bytes);
	ck_assert_int_eq(zone_copy_take(&bytes, &zone.copy, 10, &why), 0);
	zone_count(&zone.copy, &zone.counts);
	zone.pool = zone.walked = true;
}

static void drop(void)
{
	zone_release(&zone);
	model_done(&m);
}

static char *drawn(bool svg, int width)
{
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (svg)
		zone_draw_svg(&zone, out);
	else
		zone_draw_text(&zone, width, out);
	fclose(out);
	return text;
}

static unsigned occurrences(const char *text, const char *word)
{
	unsigned n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

START_TEST(the_picture_has_a_cell_a_slab)
{
	make(40960, "cats");
	char *svg = drawn(true, 0);
	ck_assert_uint_eq(occurrences(svg, "<title>"), 160 + 7);
	ck_assert_uint_eq(occurrences(svg, "bytes, used"), 3);
	ck_assert_uint_eq(occurrences(svg, "used: the page's own bitmap"), 1);
	ck_assert_uint_eq(occurrences(svg, "4096 bytes, free"), 7);
	free(svg);
	drop();
}
END_TEST

START_TEST(a_hostile_name_stays_text_in_the_picture)
{
	make(40960, "<script>\"&\x01\xff");
	char *svg = drawn(true, 0);
	ck_assert_ptr_eq(strstr(svg, "<script>"), NULL);
	ck_assert_ptr_ne(strstr(svg, "&lt;script&gt;&quot;&amp;??"), NULL);
	free(svg);
	drop();
}
END_TEST

START_TEST(lines_of_pages_keep_within_the_width)
{
	make(40960, "cats");
	for (int width = 60; width <= 200; width += 20) {
		char *text = drawn(false, width), *save = NULL;
		unsigned lines = 0;
		for (char *line = strtok_r(text, "\n", &save); line;
			line = strtok_r(NULL, "\n", &save), lines++)
			ck_assert_msg(
				lines == 0 || strlen(line) <= (size_t)width, "width %d: %s", width, line);
		ck_assert_uint_eq(lines, 2 + 3); /* legend, heading; two pages of chunks, one free run */
		free(text);
	}
	drop();
}
END_TEST

START_TEST(used_and_free_differ_without_colour)
{
	make(40960, "cats");
	char *text = drawn(false, 100);
	ck_assert_ptr_ne(strstr(text, "128 B    ##.."), NULL);
	ck_assert_ptr_ne(strstr(text, "free     ...."), NULL);
	ck_assert_ptr_eq(strchr(text, '\033'), NULL);
	free(text);
	drop();
}
END_TEST

START_TEST(a_large_zone_has_a_grid_of_cells)
{
	make(64 << 20, "big");
	char *text = drawn(false, 100), *svg = drawn(true, 0);
	ck_assert_uint_le(occurrences(text, "\n"), 34);
	ck_assert_uint_eq(
		occurrences(text, "+"), 1 + 1); /* the legend's, and the cell with the first pages */
	ck_assert_uint_le(occurrences(svg, "<title>"), 4096);
	ck_assert_ptr_ne(strstr(svg, "pages 0 to 3: 192 of 16384 bytes used"), NULL);
	free(text);
	free(svg);
	drop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zone_draw");
	TCase *tests = tcase_create("draw");

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, the_picture_has_a_cell_a_slab);
	tcase_add_test(tests, a_hostile_name_stays_text_in_the_picture);
	tcase_add_test(tests, lines_of_pages_keep_within_the_width);
	tcase_add_test(tests, used_and_free_differ_without_colour);
	tcase_add_test(tests, a_large_zone_has_a_grid_of_cells);
	return run_suite(suite) != 0;
}
