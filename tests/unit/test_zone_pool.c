/* SPDX-License-Identifier: BSD-2-Clause */
/* test_zone_pool.c - recognising, copying and walking slab pools, in every layout and page size. */
#include "zone_count.h"
#include "zone_model.h"
#include "run_suite.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void take(struct model *m, struct zone_copy *copy, struct zone_counts *counts)
{
	struct zone_bytes bytes;
	const char *why;

	model_bytes(m, &bytes);
	ck_assert_msg(zone_copy_take(&bytes, copy, 100, &why) == 0, "%s", why);
	zone_count(copy, counts);
}

static void drop(struct zone_copy *copy, struct zone_counts *counts)
{
	zone_counts_free(counts);
	zone_copy_free(copy);
}

START_TEST(every_layout_and_page_size_is_recognised)
{
	for (unsigned layout = 0; layout < MODEL_LAYOUTS; layout++) {
		for (unsigned shift = 12; shift <= 16; shift += 2) {
			struct model m;
			struct zone_bytes bytes;
			struct zone_head head;
			model_init(&m, layout, shift, 32ull << shift);
			model_bytes(&m, &bytes);
			ck_assert_int_eq(zone_head_read(&bytes, &head), 0);
			ck_assert_uint_eq(head.page_shift, shift);
			ck_assert_uint_eq(head.slots, shift - 3);
			ck_assert_uint_eq(head.page_count, m.count);
			ck_assert_uint_eq(head.start_at, m.start_at);
			ck_assert_int_eq(head.has_stats, layout < 2);
			ck_assert_uint_eq(head.pages_free, layout < 2 ? m.free_pages : ZONE_UNKNOWN);
			model_done(&m);
		}
	}
}
END_TEST

START_TEST(one_wrong_field_is_no_pool)
{
	static const unsigned members[] = {
		L_ADDR, L_MUTEX, L_MIN_SIZE, L_MIN_SHIFT, L_PAGES, L_LAST, L_START, L_END, L_STATS};

	for (unsigned layout = 0; layout < MODEL_LAYOUTS; layout++) {
		for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
			struct model m;
			struct zone_bytes bytes;
			struct zone_head head;
			model_init(&m, layout, 12, 40960);
			if (m.layout[members[i]] == 0) {
				model_done(&m);
				continue;
			}
			model_put(&m, members[i], 0x4141414141414141);
			model_bytes(&m, &bytes);
			ck_assert_msg(zone_head_read(&bytes, &head) != 0, "layout %u, member %zu", layout, i);
			model_done(&m);
		}
	}
}
END_TEST

START_TEST(zeros_and_short_zones_are_no_pool)
{
	static uint8_t zeros[8192];
	struct zone_bytes bytes;
	struct zone_head head;

	for (size_t length = 0; length <= sizeof(zeros); length += 64) {
		zone_bytes_buffer(&bytes, zeros, length, MODEL_ADDRESS, length);
		ck_assert_int_ne(zone_head_read(&bytes, &head), 0);
	}
}
END_TEST

static void compare(struct model *m)
{
	struct zone_copy copy;
	struct zone_counts counts;

	take(m, &copy, &counts);
	ck_assert(!copy.changing);
	ck_assert_ptr_eq(zone_count_differs(&copy, &counts), NULL);
	ck_assert_uint_eq(counts.pages_free, m->free_pages);
	ck_assert_uint_eq(counts.free_runs, m->runs);
	for (unsigned i = 0; i < m->slots; i++) {
		ck_assert_uint_eq(counts.slots[i].used, m->used[i] + m->own[i]);
		ck_assert_uint_eq(counts.slots[i].pages, m->chunk_pages[i]);
		ck_assert_uint_eq(counts.slots[i].own, m->own[i]);
	}
	drop(&copy, &counts);
}

START_TEST(the_walk_equals_the_books_after_thousands_of_allocations)
{
	static uint64_t held[600];

	for (unsigned layout = 0; layout < MODEL_LAYOUTS; layout++) {
		for (unsigned shift = 12; shift <= 16; shift += 4) {
			struct model m;
			model_init(&m, layout, shift, 48ull << shift);
			memset(held, 0, sizeof(held));
			srand(layout * 100 + shift);
			for (unsigned n = 0; n < 3000; n++) {
				uint64_t *at = &held[rand() % 600];
				if (*at)
					model_free(&m, *at);
				*at = *at ? 0
					  : model_alloc(&m, rand() % 8 ? rand() % 700 + 1
								       : rand() % (6 << shift) + 1);
				if (n % 100 == 0)
					compare(&m);
			}
			model_done(&m);
		}
	}
}
END_TEST

