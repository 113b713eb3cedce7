/* SPDX-License-Identifier: BSD-2-Clause */
/* compare_figure.c - the table of figures, and reading an arm's runs by it. */
#include "compare.h"

#include "compare_stats.h"
#include "text.h"
#include "xalloc.h"

#include <math.h>

const struct figure_info figures_info[FIGURE_COUNT] = {
	[F_METRIC] = {"metric", "metric", UNIT_RATE},
	[F_WALL] = {"wall_s", "wall time", UNIT_SECONDS},
	[F_USER] = {"user_s", "user time", UNIT_SECONDS},
	[F_SYSTEM] = {"system_s", "system time", UNIT_SECONDS},
	[F_CPU] = {"cpu_s", "user + system", UNIT_SECONDS},
	[F_PEAK_RESIDENT] = {"peak_resident_bytes", "peak resident", UNIT_BYTES},
	[F_STEADY_RESIDENT] = {"steady_resident_bytes", "steady resident", UNIT_BYTES},
	[F_RETURNED] = {"returned_bytes", "returned after load", UNIT_BYTES},
	[F_FAULTS] = {"page_faults", "page faults", UNIT_COUNT},
	[F_PEAK_REQUESTED] = {"peak_requested_bytes", "peak requested", UNIT_BYTES},
	[F_PEAK_USABLE] = {"peak_usable_bytes", "peak usable", UNIT_BYTES},
	[F_PEAK_HELD] = {"peak_held_bytes", "peak held", UNIT_BYTES},
	[F_PEAK_PAGES] = {"peak_allocator_resident_bytes", "held, in memory", UNIT_BYTES},
	[F_PEAK_FRAGMENTATION] = {"peak_fragmentation", "held / requested", UNIT_RATIO},
	[F_AFTER_REQUESTED] = {"after_requested_bytes", "requested, settled", UNIT_BYTES},
	[F_AFTER_HELD] = {"after_held_bytes", "held, settled", UNIT_BYTES},
	[F_AFTER_PAGES] = {"after_allocator_resident_bytes", "in memory, settled", UNIT_BYTES},
	[F_AFTER_FRAGMENTATION] = {"after_fragmentation", "held / req., settled", UNIT_RATIO},
	[F_GROWTH] = {"growth_bytes_per_second", "growth, bytes/s", UNIT_PLAIN},
	[F_ALLOCATIONS] = {"allocations", "allocations", UNIT_COUNT},
	[F_STARTUP] = {"startup_allocations", "before main", UNIT_COUNT},
	[F_OWN] = {"own_bytes", "heapray's memory", UNIT_BYTES},
};

const char *figure_text(enum figure figure, double value)
{
	static char ring[8][64];
	static unsigned next;
	char *text = ring[next++ % 8];

	if (isnan(value))
		return "-";
	switch (figures_info[figure].unit) {
	case UNIT_BYTES:
		return text_bytes((uint64_t)llround(value));
	case UNIT_COUNT:
		return text_count((uint64_t)llround(value));
	case UNIT_SECONDS:
		snprintf(text, sizeof(ring[0]), "%.*f s", value < 0.1 ? 4 : value < 1 ? 3 : 2, value);
		break;
	case UNIT_RATIO:
		snprintf(text, sizeof(ring[0]), "%.2f", value);
		break;
	case UNIT_RATE:
		if (fabs(value) < 1000)
			snprintf(text, sizeof(ring[0]), "%.4g", value);
		else
			snprintf(text, sizeof(ring[0]), "%s%s", value < 0 ? "-" : "", text_count((uint64_t)llround(fabs(value))));
		break;
	case UNIT_PLAIN:
		snprintf(text, sizeof(ring[0]), "%+.0f", value == 0 ? 0.0 : value);
		break;
	}
	return text;
}

const struct run *arm_runs(const struct arm *arm, enum figure figure, size_t *count)
{
	const bool bare = arm->bare_count > 0 && !figure_is_booked(figure);

	*count = bare ? arm->bare_count : arm->watched_count;
	return bare ? arm->bare : arm->watched;
}

size_t arm_values(const struct run *runs, size_t count, enum figure figure, double **values)
{
	size_t used = 0;

	*values = xcalloc(count, sizeof(**values));
	for (size_t i = 0; i < count; i++)
		if (!isnan(runs[i].value[figure]))
			(*values)[used++] = runs[i].value[figure];
	return used;
}

double runs_median(const struct run *runs, size_t count, enum figure figure)
{
	double *values;
	const size_t used = arm_values(runs, count, figure, &values);
	const double median = stats_median(values, used);

	free(values);
	return median;
}

double arm_median(const struct arm *arm, enum figure figure)
{
	size_t count;
	const struct run *runs = arm_runs(arm, figure, &count);

	return runs_median(runs, count, figure);
}

double arm_spread(const struct arm *arm, enum figure figure)
{
	size_t count;
	double *values;
	const struct run *runs = arm_runs(arm, figure, &count);
	const size_t used = arm_values(runs, count, figure, &values);
	const double spread = stats_spread(values, used);

	free(values);
	return spread;
}
