/* SPDX-License-Identifier: BSD-2-Clause */
/* test_compare.c - the arithmetic of a comparison, what is parsed for it, and what is said of made-up runs. */
#include "compare.h"
#include "compare_metric.h"
#include "compare_ready.h"
#include "compare_sizes.h"
#include "compare_stats.h"
#include "run_suite.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUES(...) ((double[]){__VA_ARGS__}), sizeof((double[]){__VA_ARGS__}) / sizeof(double)

/* ---- arithmetic ---------------------------------------------------------------------------- */

START_TEST(median_of_odd_even_and_none)
{
	ck_assert_double_eq(stats_median(VALUES(3, 1, 2)), 2);
	ck_assert_double_eq(stats_median(VALUES(4, 1, 2, 3)), 2.5);
	ck_assert(isnan(stats_median(NULL, 0)));
	ck_assert_double_eq(stats_spread(VALUES(4, 1, 7)), 3);
}
END_TEST

/* By hand: of C(10,5) = 252 orders two are as uneven as this one. */
START_TEST(probability_of_two_sets_apart)
{
	ck_assert_double_eq_tol(stats_probability(VALUES(1, 2, 3, 4, 5), VALUES(6, 7, 8, 9, 10)), 2.0 / 252, 1e-12);
	ck_assert_double_eq_tol(stats_probability(VALUES(6, 7, 8), VALUES(1, 2, 3)), 2.0 / 20, 1e-12);
	/* rank sums 3 to 7 of two of four: 3 4 5 5 6 7 */
	ck_assert_double_eq_tol(stats_probability(VALUES(1, 3), VALUES(2, 4)), 4.0 / 6, 1e-12);
}
END_TEST

START_TEST(probability_of_equal_sets_is_1)
{
	ck_assert_double_eq(stats_probability(VALUES(5, 5, 5), VALUES(5, 5, 5)), 1);
	ck_assert_double_eq(stats_probability(VALUES(1, 4), VALUES(2, 3)), 1);
	ck_assert_double_eq(stats_probability(NULL, 0, VALUES(1, 2)), 1);
}
END_TEST

/* Ties share their ranks: {1,2,2} against {2,3,3}, doubled 2 6 6 6 11 11. The first has 14 of an expected 21. */
START_TEST(probability_with_ties_is_that_of_counting_all)
{
	const double all[] = {1, 2, 2, 2, 3, 3};
	const int ranks[] = {2, 6, 6, 6, 11, 11};
	int extreme = 0, ways = 0;
	for (int mask = 0; mask < 64; mask++) {
		if (__builtin_popcount(mask) != 3)
			continue;
		int sum = 0;
		for (int i = 0; i < 6; i++)
			sum += mask >> i & 1 ? ranks[i] : 0;
		ways++;
		extreme += abs(sum - 21) >= 21 - 14;
	}
	ck_assert_double_eq_tol(stats_probability(all, 3, all + 3, 3), (double)extreme / ways, 1e-12);
}
END_TEST

START_TEST(many_values_go_by_the_normal_curve)
{
	double a[40], b[40];
	for (int i = 0; i < 40; i++) {
		a[i] = i;
		b[i] = i + 0.5;
	}
	ck_assert_double_gt(stats_probability(a, 40, b, 40), 0.8);
	for (int i = 0; i < 40; i++)
		b[i] = i + 30;
	ck_assert_double_lt(stats_probability(a, 40, b, 40), 1e-6);
}
END_TEST

START_TEST(holm_grows_with_the_number_of_tests)
{
	double p[] = {0.04, 0.01, 0.03};
	stats_holm(p, 3);
	ck_assert_double_eq_tol(p[1], 0.03, 1e-12); /* 3 x */
	ck_assert_double_eq_tol(p[2], 0.06, 1e-12); /* 2 x */
	ck_assert_double_eq_tol(p[0], 0.06, 1e-12); /* 1 x, but not below the one before */
	double q[] = {0.9, 0.8};
	stats_holm(q, 2);
	ck_assert_double_eq(q[0], 1);
	ck_assert_double_eq(q[1], 1);
}
END_TEST

