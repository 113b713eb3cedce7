/* SPDX-License-Identifier: BSD-2-Clause */
/* test_growth.c - survivors by age, limits of cgroups, marks: the parts of `growth` whose input can be made up. */
#include "growth_ages.h"
#include "growth_limit.h"
#include "marks.h"
#include "run_suite.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUCKET 4000000000ull
#define BLOCK 1024.0

/* ---- ages ---------------------------------------------------------------------------------- */

static struct age_row row;

static void born(size_t from, size_t to, double blocks)
{
	for (size_t b = from; b < to; b++) {
		row.count[b] += blocks;
		row.bytes[b] += blocks * BLOCK;
	}
}

START_TEST(survivors_of_all_times_leak)
{
	row = (struct age_row){0};
	born(0, 24, 40);
	ages_judge(&row, 24, BUCKET);
	ck_assert(row.leaking);
	ck_assert_double_eq_tol(row.rate, 40 * BLOCK / 4, 1e-6);
	ck_assert_double_le(row.low, row.rate);
	ck_assert_double_ge(row.high, row.rate);
}
END_TEST

START_TEST(young_survivors_are_churn)
{
	row = (struct age_row){0};
	born(20, 24, 4000);
	ages_judge(&row, 24, BUCKET);
	ck_assert(!row.leaking);
}
END_TEST

START_TEST(old_survivors_are_a_plateau)
{
	row = (struct age_row){0};
	born(0, 6, 4000);
	ages_judge(&row, 24, BUCKET);
	ck_assert(!row.leaking);
}
END_TEST

START_TEST(full_cache_with_turnover_is_no_leak)
{
	row = (struct age_row){0};
	born(15, 24, 100); /* keeps things for 9 buckets, then drops them */
	ages_judge(&row, 24, BUCKET);
	ck_assert(!row.leaking);
}
END_TEST

START_TEST(a_few_survivors_are_no_leak)
{
	row = (struct age_row){0};
	born(0, 24, 1);
	ages_judge(&row, 24, BUCKET);
	ck_assert(!row.leaking);
}
END_TEST

/* ---- cgroups ------------------------------------------------------------------------------- */

static char root[] = "/tmp/heapray-unit.XXXXXX", membership[64];

static void put(const char *path, const char *text)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	FILE *file = fopen(whole, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void make(const char *path)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	ck_assert_int_eq(mkdir(whole, 0700), 0);
}

static void set_up(void)
{
	strcpy(root + strlen(root) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(membership, sizeof(membership), "%s/membership", root);
}

static void tear_down(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(version_2_takes_the_tightest_on_the_way)
{
	uint64_t limit = 0, usage = 0;
	make("system");
	make("system/nginx");
	put("membership", "0::/system/nginx\n");
	put("system/memory.max", "1000000\n");
	put("system/memory.current", "400000\n");
	put("system/nginx/memory.max", "2000000\n");
	put("system/nginx/memory.current", "300000\n");
	ck_assert(cgroup_limit(root, membership, &limit, &usage));
	ck_assert_uint_eq(limit, 1000000);
	ck_assert_uint_eq(usage, 400000);
}
END_TEST

START_TEST(version_2_without_a_limit)
{
	uint64_t limit, usage;
	make("nginx");
	put("membership", "0::/nginx\n");
	put("nginx/memory.max", "max\n");
	put("nginx/memory.current", "300000\n");
	ck_assert(!cgroup_limit(root, membership, &limit, &usage));
}
END_TEST

START_TEST(version_1_is_read_too)
{
	uint64_t limit = 0, usage = 0;
	make("memory");
	make("memory/docker");
	put("membership", "12:cpu,cpuacct:/x\n5:memory:/docker/not-mounted-here\n1:name=systemd:/y\n");
	put("memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("memory/memory.usage_in_bytes", "900000\n");
	put("memory/docker/memory.limit_in_bytes", "500000\n");
	put("memory/docker/memory.usage_in_bytes", "100000\n");
	ck_assert(cgroup_limit(root, membership, &limit, &usage));
	ck_assert_uint_eq(limit, 500000);
	ck_assert_uint_eq(usage, 100000);
}
END_TEST

START_TEST(no_membership_is_no_limit)
{
	uint64_t limit, usage;
	ck_assert(!cgroup_limit(root, membership, &limit, &usage));
}
END_TEST

/* ---- marks --------------------------------------------------------------------------------- */

START_TEST(marks_are_beside_the_segment)
{
	char *path = marks_path("/dev/shm/heapray.0/12.345.seg");
	ck_assert_str_eq(path, "/dev/shm/heapray.0/12.345.marks");
	free(path);
}
END_TEST

START_TEST(marks_are_written_and_read)
{
	char segment_path[64];
	snprintf(segment_path, sizeof(segment_path), "%s/1.2.seg", root);
	struct segment segment = {.path = segment_path};
	struct process process = {.segment = &segment};
	const struct family family = {.members = &process, .count = 1};
	struct mark *marks;
	uint64_t ns = 0;
	ck_assert_int_eq(marks_write(&family, "first one"), 0);
	ck_assert_int_eq(marks_write(&family, "second"), 0);
	ck_assert_int_eq(marks_write(&family, "first one"), 0);
	ck_assert_uint_eq(marks_read(&family, &marks), 2);
	ck_assert_str_eq(marks[0].name, "first one");
	ck_assert_str_eq(marks[1].name, "second");
	ck_assert(marks_since(&family, "first one", &ns));
	ck_assert_uint_eq(ns, marks[0].last_ns); /* set again: since then */
	ck_assert_uint_gt(ns, marks[1].first_ns);
	free(marks);
}
END_TEST

START_TEST(names_that_break_the_file_are_refused)
{
	struct segment segment = {.path = "/nowhere/1.2.seg"};
	struct process process = {.segment = &segment};
	const struct family family = {.members = &process, .count = 1};
	ck_assert_int_eq(marks_write(&family, "two\nlines"), -1);
	ck_assert_int_eq(marks_write(&family, ""), -1);
	ck_assert_int_eq(marks_write(&family, " space"), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("growth");
	TCase *ages = tcase_create("ages"), *files = tcase_create("files");

	tcase_add_test(ages, survivors_of_all_times_leak);
	tcase_add_test(ages, young_survivors_are_churn);
	tcase_add_test(ages, old_survivors_are_a_plateau);
	tcase_add_test(ages, full_cache_with_turnover_is_no_leak);
	tcase_add_test(ages, a_few_survivors_are_no_leak);
	tcase_add_checked_fixture(files, set_up, tear_down);
	tcase_add_test(files, version_2_takes_the_tightest_on_the_way);
	tcase_add_test(files, version_2_without_a_limit);
	tcase_add_test(files, version_1_is_read_too);
	tcase_add_test(files, no_membership_is_no_limit);
	tcase_add_test(files, marks_are_beside_the_segment);
	tcase_add_test(files, marks_are_written_and_read);
	tcase_add_test(files, names_that_break_the_file_are_refused);
	suite_add_tcase(suite, ages);
	suite_add_tcase(suite, files);
	return run_suite(suite) != 0;
}
