/* SPDX-License-Identifier: BSD-2-Clause */
/* compare_metric.h - what --metric finds. */
#ifndef HEAPRAY_COMPARE_METRIC_H
#define HEAPRAY_COMPARE_METRIC_H

/*
 * The number that the first match of an extended regular expression (\d, \s, \w too) has in its first group, or in
 * all of it without one. NAN without a match. *bad: the expression does not compile; a sentence.
 */
double metric_find(const char *regex, const char *text, char **bad);

#endif