START_TEST(slope_is_not_tilted_by_an_outlier)
{
	const double x[] = {0, 1, 2, 3, 4, 5, 6}, y[] = {10, 12, 14, 900, 18, 20, 22};
	ck_assert_double_eq(stats_slope(x, y, 7), 2);
	ck_assert(isnan(stats_slope(x, y, 2)));
}
END_TEST

/* ---- parsing ------------------------------------------------------------------------------- */

START_TEST(arms_with_commas_and_colons_in_their_values)
{
	struct compare c = {0};
	ck_assert_int_eq(compare_arms(&c, "glibc,glibc:MALLOC_ARENA_MAX=1:MALLOC_TOP_PAD_=0,glibc:GLIBC_TUNABLES=glibc.malloc.arena_max=1:"
				      "glibc.malloc.tcache_count=0,/bin/sh:MALLOC_CONF=narenas:1,dirty_decay_ms:0:x=1,/bin/ls"), 0);
	ck_assert_uint_eq(c.arm_count, 5);
	ck_assert_str_eq(c.arms[0].name, "glibc");
	ck_assert_uint_eq(c.arms[0].variable_count, 0);
	ck_assert_ptr_nonnull(strstr(c.arms[0].library, "libc.so.6"));
	ck_assert_uint_eq(c.arms[1].variable_count, 2);
	ck_assert_str_eq(c.arms[1].variables[1], "MALLOC_TOP_PAD_=0");
	ck_assert_uint_eq(c.arms[2].variable_count, 1);
	ck_assert_str_eq(c.arms[2].variables[0], "GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0");
	ck_assert_uint_eq(c.arms[3].variable_count, 1);
	ck_assert_str_eq(c.arms[3].variables[0], "MALLOC_CONF=narenas:1,dirty_decay_ms:0:x=1");
	ck_assert_str_eq(c.arms[3].allocator, "/bin/sh");
	ck_assert_str_eq(c.arms[4].name, "/bin/ls");
}
END_TEST

START_TEST(arms_that_are_none)
{
	struct compare c = {0};
	ck_assert_int_eq(compare_arms(&c, "hoard"), -1);
	ck_assert_int_eq(compare_arms(&(struct compare){0}, ""), -1);
	ck_assert_int_eq(compare_arms(&(struct compare){0}, "glibc,glibc"), -1);
	ck_assert_int_eq(compare_arms(&(struct compare){0}, "glibc:fast"), -1);
}
END_TEST

START_TEST(a_missing_library_is_a_void_arm)
{
	struct compare c = {0};
	ck_assert_int_eq(compare_arms(&c, "glibc,/nowhere/libfast.so"), 0);
	ck_assert_ptr_null(c.arms[0].void_why);
	ck_assert_ptr_nonnull(c.arms[1].void_why);
}
END_TEST

START_TEST(ready_in_its_four_kinds)
{
	struct ready r;
	ck_assert_int_eq(ready_parse("http://localhost:8080/up?x", &r), 0);
	ck_assert_int_eq(r.kind, READY_URL);
	ck_assert_str_eq(r.host, "localhost");
	ck_assert_str_eq(r.port, "8080");
	ck_assert_str_eq(r.path, "/up?x");
	ck_assert_int_eq(ready_parse("http://127.0.0.1", &r), 0);
	ck_assert_str_eq(r.port, "80");
	ck_assert_str_eq(r.path, "/");
	ck_assert_int_eq(ready_parse("21700", &r), 0);
	ck_assert_int_eq(r.kind, READY_PORT);
	ck_assert_int_eq(ready_parse(":25", &r), 0);
	ck_assert_int_eq(r.kind, READY_PORT);
	ck_assert_str_eq(r.host, "127.0.0.1");
	ck_assert_int_eq(ready_parse("5", &r), 0);
	ck_assert_int_eq(r.kind, READY_TIME);
	ck_assert_uint_eq(r.ns, 5000000000u);
	ck_assert_int_eq(ready_parse("90s", &r), 0);
	ck_assert_int_eq(r.kind, READY_TIME);
	ck_assert_int_eq(ready_parse("run/x.pid", &r), 0);
	ck_assert_int_eq(r.kind, READY_FILE);
	ck_assert_int_eq(ready_parse("https://localhost/", &r), -1);
	ck_assert_int_eq(ready_parse("", &r), -1);
}
END_TEST

