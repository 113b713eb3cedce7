/* SPDX-License-Identifier: BSD-2-Clause */
/* growth_text.c - `heapray growth` for people: the chart, the heaps, the findings, the verdict. */
#include "growth.h"

#include "chart.h"
#include "process.h"
#include "text.h"
#include "xalloc.h"

#include <math.h>

#define SCREENFUL 5
#define SETTLED 3
#define FRAMES 8
#define CHART_HEIGHT 10

static const char *bytes_of(double bytes)
{
	return text_bytes(isnan(bytes) || bytes < 0 ? UINT64_MAX : text_whole(bytes));
}

static const char *rate_of(double bytes)
{
	return text_signed_bytes((int64_t)llround(bytes));
}

static const char *seconds_of(double seconds)
{
	if (!isfinite(seconds) || seconds > 10 * 365.25 * 86400)
		return "more than 10 years";
	return text_duration(text_whole(seconds * 1e9));
}

/* ---- head, chart, heaps -------------------------------------------------------------------- */

static void print_head(const struct growth *g)
{
	const struct process *first = &g->family->members[0];
	const double span = g->timeline.count ? g->timeline.seconds[g->timeline.count - 1] : 0;

	printf("%s%s%s pid %d (%s)", text_bold(), text_safe(first->exe, 200), text_reset(), (int)first->pid, role_name(first->role));
	if (g->family->count > 1)
		printf(" and %zu more", g->family->count - 1);
	printf(", watched for %s\n", seconds_of(span));
}

static void print_chart(const struct growth *g)
{
	const struct timeline *t = &g->timeline;
	struct chart_layer layers[CHART_LAYERS];
	size_t count = 0;
	bool known = false;

	if (t->count < 2) {
		puts("no time line yet: it has a point for each second in which something was allocated");
		return;
	}
	/* Sorted by their last value: empty ones are at the end. */
	for (; count < t->domain_count && count < CHART_LAYERS && (count == 0 || t->domains[count].live[t->count - 1] > 0); count++)
		layers[count] = (struct chart_layer){t->domains[count].name, t->domains[count].live};
	for (size_t i = 0; i < t->count; i++)
		known |= !isnan(t->resident[i]);
	putchar('\n');
	chart_area(stdout, t->seconds, t->count, layers, count, known ? t->resident : NULL, "resident", text_width(), CHART_HEIGHT);
}

static void print_heaps(const struct growth *g)
{
	const struct timeline *t = &g->timeline;

	if (t->domain_count == 0)
		return;
	printf("\n%s  %-20s %10s %12s  %-28s %-16s%s\n", text_dim(), "heap", "now", "a second", "95 % interval", "trend", text_reset());
	for (size_t d = 0; d < t->domain_count; d++) {
		const struct heap_trend *heap = &g->heaps[d];
		char interval[64] = "";
		const bool told = heap->trend.shape != TREND_TOO_LITTLE;
		if (heap->live == 0 && heap->trend.slope == 0)
			continue;
		if (told)
			snprintf(interval, sizeof(interval), "%s to %s", rate_of(heap->trend.low), rate_of(heap->trend.high));
		printf("%s %-20s %10s %12s  %-28s %-16s %s\n", d < CHART_LAYERS ? chart_glyph(d) : " ", text_safe(heap->name, 20),
			bytes_of(heap->live), told ? rate_of(heap->trend.slope) : "", interval, trend_name(heap->trend.shape),
			chart_spark(t->domains[d].live, t->count, 16));
	}
}

/* What the allocator keeps is no growth of the program. */
static void print_retention(const struct growth *g)
{
	if (!isnan(g->resident))
		printf("  resident %s", bytes_of(g->resident));
	else
		printf("  resident: not known");
	if (!isnan(g->held))
		printf("; the allocator holds %s", bytes_of(g->held));
	if (!isnan(g->held) && !isnan(g->used) && g->held >= g->used)
		printf(", %s of it free: kept for reuse (retention), not growth", bytes_of(g->held - g->used));
	putchar('\n');
}

/* ---- findings ------------------------------------------------------------------------------ */

static void print_frame(const char *indent, const struct frame *frame)
{
	const char *module = strrchr(frame->module, '/');

	module = module ? module + 1 : frame->module;
	printf("%s%s", indent, frame->function ? text_safe(frame->function, 120) : frame->kind == FRAME_LUA ? "" : "?");
	if (frame->file)
		printf("%s%s%s:%u%s", frame->function ? " " : "", text_dim(), text_safe(frame->file, 120), frame->line, text_reset());
	if (frame->kind == FRAME_NATIVE && !(frame->function && strstr(frame->function, "!fn@")))
		printf(" %s[%s]%s", text_dim(), text_safe(module, 60), text_reset());
	putchar('\n');
}

static void print_frames(const struct growth *g, const struct finding *f)
{
	const struct row row = {.path = f->path, .domain = f->domain};
	const uint32_t *frames;
	const size_t count = model_frames(g->model, &row, &frames);
	const size_t shown = count < FRAMES || g->options->common.limit_given ? count : FRAMES;

	for (size_t i = 0; i < shown; i++)
		print_frame("     ", &g->model->frames[frames[i]]);
	if (shown < count)
		printf("     %s... %zu more frames%s\n", text_dim(), count - shown, text_reset());
}

