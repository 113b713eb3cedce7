/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_table.h - the cells that the text and the Markdown print: a row for each figure, a column for each arm.
 */
#ifndef HEAPRAY_COMPARE_TABLE_H
#define HEAPRAY_COMPARE_TABLE_H

#include "compare.h"

struct table_row {
	const char *title; /* of a group: the row has no cells */
	const char *label;
	char **cells; /* one an arm */
};

struct table {
	struct table_row *rows;
	size_t count, capacity;
};

/* Only figures that some arm has. */
void table_build(const struct compare *compare, struct table *table);
/* "5 runs of each arm, interleaved, ...": how it was measured. The caller's. */
char *table_method(const struct compare *compare);
/* "Linux 6.1 x86_64, 2 CPUs (AMD EPYC), 2026-11-25 03:10 UTC" */
char *table_machine(void);
char *table_command(const struct compare *compare);

#endif
