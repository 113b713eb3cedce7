/* SPDX-License-Identifier: BSD-2-Clause */
/* test_zone_find.c - kinds and names from log contexts, zones of processes, and what segments publish. */
#include "heapray_segment.h"
#include "zone_find.h"
#include "zone_model.h"
#include "run_suite.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

START_TEST(kinds_of_all_modules)
{
	static const char *const expect[][3] = {
		{" in lua_shared_dict zone \"cats\"", "lua_shared_dict", "cats"},
		{" in limit_req zone \"one\"", "limit_req", "one"},
		{" in limit_conn_zone \"addr\"", "limit_conn", "addr"},
		{" in cache keys zone \"c\"", "cache keys", "c"},
		{" in upstream zone \"u\"", "upstream", "u"},
		{" in SSL session shared cache \"s\"", "SSL session", "s"},
		{" in OCSP cache \"o\"", "OCSP", "o"},
		{" in sticky session zone \"st\"", "sticky", "st"},
		{" in vhost_traffic_status_zone \"v\"", "VTS", "v"},
		{" in tfs block cache zone \"t\"", "tfs block cache", "t"},
		{" in something new \"n\"", "something new", "n"},
		{" in limit_req zone \"a \"quoted\" name\"", "limit_req", "a \"quoted\" name"},
		{" in limit_req zone \"cut", "limit_req", "cut"},
	};

	for (size_t i = 0; i < sizeof(expect) / sizeof(expect[0]); i++) {
		struct zone_name name;
		ck_assert_msg(zone_name_parse(expect[i][0], &name), "%s", expect[i][0]);
		ck_assert_str_eq(name.kind, expect[i][1]);
		ck_assert_str_eq(name.name, expect[i][2]);
	}
}
END_TEST

START_TEST(other_text_is_no_log_context)
{
	static const char *const texts[] = {
		"", " in ", " in \"", "in zone \"x\"", " in zone", " in x\"", "\xff\xff\xff"};
	struct zone_name name;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(!zone_name_parse(texts[i], &name), "%s", texts[i]);
}
END_TEST

START_TEST(overlong_names_are_cut)
{
	char text[2048], kind[512];
	struct zone_name name;

	memset(text, 'x', sizeof(text));
	memcpy(text, " in limit_req zone \"", 20);
	text[sizeof(text) - 1] = '\0';
	ck_assert(zone_name_parse(text, &name));
	ck_assert_uint_eq(strlen(name.name), ZONE_NAME - 1);
	memset(kind, 'k', sizeof(kind));
	memcpy(kind, " in ", 4);
	memcpy(kind + 500, " \"n\"", 5);
	ck_assert(zone_name_parse(kind, &name));
	ck_assert_uint_eq(strlen(name.kind), ZONE_KIND - 1);
}
END_TEST

static void publish(struct hr_zone *row, struct model *m)
{
	memset(row, 0, sizeof(*row));
	row->address = MODEL_ADDRESS;
	row->size = m->size;
	row->created_ns = 10;
	row->copied_ns = 1000;
	row->head_offset = 200 + 9 * 24;
	strcpy(row->log_context, " in lua_shared_dict zone \"cats\"");
	memcpy(row->head, m->bytes, sizeof(row->head));
	memcpy(row->stats, m->bytes + row->head_offset, sizeof(row->stats));
}

START_TEST(published_heads_tell_free_pages_and_slots)
{
	struct zone_set set = {0};
	struct hr_zone row;
	struct model m;

	model_init(&m, 0, 12, 40960);
	model_alloc(&m, 100);
	publish(&row, &m);
	zone_set_published(&set, &row, 5000);
	row.copied_ns = 3000; /* a fresher copy of the same zone, from another process */
	model_alloc(&m, 100);
	publish(&row, &m);
	row.copied_ns = 3000;
	zone_set_published(&set, &row, 5000);
	zone_set_finish(&set);
	ck_assert_uint_eq(set.length, 1);
	ck_assert_str_eq(set.zones[0].name.name, "cats");
	ck_assert(set.zones[0].pool && !set.zones[0].walked && set.zones[0].doubt[0]);
	ck_assert_uint_eq(set.zones[0].age_ns, 2000);
	ck_assert_uint_eq(set.zones[0].copy.head.pages_free, 8);
	ck_assert_uint_eq(set.zones[0].copy.head.stats[4].used, 2);
	zone_set_free(&set);
	model_done(&m);
}
END_TEST

START_TEST(unmapped_and_senseless_rows_are_left_out)
{
	struct zone_set set = {0};
	struct hr_zone row = {.address = MODEL_ADDRESS, .size = 4096, .closed_ns = 1};

	zone_set_published(&set, &row, 5000);
	row.closed_ns = row.size = 0;
	zone_set_published(&set, &row, 5000);
	ck_assert_uint_eq(set.length, 0);
	zone_set_finish(&set);
}
END_TEST

START_TEST(a_row_of_noise_is_a_zone_without_slabs)
{
	struct zone_set set = {0};
	struct hr_zone row;

	memset(&row, 0xa5, sizeof(row));
	row.closed_ns = 0;
	zone_set_published(&set, &row, 5000);
	zone_set_finish(&set);
	ck_assert_uint_eq(set.length, 1);
	ck_assert(!set.zones[0].pool);
	ck_assert_str_eq(set.zones[0].name.kind, "other");
	zone_set_free(&set);
}
END_TEST

START_TEST(generations_are_ordered_by_age)
{
	struct zone_set set = {0};
	struct hr_zone row;
	struct model m;

	model_init(&m, 0, 12, 40960);
	publish(&row, &m);
	for (unsigned i = 0; i < 3; i++) {
		row.address = MODEL_ADDRESS + (i << 20);
		row.created_ns = 30 - 10 * i; /* the last one is the oldest */
		zone_set_published(&set, &row, 5000);
	}
	zone_set_finish(&set);
	ck_assert_uint_eq(set.length, 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(set.zones[i].generation, i + 1);
		ck_assert_uint_eq(set.zones[i].start, MODEL_ADDRESS + ((2 - i) << 20));
	}
	zone_set_free(&set);
	model_done(&m);
}
END_TEST

START_TEST(shared_memory_that_is_no_pool_is_listed_once)
{
	struct zone_set set = {0};
	char *shared = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	zone_set_live(&set, (pid_t[]){getpid(), child}, 2);
	zone_set_finish(&set);
	size_t mine = 0;
	for (size_t i = 0; i < set.length; i++) {
		if (set.zones[i].start != (uintptr_t)shared)
			continue;
		mine++;
		ck_assert_uint_eq(set.zones[i].pid_count, 2);
		ck_assert(!set.zones[i].pool);
		if (set.zones[i].origin == ZONE_FROM_OBJECT)
			ck_assert_uint_eq(set.zones[i].resident, 0);
	}
	ck_assert_uint_eq(mine, 1);
	zone_set_free(&set);
	kill(child, SIGKILL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zone_find");
	TCase *tests = tcase_create("find");

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, kinds_of_all_modules);
	tcase_add_test(tests, other_text_is_no_log_context);
	tcase_add_test(tests, overlong_names_are_cut);
	tcase_add_test(tests, published_heads_tell_free_pages_and_slots);
	tcase_add_test(tests, unmapped_and_senseless_rows_are_left_out);
	tcase_add_test(tests, a_row_of_noise_is_a_zone_without_slabs);
	tcase_add_test(tests, generations_are_ordered_by_age);
	tcase_add_test(tests, shared_memory_that_is_no_pool_is_listed_once);
	return run_suite(suite) != 0;
}
