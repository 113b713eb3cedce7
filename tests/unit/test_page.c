/* SPDX-License-Identifier: BSD-2-Clause */
/* test_page.c - what the page is made of: hostile text, the policy's hash, the trie, packed stacks, pictures, heap steps. */
#include "heap_walk.h"
#include "markup.h"
#include "page_pack.h"
#include "segment_writer.h"
#include "sha256.h"
#include "svg.h"
#include "trie.h"
#include "xalloc.h"
#include "run_suite.h"

#include <check.h>

/* ---- text ------------------------------------------------------------------------------------ */

static char *written(void (*write)(FILE *out, const void *with), const void *with)
{
	char *memory;
	size_t length;
	FILE *out = open_memstream(&memory, &length);

	write(out, with);
	fclose(out);
	return xstrdup(memory);
}

static void text(FILE *out, const void *with)
{
	markup_text(out, with);
}

static void first_five(FILE *out, const void *with)
{
	markup_short(out, with, 5);
}

START_TEST(markup_becomes_references)
{
	ck_assert_str_eq(written(text, "</script><img src='x' onerror=\"y\">&amp;"),
		"&#60;/script&#62;&#60;img src=&#39;x&#39; onerror=&#34;y&#34;&#62;&#38;amp;");
}
END_TEST

START_TEST(what_is_no_utf8_or_not_seen_is_replaced)
{
	ck_assert_str_eq(written(text, "a\xff\xc0\x80\xed\xa0\x80z"), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
	ck_assert_str_eq(written(text, "a\nb\x7f\xe2\x80\xae""c"), "a?b??c"); /* U+202E turns the direction */
	ck_assert_str_eq(written(text, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x88"), "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x88");
	ck_assert_str_eq(written(text, "cut\xe2\x82"), "cut\xef\xbf\xbd\xef\xbf\xbd");
}
END_TEST

START_TEST(a_long_name_is_cut_between_characters)
{
	ck_assert_str_eq(written(first_five, "abcd\xc3\xbc"), "abcd...");
	ck_assert_str_eq(written(first_five, "abcde"), "abcde");
}
END_TEST

START_TEST(the_hash_of_the_policy_is_sha256)
{
	static const struct {
		size_t length;
		const char *hash;
	} known[] = {
		{0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
		{55, "n0OQ+NMMLdkuyfCVtl4rmumwqSWlJY4kHJ8ekQ9zQxg="},
		{56, "s1Q5pKxvCUi21vnjxq8PX1kM4g8b3nCQ73lwaG7Gc4o="},
		{64, "/+BU/nrgy23GXDr5th1SCfQ5hR20PQulmXM33xVGaOs="},
		{120, "Lz0zVDLHC1gK8Ojhs2dKfAINaDql9zqq7f3FWvkEwhw="},
	};
	char letters[120], hash[SHA256_BASE64];

	memset(letters, 'a', sizeof(letters));
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		sha256_base64(letters, known[i].length, hash);
		ck_assert_str_eq(hash, known[i].hash);
	}
}
END_TEST

/* ---- the trie ---------------------------------------------------------------------------------- */

static void note(void *context, struct trie_node *node, unsigned depth)
{
	char *to = context;

	sprintf(to + strlen(to), "%u:%u ", depth, node->key);
}

START_TEST(the_trie_shares_what_is_common_and_is_walked_depth_first)
{
	char seen[200] = "";
	struct trie trie;

	trie_open(&trie);
	const uint32_t a = trie_child(&trie, 0, 7), b = trie_child(&trie, a, 8);
	trie_child(&trie, 0, 9);
	trie_child(&trie, a, 10);
	ck_assert_uint_eq(trie_child(&trie, a, 8), b);
	trie_walk(&trie, note, seen);
	ck_assert_str_eq(seen, "0:0 1:7 2:8 2:10 1:9 ");
	for (uint32_t i = 0; i < 5000; i++) /* the table grows */
		trie_child(&trie, b, i);
	ck_assert_uint_eq(trie_child(&trie, a, 8), b);
	ck_assert_uint_eq(trie.count, 5005);
	trie_close(&trie);
}
END_TEST

/* ---- packed stacks ----------------------------------------------------------------------------- */

static struct model *model_of_sites(size_t sites)
{
	static struct quality quality;
	static char directory[] = "/tmp/heapray-test.XXXXXX";
	struct writer w;
	char path[256];

	writer_begin(&w, 1);
	for (size_t i = 0; i < sites; i++)
		writer_site(&w, writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x1000 + 16 * i, 0), 0, 100 + i, 0);
	if (directory[strlen(directory) - 1] == 'X')
		ck_assert_ptr_nonnull(mkdtemp(directory));
	writer_save(&w, directory, path);
	const int fd = open(path, O_RDONLY);
	struct segment *s = segment_read_header(fd, path, false);
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(segment_read_rows(s, fd), 0);
	close(fd);
	unlink(path);
	rmdir(directory);
	strcpy(directory, "/tmp/heapray-test.XXXXXX");
	writer_end(&w);
	struct process *p = xcalloc(1, sizeof(*p));
	*p = (struct process){.pid = 1, .exe = "", .segment = s, .parent = SIZE_MAX};
	const struct family family = {.members = p, .count = 1};
	quality_of(&family, &quality);
	return model_build(&family, &quality);
}

static uint64_t number(const char **p)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint64_t value = 0, digit;
	unsigned shift = 0;

	do {
		digit = (uint64_t)(strchr(digits, *(*p)++) - digits);
		value |= (digit & 31) << shift;
		shift += 5;
	} while (digit & 32);
	return value;
}

static void packed(FILE *out, const void *with)
{
	pack_stacks(with, out);
}

/* Rows, and the sum of their live bytes. */
static size_t unpack(const struct model *model, uint64_t *live)
{
	const struct page page = {.model = (struct model *)model};
	const char *p = strstr(written(packed, &page), "\"rows\":\"") + 8;
	size_t rows = 0;

	for (*live = 0; *p != '"'; rows++) {
		for (int column = 0; column < 10; column++) {
			const uint64_t value = number(&p);
			*live += column == 2 ? value : 0;
		}
	}
	return rows;
}

START_TEST(packed_rows_are_the_models)
{
	const struct model *m = model_of_sites(500);
	uint64_t live;

	ck_assert_uint_eq(unpack(m, &live), 500);
	ck_assert_uint_eq(live, (uint64_t)m->total.live_bytes);
}
END_TEST

START_TEST(too_many_rows_are_summed_not_dropped)
{
	const struct model *m = model_of_sites(PACK_MOST_ROWS + 5000);
	uint64_t live;

	ck_assert_uint_eq(unpack(m, &live), PACK_MOST_ROWS + 1);
	ck_assert_uint_eq(live, (uint64_t)m->total.live_bytes);
}
END_TEST

/* ---- pictures ---------------------------------------------------------------------------------- */

static void ring(FILE *out, const void *with)
{
	const struct svg_part *parts = with;

	svg_ring(out, false, "a <ring>", parts, 2);
}

static size_t occurrences(const char *in, const char *word)
{
	size_t n = 0;

	while ((in = strstr(in, word))) {
		in++;
		n++;
	}
	return n;
}

START_TEST(a_ring_of_one_part_is_whole)
{
	const struct svg_part one[] = {{"all", "p0", 4096}, {"none", "p1", 0}}, none[] = {{"a", "p0", 0}, {"b", "p1", 0}};
	const char *svg = written(ring, one);

	ck_assert_uint_eq(occurrences(svg, "<path"), 1);
	ck_assert_uint_eq(occurrences(svg, "Z"), 2); /* two halves */
	ck_assert_ptr_nonnull(strstr(svg, "4.0 KiB</text>"));
	ck_assert_ptr_nonnull(strstr(svg, "a &#60;ring&#62;"));
	ck_assert_uint_eq(occurrences(written(ring, none), "<path"), 0);
}
END_TEST

static void cells(FILE *out, const void *with)
{
	static const char *const css[] = {"x", "y"};

	svg_cells(out, with, 8, 4, css, 2, 5);
}

START_TEST(neighbouring_cells_are_one_rectangle_within_their_row)
{
	const uint32_t of[] = {0, 0, 1, 0, 0, 0, UINT32_MAX, 1};
	const char *svg = written(cells, of);

	ck_assert_ptr_nonnull(strstr(svg, "<path class=\"x\" d=\"M0 0h2v1h-2zM3 0h1v1h-1zM0 1h2v1h-2z\"/>"));
	ck_assert_ptr_nonnull(strstr(svg, "<path class=\"y\" d=\"M2 0h1v1h-1zM3 1h1v1h-1z\"/>"));
}
END_TEST

/* ---- the heap ------------------------------------------------------------------------------------ */

START_TEST(steps_hold_what_lies_in_them_across_gaps)
{
	/* Two ranges of 1000 bytes, taken as one; steps of 500. */
	const struct heap_range ranges[] = {{10000, 11000, 0}, {20000, 21000, 1000}};
	struct heap_block blocks[] = {
		{.address = 9000, .size = 100, .owner = 2},   /* before: another's */
		{.address = 10400, .size = 300, .owner = 0},  /* 100 in step 0, 200 in step 1 */
		{.address = 10700, .size = 150, .owner = 1},
		{.address = 10850, .size = 100, .owner = 1},  /* owner 1: 250 in step 1 */
		{.address = 15000, .size = 900, .owner = 2},  /* in the gap */
		{.address = 20000, .size = 5000, .owner = 0}, /* longer than the range: what a torn read may give */
	};
	const struct heap heap = {.blocks = blocks, .count = 6};
	size_t count;

	const struct heap_step *steps = heap_steps(&heap, ranges, 2, 500, 3, &count);
	ck_assert_uint_eq(count, 4);
	ck_assert_uint_eq(steps[0].used, 100);
	ck_assert_uint_eq(steps[0].blocks, 1);
	ck_assert_uint_eq(steps[1].used, 450);
	ck_assert_uint_eq(steps[1].owner, 1);
	ck_assert_uint_eq(steps[1].owner_bytes, 250);
	ck_assert_uint_eq(steps[1].blocks, 2);
	ck_assert_uint_eq(steps[2].used, 500);
	ck_assert_uint_eq(steps[3].used, 500);
	ck_assert_uint_eq(steps[3].blocks, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("page");
	TCase *tests = tcase_create("page");

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, markup_becomes_references);
	tcase_add_test(tests, what_is_no_utf8_or_not_seen_is_replaced);
	tcase_add_test(tests, a_long_name_is_cut_between_characters);
	tcase_add_test(tests, the_hash_of_the_policy_is_sha256);
	tcase_add_test(tests, the_trie_shares_what_is_common_and_is_walked_depth_first);
	tcase_add_test(tests, packed_rows_are_the_models);
	tcase_add_test(tests, too_many_rows_are_summed_not_dropped);
	tcase_add_test(tests, a_ring_of_one_part_is_whole);
	tcase_add_test(tests, neighbouring_cells_are_one_rectangle_within_their_row);
	tcase_add_test(tests, steps_hold_what_lies_in_them_across_gaps);
	return run_suite(suite) != 0;
}
