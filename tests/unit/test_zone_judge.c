/* SPDX-License-Identifier: BSD-2-Clause */
/* test_zone_judge.c - state, fit and advice, on the five steps of a dict of cats and on other zones. */
#include "zone_judge.h"
#include "zone_model.h"
#include "run_suite.h"

#include <check.h>
#include <stdio.h>

/* A dict of 40k as nginx makes it, with its own name and head. */
static struct model m;
static struct zone_copy copy;
static struct zone_counts counts;
static uint64_t entries[256];

static void look(void)
{
	struct zone_bytes bytes;
	const char *why;

	zone_counts_free(&counts);
	zone_copy_free(&copy);
	model_bytes(&m, &bytes);
	ck_assert_int_eq(zone_copy_take(&bytes, &copy, 10, &why), 0);
	zone_count(&copy, &counts);
	ck_assert_ptr_eq(zone_count_differs(&copy, &counts), NULL);
}

static void make_dict(void)
{
	model_init(&m, 0, 12, 40960);
	const uint64_t data = model_alloc(&m, 80);
	model_put(&m, L_DATA, MODEL_ADDRESS + data);
	model_name(&m, " in lua_shared_dict zone \"cats\"");
	look();
}

static void drop_dict(void)
{
	zone_counts_free(&counts);
	zone_copy_free(&copy);
	model_done(&m);
}

static unsigned fill(void)
{
	unsigned n = 0;

	while (n < 256 && (entries[n] = model_alloc(&m, ZONE_DICT_OVERHEAD + 3 + 8)))
		n++;
	look();
	return n;
}

static uint64_t count_of(const struct zone_sizes *sizes, uint64_t bytes)
{
	for (size_t i = 0; i < sizes->length; i++)
		if (sizes->rows[i].bytes == bytes)
			return sizes->rows[i].count;
	return 0;
}

static const char *advice_about(const char *word)
{
	static char advice[ZONE_MOST_ADVICE][ZONE_TEXT];
	const size_t n = zone_advise(&copy.head, &counts, advice, ZONE_MOST_ADVICE);

	for (size_t i = 0; i < n; i++)
		if (strstr(advice[i], word))
			return advice[i];
	return NULL;
}

START_TEST(empty_dict)
{
	char why[ZONE_TEXT];

	ck_assert_uint_eq(counts.pages, 9);
	ck_assert_uint_eq(counts.pages_free, 7);
	ck_assert_uint_eq(counts.used.count, 3);
	ck_assert_uint_eq(counts.used.bytes, 192);
	ck_assert_uint_eq(count_of(&counts.free, 32), 126);
	ck_assert_uint_eq(count_of(&counts.free, 128), 31);
	ck_assert_uint_eq(count_of(&counts.free, 4096), 7);
	ck_assert_int_eq(zone_judge(&copy.head, &counts, why), ZONE_FINE);
	ck_assert(zone_fits(&copy.head, &counts, 7 * 4096, why));
	ck_assert(!zone_fits(&copy.head, &counts, 7 * 4096 + 1, why));
}
END_TEST

START_TEST(filled_dict)
{
	char why[ZONE_TEXT];

	ck_assert_uint_eq(fill(), 255);
	ck_assert_uint_eq(counts.used.count, 258);
	ck_assert_uint_eq(counts.free.count, 126);
	ck_assert_int_eq(zone_judge(&copy.head, &counts, why), ZONE_FULL);
	ck_assert_uint_eq(zone_failures(&copy.head), 1);
	ck_assert_ptr_ne(advice_about("65 to 128 bytes"), NULL);
}
END_TEST

START_TEST(every_other_entry_deleted)
{
	char why[ZONE_TEXT];

	fill();
	for (unsigned i = 1; i < 255; i += 2)
		model_free(&m, entries[i]);
	look();
	ck_assert_uint_eq(counts.used.count, 131);
	ck_assert_uint_eq(count_of(&counts.free, 128), 127);
	ck_assert_int_eq(zone_judge(&copy.head, &counts, why), ZONE_FRAGMENTED);
	ck_assert(!zone_fits(&copy.head, &counts, ZONE_DICT_OVERHEAD + 5 + 200, why));
	ck_assert_ptr_ne(strstr(why, "slot 512"), NULL);
	ck_assert_ptr_ne(strstr(why, "128 and 32 bytes"), NULL);
	ck_assert(zone_fits(&copy.head, &counts, 128, why));
	ck_assert_ptr_ne(advice_about("slot 128 holds 8 pages where 5 would do"), NULL);
}
END_TEST