START_TEST(bitmap_chunks_count_as_used)
{
	static const struct {
		uint64_t size, own, free;
	} expect[] = {{8, 8, 503}, {16, 2, 253}, {32, 1, 126}, {64, 0, 63}};

	for (size_t i = 0; i < 4; i++) {
		struct model m;
		struct zone_copy copy;
		struct zone_counts counts;
		model_init(&m, 0, 12, 40960);
		model_alloc(&m, expect[i].size);
		take(&m, &copy, &counts);
		ck_assert_uint_eq(counts.slots[i].own, expect[i].own);
		ck_assert_uint_eq(counts.used.count, expect[i].own + 1);
		ck_assert_uint_eq(counts.free.count, expect[i].free + 8);
		drop(&copy, &counts);
		model_done(&m);
	}
}
END_TEST

START_TEST(pages_handed_out_as_one_are_one_slab)
{
	struct model m;
	struct zone_copy copy;
	struct zone_counts counts;

	model_init(&m, 0, 12, 40960);
	model_alloc(&m, 3 * 4096);
	take(&m, &copy, &counts);
	ck_assert_uint_eq(counts.used.count, 1);
	ck_assert_uint_eq(counts.used.rows[0].bytes, 3 * 4096);
	ck_assert_uint_eq(counts.free.count, 6);
	ck_assert_uint_eq(counts.free.rows[0].bytes, 4096);
	ck_assert_uint_eq(counts.largest_free_run, 6);
	drop(&copy, &counts);
	model_done(&m);
}
END_TEST

START_TEST(senseless_descriptors_are_told)
{
	const struct zone_page senseless[] = {{0, 0, 0}, {UINT64_MAX, 0, 0}, {100, 0, 0}, {12, 0, 3},
		{2, 0, 3}, {3, 0, 1}, {1ull << 63 | 50, 0, 0}};

	for (size_t i = 0; i < 2 * sizeof(senseless) / sizeof(senseless[0]); i++) {
		struct model m;
		struct zone_copy copy;
		struct zone_counts counts;
		model_init(&m, i % 2 ? 2 : 0, 12, 40960); /* with and without books of the slots */
		model_alloc(&m, 100);
		m.pages[0] = senseless[i / 2];
		take(&m, &copy, &counts);
		ck_assert_msg(zone_count_differs(&copy, &counts) != NULL, "descriptor %zu", i);
		drop(&copy, &counts);
		model_done(&m);
	}
}
END_TEST

START_TEST(a_free_list_in_a_circle_ends)
{
	struct model m;
	struct zone_copy copy;
	struct zone_counts counts;

	model_init(&m, 0, 12, 40960);
	const uint64_t a = model_alloc(&m, 4096);
	model_alloc(&m, 4096);
	model_free(&m, a);
	m.pages[0].next = model_page_address(&m, 0);
	take(&m, &copy, &counts);
	ck_assert_ptr_ne(zone_count_differs(&copy, &counts), NULL);
	drop(&copy, &counts);
	model_done(&m);
}
END_TEST

START_TEST(a_held_lock_is_waited_for_and_told)
{
	struct model m;
	struct zone_copy copy;
	struct zone_counts counts;

	model_init(&m, 0, 12, 40960);
	*(uint64_t *)m.bytes = 4711;
	take(&m, &copy, &counts);
	ck_assert(copy.locked);
	ck_assert_uint_gt(copy.tries, 1);
	ck_assert_uint_eq(copy.head.lock, 4711);
	drop(&copy, &counts);
	model_done(&m);
}
END_TEST

static volatile uint64_t *written;
static volatile int stop;

static void *write_all_the_time(void *argument)
{
	for (uint64_t i = 0; !stop; i++)
		*written = i;
	return NULL;
}

