/* SPDX-License-Identifier: BSD-2-Clause */
/* test_trend.c - slopes and verdicts on series whose truth is known. */
#include "trend.h"
#include "run_suite.h"

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define N 60

static double seconds[600], values[600];
static uint64_t state;

/* -1 to 1, the same in every run. */
static double noise(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (double)(int64_t)(state >> 11) / (double)(1ull << 52) - 1;
}

static void clocked(size_t count)
{
	state = 1;
	for (size_t i = 0; i < count; i++)
		seconds[i] = 100 + (double)i;
}

START_TEST(straight_line_is_exact)
{
	clocked(N);
	for (size_t i = 0; i < N; i++)
		values[i] = 5000 + 1024 * (double)i;
	const struct trend t = trend_fit(seconds, NULL, values, N);
	ck_assert_int_eq(t.shape, TREND_GROWING);
	ck_assert_double_eq(t.slope, 1024);
	ck_assert_double_eq(t.low, 1024);
	ck_assert_double_eq(t.high, 1024);
}
END_TEST

START_TEST(wild_points_do_not_move_the_slope)
{
	clocked(N);
	for (size_t i = 0; i < N; i++)
		values[i] = 1024 * (double)i + (i % 7 == 3 ? 1e9 : 0);
	const struct trend t = trend_fit(seconds, NULL, values, N);
	ck_assert_int_eq(t.shape, TREND_GROWING);
	ck_assert_double_eq_tol(t.slope, 1024, 50);
}
END_TEST

START_TEST(interval_holds_the_truth)
{
	int held = 0;
	clocked(N);
	for (int run = 0; run < 200; run++) {
		for (size_t i = 0; i < N; i++)
			values[i] = 100 * (double)i + 3000 * (noise() + noise());
		const struct trend t = trend_fit(seconds, NULL, values, N);
		held += t.low <= 100 && 100 <= t.high;
	}
	ck_assert_int_ge(held, 180);
	ck_assert_int_le(held, 200);
}
END_TEST

START_TEST(noise_is_no_growth)
{
	int grew = 0;
	clocked(N);
	for (int run = 0; run < 300; run++) {
		for (size_t i = 0; i < N; i++)
			values[i] = 1e6 + 1e5 * noise();
		grew += trend_fit(seconds, NULL, values, N).shape == TREND_GROWING;
	}
	ck_assert_int_le(grew, 3); /* 0.5 % of 300 is 1.5 */
}
END_TEST

START_TEST(constant_is_flat)
{
	clocked(N);
	for (size_t i = 0; i < N; i++)
		values[i] = 4096;
	const struct trend t = trend_fit(seconds, NULL, values, N);
	ck_assert_int_eq(t.shape, TREND_FLAT);
	ck_assert_double_eq(t.slope, 0);
}
END_TEST

START_TEST(step_is_a_plateau)
{
	clocked(N);
	for (size_t i = 0; i < N; i++)
		values[i] = i < N / 2 ? 0 : 1e6;
	ck_assert_int_eq(trend_fit(seconds, NULL, values, N).shape, TREND_PLATEAU);
}
END_TEST

START_TEST(filled_cache_is_a_plateau)
{
	clocked(N);
	for (size_t i = 0; i < N; i++)
		values[i] = fmin(1e6, 4e4 * (double)i);
	ck_assert_int_eq(trend_fit(seconds, NULL, values, N).shape, TREND_PLATEAU);
}
END_TEST

START_TEST(filling_cache_is_slowing)
{
	clocked(N);
	for (size_t i = 0; i < N; i++)
		values[i] = 1e6 * (1 - exp(-(double)i / 20));
	ck_assert_int_eq(trend_fit(seconds, NULL, values, N).shape, TREND_SLOWING);
}
END_TEST