START_TEST(first_half_deleted_then_a_big_entry)
{
	char why[ZONE_TEXT];

	fill();
	for (unsigned i = 0; i < 128; i++)
		model_free(&m, entries[i]);
	look();
	ck_assert_uint_eq(counts.pages_free, 3);
	ck_assert_uint_eq(counts.largest_free_run, 3);
	ck_assert_int_eq(zone_judge(&copy.head, &counts, why), ZONE_FINE);
	ck_assert(zone_fits(&copy.head, &counts, ZONE_DICT_OVERHEAD + 4 + 200, why));

	ck_assert_uint_ne(model_alloc(&m, ZONE_DICT_OVERHEAD + 4 + 200), 0);
	look();
	ck_assert_uint_eq(count_of(&counts.used, 512), 1);
	ck_assert_uint_eq(count_of(&counts.free, 512), 7);
	ck_assert_uint_eq(counts.largest_free_run, 2);
	ck_assert_ptr_ne(advice_about("zones of their own"), NULL);
}
END_TEST

START_TEST(fit_agrees_with_what_then_happens)
{
	uint64_t held[64] = {0};
	char why[ZONE_TEXT];

	srand(7);
	for (unsigned n = 0; n < 2000; n++) {
		uint64_t *at = &held[rand() % 64];
		if (*at) {
			model_free(&m, *at);
			*at = 0;
			continue;
		}
		const uint64_t size = rand() % 4 ? rand() % 2500 + 1 : rand() % 16000 + 1;
		look();
		const bool fits = zone_fits(&copy.head, &counts, size, why);
		*at = model_alloc(&m, size);
		ck_assert_msg(fits == (*at != 0), "%llu bytes: %s", (unsigned long long)size, why);
	}
}
END_TEST

START_TEST(bitmap_chunks_are_never_to_be_had)
{
	char why[ZONE_TEXT];

	while (model_alloc(&m, 32))
		;
	look();
	ck_assert_uint_eq(count_of(&counts.used, 32), 8 * 128);
	ck_assert(!zone_fits(&copy.head, &counts, 32, why));
	ck_assert(zone_fits(&copy.head, &counts, 128, why));
}
END_TEST

START_TEST(nothing_is_advised_without_need)
{
	char advice[ZONE_MOST_ADVICE][ZONE_TEXT];

	ck_assert_uint_eq(zone_advise(&copy.head, &counts, advice, ZONE_MOST_ADVICE), 0);
}
END_TEST

START_TEST(nearly_empty_pages_are_named)
{
	fill();
	/* One entry in each page of 32 stays. */
	for (unsigned i = 0; i < 255; i++)
		if ((entries[i] - m.start_at) % 4096)
			model_free(&m, entries[i]);
	while (model_alloc(&m, 4096))
		;
	look();
	ck_assert_ptr_ne(advice_about("of them at most a quarter used"), NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zone_judge");
	TCase *tests = tcase_create("judge");

	suite_add_tcase(suite, tests);
	tcase_add_checked_fixture(tests, make_dict, drop_dict);
	tcase_add_test(tests, empty_dict);
	tcase_add_test(tests, filled_dict);
	tcase_add_test(tests, every_other_entry_deleted);
	tcase_add_test(tests, first_half_deleted_then_a_big_entry);
	tcase_add_test(tests, fit_agrees_with_what_then_happens);
	tcase_add_test(tests, bitmap_chunks_are_never_to_be_had);
	tcase_add_test(tests, nothing_is_advised_without_need);
	tcase_add_test(tests, nearly_empty_pages_are_named);
	return run_suite(suite) != 0;
}
