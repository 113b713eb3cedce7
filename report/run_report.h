/* SPDX-License-Identifier: BSD-2-Clause */
/* run_report.h - `heapray run --report`: start, wait for the whole family, report. */
#ifndef HEAPRAY_RUN_REPORT_H
#define HEAPRAY_RUN_REPORT_H

#include "options.h"

#include <stdio.h>

/*
 * Runs the program, passes on signals, waits until it and all it forked have ended, writes a report of
 * what was live then to `out`. Returns the program's status, or 128 and its signal's number.
 */
int run_and_report(const char *path, char **argv, const struct options *options, FILE *out);

#endif
