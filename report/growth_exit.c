/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth_exit.c - reads a running program at growing intervals, and compares the end with the middle.
 *
 * What a stack held in the middle of the run and holds at its end was made in the first half. What is
 * more at the end grew. A program that ends too soon to be read in its middle is not judged.
 */
#include "growth_exit.h"

#include "growth_samples.h"
#include "growth_watch.h"
#include "text.h"
#include "xalloc.h"

#include <math.h>

#define FIRST_MS 50
#define MOST_MS 1000
#define SCREENFUL 8
#define FRAMES 6
#define GREW 0.1 /* of what is live at the end; less is taken for what was there */

struct exit_watch {
	struct options options;
	char target[16];
	struct watch watch;
	bool found;
	struct quality quality;
	struct samples *samples;
	uint64_t started_ns, next_ns;
	int interval_ms;
};

struct leak {
	const struct row *row;
	double grown;
};

struct exit_watch *exit_watch_new(pid_t program, const struct options *options)
{
	struct exit_watch *w = xcalloc(1, sizeof(*w));

	w->options = *options;
	snprintf(w->target, sizeof(w->target), "%d", (int)program);
	w->options.target = w->target;
	w->started_ns = watch_now();
	w->interval_ms = FIRST_MS;
	w->next_ns = w->started_ns + FIRST_MS * 1000000ull;
	return w;
}

/* The program may not have loaded the library yet, or may have ended: then there is nothing to read. */
static bool find(struct exit_watch *w)
{
	if (watch_open(&w->watch, &w->options) != 0)
		return false;
	if (!w->watch.family.members[0].segment || !w->watch.family.members[0].alive) {
		watch_close(&w->watch);
		return false;
	}
	quality_of(&w->watch.family, &w->quality);
	w->samples = samples_new(&w->watch.family, &w->quality);
	return w->found = true;
}

int exit_watch_tick(struct exit_watch *w)
{
	const uint64_t now = watch_now();

	if (now < w->next_ns)
		return (int)((w->next_ns - now) / 1000000u) + 1;
	if (w->found ? watch_again(&w->watch) : find(w)) {
		const struct sample sample = {.seconds = (double)(now - w->started_ns) / 1e9, .resident = NAN, .held = NAN, .used = NAN};
		samples_add(w->samples, &w->watch.family, sample);
	}
	w->interval_ms = w->interval_ms * 5 / 4 < MOST_MS ? w->interval_ms * 5 / 4 : MOST_MS;
	w->next_ns = now + (uint64_t)w->interval_ms * 1000000u;
	return w->interval_ms;
}

/* ---- the end ------------------------------------------------------------------------------- */

static double held_at(const struct samples *s, const struct row *row, size_t at)
{
	for (uint32_t i = row->path < s->path_capacity ? s->by_path[row->path] : 0; i; i = s->series[i]->next) {
		if (s->series[i]->domain == row->domain)
			return s->series[i]->live[at];
	}
	return 0;
}

static int by_growth(const void *a, const void *b)
{
	const struct leak *x = a, *y = b;

	if (x->grown != y->grown)
		return x->grown > y->grown ? -1 : 1;
	return (x->row->path > y->row->path) - (x->row->path < y->row->path);
}

static void print_leak(const struct model *model, const struct leak *leak, FILE *out)
{
	const uint32_t *frames;
	const size_t count = model_frames(model, leak->row, &frames);

	fprintf(out, "  %12s in the second half, %s live in %s blocks  %s\n", text_signed_bytes((int64_t)leak->grown),
		text_bytes((uint64_t)leak->row->figures.live_bytes), text_count((uint64_t)leak->row->figures.live_count),
		model->domains[leak->row->domain]);
	for (size_t i = 0; i < count && i < FRAMES; i++) {
		const struct frame *frame = &model->frames[frames[i]];
		const char *module = strrchr(frame->module, '/');
		fprintf(out, "                 %s", frame->function ? text_safe(frame->function, 120) : "?");
		if (frame->file)
			fprintf(out, " %s:%u", text_safe(frame->file, 120), frame->line);
		fprintf(out, " [%s]\n", text_safe(module ? module + 1 : frame->module, 60));
	}
}

static void print_leaks(const struct model *model, const struct leak *leaks, size_t count, double once, FILE *out)
{
	double grown = 0;

	for (size_t i = 0; i < count; i++)
		grown += (double)leaks[i].row->figures.live_bytes;
	fprintf(out, "\n%sLive at exit%s: %s were there since the first half of the run (made once, kept by design)\n", text_bold(), text_reset(),
		text_bytes((uint64_t)once));
	if (count == 0) {
		fputs("  nothing grew in the second half\n", out);
		return;
	}
	fprintf(out, "  %s are of %zu call path%s that grew until the end:\n", text_bytes((uint64_t)grown), count, count == 1 ? "" : "s");
	for (size_t i = 0; i < count && i < SCREENFUL; i++)
		print_leak(model, &leaks[i], out);
	if (count > SCREENFUL)
		fprintf(out, "  ... %zu more\n", count - SCREENFUL);
}

void exit_watch_print(struct exit_watch *w, const struct family *ended, FILE *out)
{
	const double middle = (double)(watch_now() - w->started_ns) / 2e9;
	size_t at = 0, count = 0;
	double once = 0;

	while (w->samples && at + 1 < w->samples->count && w->samples->seconds[at] < middle)
		at++;
	if (!w->samples || w->samples->count < 2) {
		fputs("\nLive at exit: it ran too short to tell what grew from what was made once\n", out);
		return;
	}
	struct model *model = w->samples->model;
	model_refresh(model, ended);
	struct leak *leaks = xcalloc(model->row_count, sizeof(*leaks));
	for (size_t i = 0; i < model->row_count; i++) {
		const struct row *row = &model->rows[i];
		const double live = (double)row->figures.live_bytes, grown = live - held_at(w->samples, row, at);
		if (live <= 0)
			continue;
		if (grown > GREW * live)
			leaks[count++] = (struct leak){row, grown};
		else
			once += live;
	}
	qsort(leaks, count, sizeof(*leaks), by_growth);
	print_leaks(model, leaks, count, once, out);
	free(leaks);
}

void exit_watch_free(struct exit_watch *w)
{
	if (w->samples)
		samples_free(w->samples);
	if (w->found)
		watch_close(&w->watch);
	free(w);
}
