/* SPDX-License-Identifier: BSD-2-Clause */
/* compare_markdown.c - the comparison for a pull request, and as comma-separated values: a line for every run. */
#include "compare_table.h"

#include "text.h"
#include "xalloc.h"

#include <math.h>

/* A '|' would end the cell. */
static void cell(const char *text)
{
	fputs(" ", stdout);
	for (; *text; text++)
		printf(*text == '|' ? "\\%c" : "%c", *text);
	fputs(" |", stdout);
}

void compare_print_markdown(const struct compare *compare)
{
	struct table table;
	char *command = table_command(compare), *method = table_method(compare), *machine = table_machine();

	printf("### `%s`\n\n", text_safe(command, 300));
	if (compare->load)
		printf("Load: `%s`. ", text_safe(compare->load, 300));
	printf("%s. %s.\n\n| |", method, machine);
	table_build(compare, &table);
	for (size_t i = 0; i < compare->arm_count; i++)
		cell(compare->arms[i].name);
	fputs("\n|---|", stdout);
	for (size_t i = 0; i < compare->arm_count; i++)
		fputs("---:|", stdout);
	putchar('\n');
	for (size_t i = 0; i < table.count; i++) {
		const struct table_row *row = &table.rows[i];
		if (row->title)
			printf("| *%s* |", row->title);
		else
			printf("| %s |", row->label);
		for (size_t k = 0; k < compare->arm_count; k++)
			cell(row->title ? "" : row->cells[k]);
		putchar('\n');
	}
	putchar('\n');
	for (size_t i = 0; i < compare->verdict_count; i++)
		printf("- %s\n", text_safe(compare->verdict[i], 500));
	putchar('\n');
	quality_print(&compare->quality, stdout);
	free(command);
	free(method);
	free(machine);
}

/* ---- csv ----------------------------------------------------------------------------------- */

static void quoted(const char *text)
{
	putchar('"');
	for (; *text; text++)
		printf(*text == '"' ? "\"%c" : "%c", *text);
	putchar('"');
}

static void print_runs(const struct arm *arm, const struct run *runs, size_t count, const char *kind)
{
	for (size_t i = 0; i < count; i++) {
		quoted(arm->name);
		printf(",%s,%zu,%d", kind, i + 1, runs[i].exit_status);
		for (enum figure f = 0; f < FIGURE_COUNT; f++) {
			const enum unit unit = figures_info[f].unit;
			if (isnan(runs[i].value[f]))
				putchar(',');
			else
				printf(unit == UNIT_BYTES || unit == UNIT_COUNT ? ",%.0f" : ",%.9g", runs[i].value[f]);
		}
		putchar('\n');
	}
}

void compare_print_csv(const struct compare *compare)
{
	fputs("allocator,kind,run,exit_status", stdout);
	for (enum figure f = 0; f < FIGURE_COUNT; f++)
		printf(",%s", figures_info[f].id);
	putchar('\n');
	for (size_t i = 0; i < compare->arm_count; i++) {
		const struct arm *arm = &compare->arms[i];
		if (arm->void_why) {
			quoted(arm->name);
			printf(",void,,");
			for (enum figure f = 0; f < FIGURE_COUNT; f++)
				putchar(',');
			putchar('\n');
			continue;
		}
		print_runs(arm, arm->watched, arm->watched_count, "watched");
		print_runs(arm, arm->bare, arm->bare_count, "bare");
	}
}