static void print_age(const struct growth *g, const struct finding *f)
{
	const struct age_row *age = ages_find(&g->ages, f->path, f->domain);

	if (!age)
		return;
	if (isfinite(age->lifetime) && age->overdue_count >= 1)
		printf("     a block of this place usually lives for %s; %s in %s blocks are more than %d times as old\n",
			age->lifetime < 1 ? "less than a second" : seconds_of(age->lifetime), bytes_of(age->overdue_bytes),
			text_count(text_whole(age->overdue_count)), AGE_OVERDUE);
	if (g->ages.enough)
		printf("     born %s  survivors by time of birth, oldest left\n", chart_spark(age->bytes, g->ages.buckets, AGE_BUCKETS));
}

static void print_finding(const struct growth *g, size_t index, const struct finding *f)
{
	const bool heap_alone = f->path == UINT32_MAX;
	const char *heap = heap_alone ? g->timeline.domains[f->domain].name : g->model->domains[f->domain];

	printf("\n%s%zu.%s %s%s grows by %s a second%s (%s to %s)%s", text_bold(), index, text_reset(), text_red(), text_safe(heap, 40),
		rate_of(f->trend.slope), text_reset(), rate_of(f->trend.low), rate_of(f->trend.high), f->estimated ? ", estimated" : "");
	if (!isnan(f->per_event))
		printf(", %s for 1,000 of %s", rate_of(1000 * f->per_event), text_safe(g->options->per, 40));
	printf("\n   holds %s, doubles in %s", bytes_of(f->live), seconds_of(trend_seconds_to(f->live, 2 * f->live, f->trend.slope)));
	if (f->course_count > 1)
		printf("  %s", chart_spark(f->course, f->course_count, 24));
	if (f->stacks > 1)
		printf("; %zu call paths, the heaviest:", f->stacks);
	putchar('\n');
	if (heap_alone) {
		printf("   which call path: heapray growth %d --for 60s\n", (int)g->family->members[0].pid);
		return;
	}
	print_frames(g, f);
	print_age(g, f);
	printf("   next: heapray stacks %d --domain %s\n", (int)g->family->members[0].pid, text_safe(heap, 40));
}

static void print_findings(const struct growth *g)
{
	const size_t count = g->findings.growing_count, asked = g->options->common.limit;
	const size_t limit = !g->options->common.limit_given ? SCREENFUL : asked ? asked : count;

	for (size_t i = 0; i < count && i < limit; i++)
		print_finding(g, i + 1, &g->findings.growing[i]);
	if (count > limit)
		printf("\n   ... %zu more; --limit 0 shows all\n", count - limit);
}

static void print_settled(const struct growth *g)
{
	const size_t count = g->findings.settled_count;

	if (count == 0)
		return;
	printf("\nGrew and settled (warm-up, caches that fill): no finding\n");
	for (size_t i = 0; i < count && i < SETTLED; i++) {
		const struct finding *f = &g->findings.settled[i];
		const struct row row = {.path = f->path, .domain = f->domain};
		const uint32_t *frames;
		const size_t depth = model_frames(g->model, &row, &frames);
		size_t owner = 0;
		while (owner + 1 < depth && model_is_wrapper(g->model, frames[owner]))
			owner++;
		printf("  %10s  %-8s  %s: ", rate_of(f->grown), trend_name(f->trend.shape), text_safe(g->model->domains[f->domain], 40));
		if (depth > 0)
			print_frame("", &g->model->frames[frames[owner]]);
		else
			putchar('\n');
	}
	if (count > SETTLED)
		printf("  ... %zu more\n", count - SETTLED);
}

/* ---- when it will hurt --------------------------------------------------------------------- */

static void print_limits(const struct growth *g)
{
	const double from = isnan(g->resident) ? g->live : g->resident;

	if (g->slope <= 0)
		return;
	if (g->options->until_bytes)
		printf("at this rate it has %s in %s\n", text_bytes(g->options->until_bytes),
			seconds_of(trend_seconds_to(from, (double)g->options->until_bytes, g->slope)));
	if (g->limit)
		printf("at this rate its cgroup's limit of %s is reached in %s (%s are used)\n", text_bytes(g->limit),
			seconds_of(trend_seconds_to((double)g->limit_usage, (double)g->limit, g->slope)), text_bytes(g->limit_usage));
}

int growth_print_text(struct growth *g)
{
	print_head(g);
	print_chart(g);
	print_heaps(g);
	print_retention(g);
	print_findings(g);
	print_settled(g);
	printf("\n%s%s%s\n", g->findings.growing_count ? text_red() : text_green(), g->verdict, text_reset());
	print_limits(g);
	quality_print(&g->quality, stdout);
	if (!g->samples && !g->findings.growing_count)
		printf("next: heapray growth %d --for 60s   reads every stack again and again\n", (int)g->family->members[0].pid);
	return g->findings.growing_count > 0;
}
