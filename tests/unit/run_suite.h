/* SPDX-License-Identifier: BSD-2-Clause */
/* run_suite.h - runs a suite, as CK_VERBOSITY and its like say. Returns how many of its tests failed. */
#ifndef HEAPRAY_RUN_SUITE_H
#define HEAPRAY_RUN_SUITE_H

#include <check.h>

static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed;
}

#endif
