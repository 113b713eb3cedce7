/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_growth.c - `heapray growth`: what grows, since when, and is it a leak.
 */
#include "command.h"

#include "growth.h"
#include "growth_limit.h"
#include "growth_watch.h"
#include "marks.h"
#include "snapshot.h"
#include "text.h"
#include "xalloc.h"

#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_FOR = 0x2000, KEY_EVERY, KEY_UNTIL, KEY_PER, KEY_SINCE };

static const struct argp_option table[] = {
	{"for", KEY_FOR, "TIME", 0, "Read every stack again and again for so long (60s, 5m): finds which grow, and how fast", 1},
	{"every", KEY_EVERY, "TIME", 0, "Time between two readings (default: 1s, at least 20 readings)", 1},
	{"until", KEY_UNTIL, "BYTES", 0, "Say when it will have reached this size", 1},
	{"per", KEY_PER, "NAME", 0, "Also for each of NAME: a mark the program counts (heapray.h), or a function, by its allocations", 1},
	{"since", KEY_SINCE, "MARK", 0, "Leave out what was before this mark", 1},
	{0},
};

static uint64_t duration(const char *option, const char *text, struct argp_state *state)
{
	uint64_t ns = 0;

	if (options_parse_duration(text, &ns) != 0 || ns == 0)
		argp_error(state, "%s: '%s' is not a time", option, text);
	return ns;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct growth_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->common;
		return 0;
	case KEY_FOR:
		options->for_ns = duration("--for", arg, state);
		return 0;
	case KEY_EVERY:
		options->every_ns = duration("--every", arg, state);
		return 0;
	case KEY_UNTIL:
		if (options_parse_bytes(arg, &options->until_bytes) != 0)
			argp_error(state, "--until: '%s' is not a size", arg);
		return 0;
	case KEY_PER:
		options->per = arg;
		return 0;
	case KEY_SINCE:
		options->since = arg;
		return 0;
	case ARGP_KEY_END:
		if (options->for_ns && options->every_ns > options->for_ns)
			argp_error(state, "--every is longer than --for");
		if ((options->every_ns || options->per) && !options->for_ns)
			argp_error(state, "%s goes with --for", options->per ? "--per" : "--every");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&options_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.options = table,
	.parser = parse,
	.args_doc = "[TARGET]",
	.doc = "What grows, since when, how fast, and is it a leak. Exits with 1 when something grows.\v"
	       "TARGET is a pid (with all it forked), a segment file, a snapshot, a folder of snapshots, or left out: the newest "
	       "watched process.\n\n"
	       "EXAMPLES\n"
	       "  heapray growth 4711                          the time line, and what its survivors tell\n"
	       "  heapray growth 4711 --for 60s                which call paths grow, over a minute of load\n"
	       "  heapray growth 4711 --for 5m --until 2G      and when it will have 2 GiB\n"
	       "  heapray growth 4711 --for 60s --per request  bytes for 1,000 calls of heapray_mark(\"request\")\n"
	       "  heapray growth snapshots/                    over a day, from `heapray snapshot -o snapshots/ --every 10m'",
	.children = children,
};

/* ---- the counter --------------------------------------------------------------------------- */

/* Allocations whose owner is the function of that name. */
static uint64_t allocations_of(const struct model *model, const char *function)
{
	uint64_t count = 0;

	for (size_t i = 0; i < model->row_count; i++) {
		const uint32_t *frames;
		const size_t depth = model_frames(model, &model->rows[i], &frames);
		size_t owner = 0;
		while (owner + 1 < depth && model_is_wrapper(model, frames[owner]))
			owner++;
		const char *name = depth ? model->frames[frames[owner]].function : NULL;
		if (name && strcmp(name, function) == 0)
			count += model->rows[i].figures.allocated_count;
	}
	return count;
}

static double counter(const struct growth *g, const struct family *family)
{
	uint64_t count;

	if (!g->options->per)
		return 0;
	if (!marks_count(family, g->options->per, &count))
		count = allocations_of(g->samples->model, g->options->per);
	return (double)count;
}

/* ---- reading ------------------------------------------------------------------------------- */

static double known(uint64_t bytes)
{
	return bytes == UINT64_MAX ? NAN : (double)bytes;
}

static struct sample sample_of(const struct growth *g, const struct family *family, uint64_t ns)
{
	return (struct sample){
		.seconds = (double)ns / 1e9,
		.events = counter(g, family),
		.resident = known(watch_resident(family)),
		.held = known(watch_held(family)),
		.used = known(watch_used(family)),
	};
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static void progress(uint64_t done, uint64_t all)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rreading: %s of %s ", text_duration(done), text_duration(all));
}