START_TEST(a_file_from_before_the_start_is_not_ready)
{
	char path[] = "/tmp/test_compare.XXXXXX";
	struct ready r;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	close(mkstemp(path));
	ck_assert_int_eq(ready_parse(path, &r), 0);
	ck_assert(ready_yet(&r, 0, now));
	now.tv_sec += 100;
	ck_assert(!ready_yet(&r, 0, now));
	unlink(path);
	ck_assert(!ready_yet(&r, 0, (struct timespec){0}));
}
END_TEST

START_TEST(metrics)
{
	char *bad;
	ck_assert_double_eq(metric_find("SET: ([0-9.]+)", "GET: 1\nSET: 1234.5 requests per second\nSET: 9\n", &bad), 1234.5);
	ck_assert_ptr_null(bad);
	ck_assert_double_eq(metric_find("Requests/sec:\\s+([\\d.]+)", "Requests/sec:   8123.4\n", &bad), 8123.4);
	ck_assert_double_eq(metric_find("took \\d+ ms", "it took 17 ms", &bad), 17);
	ck_assert_double_eq(metric_find("^x=(-?\\d+)", "ax=3\nx=-4\n", &bad), -4);
	ck_assert(isnan(metric_find("nothing", "of it", &bad)));
	ck_assert_ptr_null(bad);
	ck_assert(isnan(metric_find("a(b", "", &bad)));
	ck_assert_ptr_nonnull(bad);
}
END_TEST

START_TEST(sizes_fold_to_classes)
{
	struct sizes sizes = {0};
	struct size_class *classes;
	struct compare glibc = {0};
	uint64_t count = 0, requested = 0;
	ck_assert_int_eq(compare_arms(&glibc, "glibc"), 0);
	for (uint64_t size = 1; size <= 2000; size++)
		sizes_add(&sizes, size, 2);
	sizes_add(&sizes, 100, 5);
	const size_t used = sizes_classes(&sizes, glibc.arms, &classes);
	for (size_t i = 0; i < used; i++) {
		ck_assert(i == 0 || classes[i].up_to > classes[i - 1].up_to);
		ck_assert_uint_ge(classes[i].usable, classes[i].requested);
		count += classes[i].count;
		requested += classes[i].requested;
	}
	ck_assert_uint_eq(count, 4005);
	ck_assert_uint_eq(requested, 2000 * 2001 + 500);
	ck_assert_uint_eq(classes[0].up_to, 8);
	ck_assert_uint_eq(classes[0].count, 16);
	ck_assert_uint_eq(classes[0].usable, 16 * 24); /* glibc's smallest block */
	ck_assert_uint_eq(classes[used - 1].up_to, 2048);
	sizes_free(&sizes);
}
END_TEST

/* ---- the verdict --------------------------------------------------------------------------- */

static void add(struct arm *arm, double wall, double allocations)
{
	struct run run = {0};
	for (int f = 0; f < FIGURE_COUNT; f++)
		run.value[f] = NAN;
	run.value[F_WALL] = wall;
	run.value[F_ALLOCATIONS] = allocations;
	arm->watched = realloc(arm->watched, (arm->watched_count + 1) * sizeof(run));
	arm->watched[arm->watched_count++] = run;
}

static struct compare two_arms(const double *a, const double *b, size_t count, double more)
{
	struct compare c = {.arm_count = 2, .runs = count};
	c.arms = calloc(2, sizeof(*c.arms));
	c.arms[0].name = "glibc";
	c.arms[1].name = "jemalloc";
	for (size_t i = 0; i < count; i++) {
		add(&c.arms[0], a[i], 1000);
		add(&c.arms[1], b[i], 1000 + more);
	}
	compare_judge(&c);
	return c;
}

static bool says(const struct compare *c, const char *what)
{
	for (size_t i = 0; i < c->verdict_count; i++)
		if (strstr(c->verdict[i], what))
			return true;
	for (size_t i = 0; i < c->verdict_count; i++)
		printf("%s\n", c->verdict[i]);
	return false;
}

START_TEST(a_difference_is_told_with_confidence)
{
	const double a[] = {1, 1.01, 1.02, 1.03, 1.04}, b[] = {1.5, 1.51, 1.52, 1.53, 1.54};
	const struct compare c = two_arms(a, b, 5, 0);
	ck_assert(says(&c, "wall time: glibc lowest, 1.02 s; jemalloc +49.0 % (99 % confidence)"));
	ck_assert(says(&c, "same events: 1,000 allocations in every run of every arm"));
}
END_TEST

