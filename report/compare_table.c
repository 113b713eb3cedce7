/* SPDX-License-Identifier: BSD-2-Clause */
/* compare_table.c - fills the table, and the lines above it that say how and where it was measured. */
#include "compare_table.h"

#include "text.h"
#include "xalloc.h"

#include <math.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static struct table_row *add_row(const struct compare *compare, struct table *table, const char *label)
{
	xgrow(table->rows, table->count, table->capacity);
	struct table_row *row = &table->rows[table->count++];
	*row = (struct table_row){.label = label, .cells = xcalloc(compare->arm_count, sizeof(*row->cells))};
	return row;
}

static void add_title(struct table *table, const char *title)
{
	xgrow(table->rows, table->count, table->capacity);
	table->rows[table->count++] = (struct table_row){.title = title};
}

/* "12.3 MiB ±4%"; without the spread where there is none. */
static char *cell(const struct arm *arm, enum figure figure)
{
	const double median = arm->void_why ? NAN : arm_median(arm, figure), spread = arm->void_why ? 0 : arm_spread(arm, figure);
	const double percent = median != 0 ? 100 * spread / fabs(median) : 0;

	if (figures_info[figure].unit == UNIT_PLAIN || isnan(median) || percent < 0.05)
		return xstrdup(arm->void_why ? "void" : figure_text(figure, median));
	return xasprintf("%s ±%.*f%%", figure_text(figure, median), percent < 9.95 ? 1 : 0, percent);
}

static bool any_has(const struct compare *compare, enum figure figure)
{
	for (size_t i = 0; i < compare->arm_count; i++)
		if (!compare->arms[i].void_why && !isnan(arm_median(&compare->arms[i], figure)))
			return true;
	return false;
}

static void add_figures(const struct compare *compare, struct table *table, enum figure from, enum figure to)
{
	for (enum figure f = from; f < to; f++) {
		if (!any_has(compare, f) || f == F_CPU || (f == F_GROWTH && !compare->load))
			continue;
		struct table_row *row = add_row(compare, table, figures_info[f].label);
		for (size_t i = 0; i < compare->arm_count; i++)
			row->cells[i] = cell(&compare->arms[i], f);
	}
}

/* Watched less bare. */
static void add_cost(const struct compare *compare, struct table *table, enum figure figure)
{
	struct table_row *row = add_row(compare, table, figures_info[figure].label);

	for (size_t i = 0; i < compare->arm_count; i++) {
		const struct arm *arm = &compare->arms[i];
		const double bare = runs_median(arm->bare, arm->bare_count, figure);
		const double watched = runs_median(arm->watched, arm->watched_count, figure);
		if (arm->void_why || isnan(bare) || isnan(watched))
			row->cells[i] = xstrdup(arm->void_why ? "void" : "-");
		else if (figures_info[figure].unit == UNIT_BYTES)
			row->cells[i] = xstrdup(text_signed_bytes(llround(watched - bare)));
		else if (bare != 0)
			row->cells[i] = xasprintf("%+.1f %%", 100 * (watched / bare - 1));
		else
			row->cells[i] = xstrdup("-");
	}
}

void table_build(const struct compare *compare, struct table *table)
{
	*table = (struct table){0};
	if (!any_has(compare, F_WALL))
		return;
	add_title(table, compare->bare ? "without the shim" : "under the shim, whose own cost is in these figures");
	add_figures(compare, table, 0, FIRST_BOOKED);
	add_title(table, "by the shim's books");
	add_figures(compare, table, FIRST_BOOKED, FIGURE_COUNT);
	if (!compare->bare)
		return;
	add_title(table, "what the shim costs");
	if (any_has(compare, F_METRIC))
		add_cost(compare, table, F_METRIC);
	add_cost(compare, table, F_WALL);
	add_cost(compare, table, F_CPU);
	add_cost(compare, table, F_PEAK_RESIDENT);
}

char *table_method(const struct compare *compare)
{
	return xasprintf("%zu %s of each arm, interleaved, after one to warm up%s; medians, ± half of the distance from lowest to highest",
		compare->runs, compare->runs == 1 ? "run" : "runs", compare->bare ? ", each with and without the shim" : "");
}

/* The first "model name" of /proc/cpuinfo; "" when there is none. */
static char *cpu_model(void)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char *line = NULL, *model = NULL;
	size_t size = 0;

	while (file && !model && getline(&line, &size, file) > 0) {
		const char *colon = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
		if (colon)
			model = xasprintf(" (%.*s)", (int)strcspn(colon + 2, "\n"), colon + 2);
	}
	free(line);
	if (file)
		fclose(file);
	return model ? model : xstrdup("");
}

char *table_machine(void)
{
	struct utsname u;
	char date[64];
	const time_t now = time(NULL);
	char *model = cpu_model();

	uname(&u);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M UTC", gmtime(&now));
	char *text = xasprintf("%s %s %s, %ld CPUs%s, %s", u.sysname, u.release, u.machine, sysconf(_SC_NPROCESSORS_ONLN), model, date);
	free(model);
	return text;
}

char *table_command(const struct compare *compare)
{
	char *text = xstrdup("");

	for (char **word = compare->command; *word; word++) {
		char *longer = xasprintf("%s%s%s", text, *text ? " " : "", *word);
		free(text);
		text = longer;
	}
	return text;
}