/* Reads until the time is over, the family has ended, or ^C: each leaves what was read so far. */
static void sample(struct growth *g, struct watch *watch)
{
	const struct growth_options *o = g->options;
	const uint64_t most = o->for_ns / 20 ? o->for_ns / 20 : 1, standard = most < 1000000000u ? most : 1000000000u;
	const uint64_t every = o->every_ns ? o->every_ns : standard, start = watch_now();
	const struct sigaction action = {.sa_handler = on_interrupt};
	struct sigaction before;

	sigaction(SIGINT, &action, &before);
	g->samples = samples_new(&watch->family, &g->quality);
	samples_add(g->samples, &watch->family, sample_of(g, &watch->family, start));
	for (uint64_t next = every; next <= o->for_ns && !interrupted; next += every) {
		progress(next - every, o->for_ns);
		watch_sleep_until(start + next);
		if (!watch_again(watch)) {
			text_note("it ended: what was read until then is reported");
			break;
		}
		samples_add(g->samples, &watch->family, sample_of(g, &watch->family, watch_now()));
	}
	sigaction(SIGINT, &before, NULL);
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	g->model = g->samples->model;
}

/* One reading for each snapshot of a folder, the last of which is the family. */
static int sample_folder(struct growth *g, struct watch *watch)
{
	char **files;
	const size_t count = snapshot_folder(g->options->common.target, &files);

	g->samples = samples_new(&watch->family, &g->quality);
	for (size_t i = 0; i < count; i++) {
		struct family family;
		if (snapshot_open(files[i], g->options->common.one, &family) != 0)
			return -1;
		struct sample s = sample_of(g, &family, snapshot_taken_realtime_ns(family.snapshot));
		s.resident = NAN;
		samples_add(g->samples, &family, s);
		snapshot_lend_symbols(family.snapshot, watch->family.snapshot);
		family_close(&family);
	}
	g->model = g->samples->model;
	model_refresh(g->model, &watch->family);
	return 0;
}

/* ---- the report ---------------------------------------------------------------------------- */

static int since(struct growth *g, uint64_t *ns)
{
	if (!g->options->since)
		return 0;
	if (!marks_since(g->family, g->options->since, ns))
		return -1;
	g->timeline_first = timeline_at(&g->timeline, *ns > g->timeline.start_ns ? (double)(*ns - g->timeline.start_ns) / 1e9 : 0);
	while (g->samples && g->samples_first < g->samples->count && g->samples->seconds[g->samples_first] < (double)*ns / 1e9)
		g->samples_first++;
	return 0;
}

static void look_at_now(struct growth *g)
{
	g->live = (double)g->model->total.live_bytes;
	g->resident = known(watch_resident(g->family));
	g->held = known(watch_held(g->family));
	g->used = known(watch_used(g->family));
	if (g->family->members[0].alive && !cgroup_limit_of(g->family->members[0].pid, &g->limit, &g->limit_usage))
		g->limit = 0;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int report(struct growth *g, struct watch *watch)
{
	uint64_t since_ns = 0;

	quality_of(&watch->family, &g->quality);
	if (g->options->for_ns)
		sample(g, watch);
	else if (is_folder(g->options->common.target) && sample_folder(g, watch) != 0)
		return 2;
	if (!g->model)
		g->model = model_build(&watch->family, &g->quality);
	timeline_read(&g->timeline, &watch->family, &g->quality);
	if (since(g, &since_ns) != 0)
		return 2;
	g->ages = ages_read(g->model, &watch->family, since_ns);
	look_at_now(g);
	growth_judge(g);
	return g->options->common.json ? growth_print_json(g) : growth_print_text(g);
}

int cmd_growth(int argc, char **argv)
{
	struct growth_options options = {0};
	struct watch watch;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0 || watch_open(&watch, &options.common) != 0)
		return 2;
	bool watched = false;
	for (size_t i = 0; i < watch.family.count; i++)
		watched |= watch.family.members[i].segment != NULL;
	struct growth growth = {.options = &options, .family = &watch.family};
	if (!watched)
		text_error("Start it with `heapray run -- CMD...'.", "%d: not started under heapray", (int)watch.family.members[0].pid);
	else if (options.for_ns && !watch.family.members[0].alive)
		text_error("Without --for its time line is shown.", "--for: %d has ended", (int)watch.family.members[0].pid);
	else
		return report(&growth, &watch);
	return 2;
}