START_TEST(noise_is_no_difference)
{
	const double a[] = {1, 1.1, 1.2, 1.3, 1.4}, b[] = {1.15, 1.25, 1.35, 1.45, 1.55};
	const struct compare c = two_arms(a, b, 5, 0);
	ck_assert(says(&c, "wall time: no difference beyond noise"));
}
END_TEST

/* As sure as can be, and of no use to anybody. */
START_TEST(less_than_a_percent_is_no_difference)
{
	const double a[] = {1.001, 1.002, 1.003, 1.004, 1.005}, b[] = {1.006, 1.007, 1.008, 1.009, 1.0095};
	const struct compare c = two_arms(a, b, 5, 0);
	ck_assert(says(&c, "wall time: no difference beyond noise"));
}
END_TEST

START_TEST(few_runs_are_said_to_be_few)
{
	const double a[] = {1, 1.01, 1.02}, b[] = {1.5, 1.51, 1.52};
	const struct compare c = two_arms(a, b, 3, 0);
	ck_assert(says(&c, "too few runs to tell that from noise: 3 of each, 4 would do"));
}
END_TEST

START_TEST(other_events_are_said_to_be)
{
	const double a[] = {1, 2, 3};
	const struct compare c = two_arms(a, a, 3, 1);
	ck_assert(says(&c, "not the same events: glibc 1,000, jemalloc 1,001 allocations"));
}
END_TEST

START_TEST(a_void_arm_is_not_compared)
{
	struct compare c = {.arm_count = 2, .runs = 1, .arms = calloc(2, sizeof(struct arm))};
	c.arms[0].name = "glibc";
	c.arms[1].name = "jemalloc";
	c.arms[1].void_why = (char *)"not what served it";
	add(&c.arms[0], 1, 1);
	compare_judge(&c);
	ck_assert(says(&c, "jemalloc: void: not what served it"));
	ck_assert(says(&c, "one arm alone"));
}
END_TEST

/* Figures that need no shim are those of the bare runs. */
START_TEST(the_shim_does_not_decide)
{
	struct arm arm = {.name = "glibc"};
	add(&arm, 2, 10);
	arm.bare = calloc(1, sizeof(struct run));
	arm.bare_count = 1;
	arm.bare[0].value[F_WALL] = 1;
	ck_assert_double_eq(arm_median(&arm, F_WALL), 1);
	ck_assert_double_eq(arm_median(&arm, F_ALLOCATIONS), 10);
}
END_TEST

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[2], "--probe") == 0) /* as heapray is started to ask an allocator */
		return sizes_probe();
	Suite *suite = suite_create("compare");
	TCase *t = tcase_create("compare");

	tcase_add_test(t, median_of_odd_even_and_none);
	tcase_add_test(t, probability_of_two_sets_apart);
	tcase_add_test(t, probability_of_equal_sets_is_1);
	tcase_add_test(t, probability_with_ties_is_that_of_counting_all);
	tcase_add_test(t, many_values_go_by_the_normal_curve);
	tcase_add_test(t, holm_grows_with_the_number_of_tests);
	tcase_add_test(t, slope_is_not_tilted_by_an_outlier);
	tcase_add_test(t, arms_with_commas_and_colons_in_their_values);
	tcase_add_test(t, arms_that_are_none);
	tcase_add_test(t, a_missing_library_is_a_void_arm);
	tcase_add_test(t, ready_in_its_four_kinds);
	tcase_add_test(t, a_file_from_before_the_start_is_not_ready);
	tcase_add_test(t, metrics);
	tcase_add_test(t, sizes_fold_to_classes);
	tcase_add_test(t, a_difference_is_told_with_confidence);
	tcase_add_test(t, noise_is_no_difference);
	tcase_add_test(t, less_than_a_percent_is_no_difference);
	tcase_add_test(t, few_runs_are_said_to_be_few);
	tcase_add_test(t, other_events_are_said_to_be);
	tcase_add_test(t, a_void_arm_is_not_compared);
	tcase_add_test(t, the_shim_does_not_decide);
	suite_add_tcase(suite, t);
	return run_suite(suite) != 0;
}
