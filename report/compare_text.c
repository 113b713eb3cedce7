/* SPDX-License-Identifier: BSD-2-Clause */
/* compare_text.c - the comparison as a table for people, the verdict below it. */
#include "compare_table.h"

#include "text.h"
#include "xalloc.h"

/* What it takes on the screen: "±" is two bytes. */
static int width_of(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void pad(const char *text, int width)
{
	printf("%*s%s", width > width_of(text) ? width - width_of(text) : 0, "", text);
}

/* Columns of arms with long names are as wide as their cells; then the names stand below each other above. */
static int column_width(const struct compare *compare, const struct table *table, size_t arm)
{
	int width = width_of(compare->arms[arm].name);

	if (width > 16)
		width = 4;
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].cells && width_of(table->rows[i].cells[arm]) > width)
			width = width_of(table->rows[i].cells[arm]);
	return width + 2;
}

static void print_head(const struct compare *compare)
{
	char *command = table_command(compare), *method = table_method(compare), *machine = table_machine();

	printf("%scompare%s %s\n", text_bold(), text_reset(), text_safe(command, 300));
	if (compare->load)
		printf("load    %s\n", text_safe(compare->load, 300));
	printf("%s\n%s\n\n", method, machine);
	free(command);
	free(method);
	free(machine);
}

static void print_names(const struct compare *compare, const int *widths)
{
	for (size_t i = 0; i < compare->arm_count; i++)
		if (width_of(compare->arms[i].name) > 16)
			printf("  [%zu] %s\n", i + 1, text_safe(compare->arms[i].name, 200));
	printf("%-26s%s", "", text_bold());
	for (size_t i = 0; i < compare->arm_count; i++) {
		char *number = xasprintf("[%zu]", i + 1);
		pad(width_of(compare->arms[i].name) > 16 ? number : compare->arms[i].name, widths[i]);
		free(number);
	}
	printf("%s\n", text_reset());
}

static void print_table(const struct compare *compare, const struct table *table)
{
	int *widths = xcalloc(compare->arm_count, sizeof(*widths));

	for (size_t i = 0; i < compare->arm_count; i++)
		widths[i] = column_width(compare, table, i);
	print_names(compare, widths);
	for (size_t i = 0; i < table->count; i++) {
		const struct table_row *row = &table->rows[i];
		if (row->title) {
			printf("%s%s%s\n", text_dim(), row->title, text_reset());
			continue;
		}
		printf("  %-24s", row->label);
		for (size_t k = 0; k < compare->arm_count; k++)
			pad(row->cells[k], widths[k]);
		putchar('\n');
	}
	free(widths);
}

void compare_print(const struct compare *compare)
{
	struct table table;

	print_head(compare);
	table_build(compare, &table);
	if (table.count)
		print_table(compare, &table);
	printf("\n%sserved by%s\n", text_bold(), text_reset());
	for (size_t i = 0; i < compare->arm_count; i++) {
		const struct arm *arm = &compare->arms[i];
		printf("  %s: %s%s%s\n", text_safe(arm->name, 200), arm->void_why ? text_red() : "",
			arm->void_why ? "void" : text_safe(arm->served_by ? arm->served_by : "unknown", 300), text_reset());
	}
	printf("\n%sverdict%s\n", text_bold(), text_reset());
	for (size_t i = 0; i < compare->verdict_count; i++)
		printf("  %s\n", text_safe(compare->verdict[i], 500));
	putchar('\n');
	quality_print(&compare->quality, stdout);
}
