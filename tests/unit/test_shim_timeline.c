/* SPDX-License-Identifier: BSD-2-Clause */
/* test_shim_timeline.c - the ring of points over hours and years: it spans start to now in the same memory. */
#include "timeline.h"
#include "run_suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000000ull
#define GUARD 0xab

/* Exactly one ring, with a page's worth of guard behind it. */
static struct {
	struct hr_point points[HR_TIMELINE_POINTS];
	unsigned char guard[4096];
} ring;
static struct timeline line;

static void begin(void)
{
	memset(&ring, 0, sizeof(ring));
	memset(ring.guard, GUARD, sizeof(ring.guard));
	line = (struct timeline){.points = ring.points, .interval_ns = SECOND};
}

/* Events each `step`: live bytes are the time itself, so that a point can be checked against it. */
static uint64_t feed(uint64_t start, uint64_t duration, uint64_t step)
{
	uint64_t now = start;

	for (; now <= start + duration; now += step) {
		struct hr_point point = {.time_ns = now};
		point.live_bytes[0] = now;
		if (hr_timeline_due(&line, now))
			hr_timeline_add(&line, &point);
	}
	return now - step;
}

static void check_guard(void)
{
	for (size_t i = 0; i < sizeof(ring.guard); i++)
		ck_assert_uint_eq(ring.guard[i], GUARD);
}

START_TEST(ten_hours_span_start_to_now)
{
	const uint64_t start = 5000 * SECOND;
	begin();
	const uint64_t last = feed(start, 36000 * SECOND, SECOND / 4);
	ck_assert_uint_eq(line.points[0].time_ns, start);
	ck_assert_uint_le(last - line.points[line.used - 1].time_ns, line.interval_ns);
	ck_assert_uint_le(line.used, HR_TIMELINE_POINTS);
	ck_assert_uint_ge(line.used, HR_TIMELINE_POINTS / 2);
	check_guard();
}
END_TEST

START_TEST(points_are_evenly_spaced)
{
	begin();
	feed(0, 36000 * SECOND, SECOND / 4);
	for (uint32_t i = 1; i < line.used; i++)
		ck_assert_uint_eq(line.points[i].time_ns - line.points[i - 1].time_ns, line.interval_ns);
}
END_TEST

START_TEST(points_keep_their_values)
{
	begin();
	feed(0, 36000 * SECOND, SECOND / 4);
	for (uint32_t i = 0; i < line.used; i++)
		ck_assert_uint_eq(line.points[i].live_bytes[0], line.points[i].time_ns);
}
END_TEST

START_TEST(resolution_is_halved_when_full)
{
	begin();
	feed(0, (HR_TIMELINE_POINTS - 1) * SECOND, SECOND);
	ck_assert_uint_eq(line.used, HR_TIMELINE_POINTS);
	ck_assert_uint_eq(line.interval_ns, SECOND);
	feed(HR_TIMELINE_POINTS * SECOND, 0, SECOND);
	ck_assert_uint_eq(line.interval_ns, 2 * SECOND);
	ck_assert_uint_eq(line.used, HR_TIMELINE_POINTS / 2 + 1);
}
END_TEST

START_TEST(events_between_points_are_not_kept)
{
	begin();
	feed(0, 10 * SECOND, SECOND / 100);
	ck_assert_uint_eq(line.used, 11);
}
END_TEST

START_TEST(silence_leaves_a_gap_not_a_loss)
{
	begin();
	feed(0, 100 * SECOND, SECOND);
	feed(36000 * SECOND, 100 * SECOND, SECOND);
	ck_assert_uint_eq(line.points[0].time_ns, 0);
	ck_assert_uint_eq(line.points[100].time_ns, 100 * SECOND);
	ck_assert_uint_eq(line.points[101].time_ns, 36000 * SECOND);
	check_guard();
}
END_TEST

START_TEST(ten_years_still_fit)
{
	begin();
	const uint64_t last = feed(0, 10ull * 365 * 86400 * SECOND, 600 * SECOND);
	ck_assert_uint_eq(line.points[0].time_ns, 0);
	ck_assert_uint_le(last - line.points[line.used - 1].time_ns, line.interval_ns);
	check_guard();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("timeline");
	TCase *tests = tcase_create("timeline");

	tcase_add_test(tests, ten_hours_span_start_to_now);
	tcase_add_test(tests, points_are_evenly_spaced);
	tcase_add_test(tests, points_keep_their_values);
	tcase_add_test(tests, resolution_is_halved_when_full);
	tcase_add_test(tests, events_between_points_are_not_kept);
	tcase_add_test(tests, silence_leaves_a_gap_not_a_loss);
	tcase_add_test(tests, ten_years_still_fit);
	suite_add_tcase(suite, tests);
	return run_suite(suite) != 0;
}