/* Copies while a thread writes one word that no check of the counts sees: the copy must notice by itself. */
static bool noticed_while_written(struct model *m, void *word)
{
	struct zone_bytes bytes;
	struct zone_copy copy;
	const char *why;
	pthread_t writer;
	bool noticed = false;

	model_bytes(m, &bytes);
	written = word;
	*written = UINT64_MAX;
	pthread_create(&writer, NULL, write_all_the_time, NULL);
	while (*written == UINT64_MAX)
		usleep(100);
	/* One try each; on a busy machine the writer may have no processor for a while. */
	for (const time_t end = time(NULL) + 10; !noticed && time(NULL) < end;) {
		ck_assert_int_eq(zone_copy_take(&bytes, &copy, 0, &why), 0);
		noticed = copy.changing;
		zone_copy_free(&copy);
	}
	stop = 1;
	pthread_join(writer, NULL);
	return noticed;
}

START_TEST(a_head_written_meanwhile_is_noticed)
{
	struct model m;

	model_init(&m, 0, 12, 1 << 22);
	model_alloc(&m, 100);
	ck_assert(noticed_while_written(&m, &model_stat(&m, 4)->requests));
	model_done(&m);
}
END_TEST

START_TEST(a_descriptor_written_meanwhile_is_noticed)
{
	struct model m;

	model_init(&m, 0, 12, 1 << 22);
	model_alloc(&m, 100);
	ck_assert(noticed_while_written(&m, &m.pages[0].next));
	model_done(&m);
}
END_TEST

START_TEST(untouched_pages_stay_untouched)
{
	struct zone_bytes bytes;
	char byte;
	const uint64_t size = 64 << 20;
	char *zone = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	zone[0] = zone[4096 * 100] = 1;
	ck_assert_int_eq(zone_bytes_open(&bytes, getpid(), (uintptr_t)zone, (uintptr_t)zone + size), 0);
	if (bytes.source != ZONE_MAP_FILES) {
		puts("skip: /proc/PID/map_files is not permitted here");
		zone_bytes_close(&bytes);
		return;
	}
	ck_assert_uint_eq(zone_bytes_resident(&bytes), 2 * 4096);
	for (uint64_t at = 0; at < size; at += 4096)
		ck_assert_int_eq(zone_bytes_read(&bytes, at, &byte, 1), at == 0 || at == 4096 * 100);
	ck_assert_int_eq(zone_bytes_refresh(&bytes), 0);
	ck_assert_uint_eq(zone_bytes_resident(&bytes), 2 * 4096);

	/* It stays readable when the process lets go of it. */
	munmap(zone, size);
	ck_assert(zone_bytes_read(&bytes, 4096 * 100, &byte, 1));
	ck_assert_int_eq(byte, 1);
	zone_bytes_close(&bytes);
}
END_TEST

START_TEST(reading_outside_a_zone_is_refused)
{
	static uint8_t room[4096];
	struct zone_bytes bytes;
	uint8_t to[16];

	zone_bytes_buffer(&bytes, room, 100, MODEL_ADDRESS, 4096);
	ck_assert(zone_bytes_read(&bytes, 84, to, 16));
	ck_assert(!zone_bytes_read(&bytes, 85, to, 16));
	ck_assert(!zone_bytes_read(&bytes, UINT64_MAX - 3, to, 16));
	ck_assert(!zone_bytes_read(&bytes, 4, to, UINT64_MAX));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zone_pool");
	TCase *tests = tcase_create("pool");

	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, every_layout_and_page_size_is_recognised);
	tcase_add_test(tests, one_wrong_field_is_no_pool);
	tcase_add_test(tests, zeros_and_short_zones_are_no_pool);
	tcase_add_test(tests, the_walk_equals_the_books_after_thousands_of_allocations);
	tcase_add_test(tests, bitmap_chunks_count_as_used);
	tcase_add_test(tests, pages_handed_out_as_one_are_one_slab);
	tcase_add_test(tests, senseless_descriptors_are_told);
	tcase_add_test(tests, a_free_list_in_a_circle_ends);
	tcase_add_test(tests, a_held_lock_is_waited_for_and_told);
	tcase_add_test(tests, a_head_written_meanwhile_is_noticed);
	tcase_add_test(tests, a_descriptor_written_meanwhile_is_noticed);
	tcase_add_test(tests, untouched_pages_stay_untouched);
	tcase_add_test(tests, reading_outside_a_zone_is_refused);
	return run_suite(suite) != 0;
}