START_TEST(fill_at_once_then_a_drift_is_slowing)
{
	clocked(20);
	for (size_t i = 0; i < 20; i++)
		values[i] = fmin(1e5, 3e4 * (double)i) + 1000 * (double)i;
	const enum trend_shape shape = trend_fit(seconds, NULL, values, 20).shape;
	ck_assert(shape == TREND_SLOWING || shape == TREND_PLATEAU);
}
END_TEST

START_TEST(falling_is_told)
{
	clocked(N);
	for (size_t i = 0; i < N; i++)
		values[i] = 1e6 - 100 * (double)i;
	ck_assert_int_eq(trend_fit(seconds, NULL, values, N).shape, TREND_FALLING);
}
END_TEST

START_TEST(sawtooth_on_a_slope_grows)
{
	clocked(N);
	for (size_t i = 0; i < N; i++)
		values[i] = 2000 * (double)i + 10000 * (double)(i % 9);
	const struct trend t = trend_fit(seconds, NULL, values, N);
	ck_assert_int_eq(t.shape, TREND_GROWING);
	ck_assert_double_eq_tol(t.slope, 2000, 200);
}
END_TEST

START_TEST(load_that_ends_is_no_plateau)
{
	double effort[N];
	clocked(N);
	for (size_t i = 0; i < N; i++) {
		effort[i] = i < 40 ? 100 * (double)i : 4000; /* nothing is asked of it any more */
		values[i] = 10 * effort[i];
	}
	ck_assert_int_eq(trend_fit(seconds, effort, values, N).shape, TREND_GROWING);
	ck_assert_int_eq(trend_fit(seconds, NULL, values, N).shape, TREND_PLATEAU);
}
END_TEST

START_TEST(few_points_are_too_little)
{
	clocked(N);
	for (size_t i = 0; i < N; i++)
		values[i] = (double)i;
	ck_assert_int_eq(trend_fit(seconds, NULL, values, TREND_FEWEST - 1).shape, TREND_TOO_LITTLE);
	ck_assert_int_eq(trend_fit(seconds, NULL, values, 0).shape, TREND_TOO_LITTLE);
	ck_assert_int_eq(trend_fit(seconds, NULL, values, TREND_FEWEST).shape, TREND_GROWING);
}
END_TEST

START_TEST(long_series_are_thinned)
{
	clocked(600);
	for (size_t i = 0; i < 600; i++)
		values[i] = 7 * (double)i;
	ck_assert_double_eq_tol(trend_fit(seconds, NULL, values, 600).slope, 7, 1e-9);
}
END_TEST

START_TEST(time_to_a_limit)
{
	ck_assert_double_eq(trend_seconds_to(1000, 3000, 100), 20);
	ck_assert_double_eq(trend_seconds_to(3000, 3000, 0), 0);
	ck_assert(isinf(trend_seconds_to(1000, 3000, 0)));
	ck_assert(isinf(trend_seconds_to(1000, 3000, -5)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trend");
	TCase *tests = tcase_create("trend");

	tcase_add_test(tests, straight_line_is_exact);
	tcase_add_test(tests, wild_points_do_not_move_the_slope);
	tcase_add_test(tests, interval_holds_the_truth);
	tcase_add_test(tests, noise_is_no_growth);
	tcase_add_test(tests, constant_is_flat);
	tcase_add_test(tests, step_is_a_plateau);
	tcase_add_test(tests, filled_cache_is_a_plateau);
	tcase_add_test(tests, filling_cache_is_slowing);
	tcase_add_test(tests, fill_at_once_then_a_drift_is_slowing);
	tcase_add_test(tests, falling_is_told);
	tcase_add_test(tests, sawtooth_on_a_slope_grows);
	tcase_add_test(tests, load_that_ends_is_no_plateau);
	tcase_add_test(tests, few_points_are_too_little);
	tcase_add_test(tests, long_series_are_thinned);
	tcase_add_test(tests, time_to_a_limit);
	suite_add_tcase(suite, tests);
	return run_suite(suite) != 0;
}
