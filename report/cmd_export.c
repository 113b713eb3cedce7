/* SPDX-License-Identifier: BSD-2-Clause */
/* cmd_export.c - `heapray export`: the figures for other tools. */
#include "command.h"

#include "command_json.h"
#include "export.h"
#include "family.h"
#include "heap_map.h"
#include "snapshot.h"
#include "text.h"
#include "xalloc.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

enum format { FOLDED, PPROF, JSON, PROMETHEUS, NO_FORMAT };

struct arguments {
	struct options common;
	enum format format;
	enum measure by;
	const char *output, *listen;
};

enum { KEY_FORMAT = 0x2000, KEY_LISTEN, KEY_BY };

static const struct argp_option table[] = {
	{"format", KEY_FORMAT, "FORMAT", 0, "folded (flamegraph.pl, speedscope), pprof, json, prometheus", 1},
	{"output", 'o', "FILE", 0, "Where to write (default: standard output)", 1},
	{"listen", KEY_LISTEN, "ADDRESS:PORT", 0, "Serve it for Prometheus to scrape, at /metrics", 1},
	{"by", KEY_BY, "WHAT", 0, "folded: live (default), peak, allocated, count, temporary", 1},
	{0},
};

static int one_of(const char *word, const char *const *list, const char *option, struct argp_state *state)
{
	for (int i = 0; list[i]; i++) {
		if (strcmp(word, list[i]) == 0)
			return i;
	}
	argp_error(state, "%s: '%s' is not known; see --help", option, word);
	return 0;
}

static void check(const struct arguments *arguments, struct argp_state *state)
{
	if (arguments->format == NO_FORMAT)
		argp_error(state, "--format says which: folded, pprof, json, prometheus");
	if (arguments->listen && (arguments->format != PROMETHEUS || arguments->output))
		argp_error(state, "--listen serves prometheus, and writes no file");
	if (arguments->format == PPROF && !arguments->output && isatty(STDOUT_FILENO))
		argp_error(state, "pprof is binary: -o FILE, or a pipe");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const formats[] = {"folded", "pprof", "json", "prometheus", NULL};
	static const char *const measures[] = {"live", "peak", "allocated", "count", "temporary", NULL};
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		return 0;
	case KEY_FORMAT:
		arguments->format = (enum format)one_of(arg, formats, "--format", state);
		return 0;
	case KEY_BY:
		arguments->by = (enum measure)one_of(arg, measures, "--by", state);
		return 0;
	case 'o':
		arguments->output = arg;
		return 0;
	case KEY_LISTEN:
		arguments->listen = arg;
		if (arguments->format == NO_FORMAT)
			arguments->format = PROMETHEUS;
		return 0;
	case ARGP_KEY_END:
		check(arguments, state);
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
	.doc = "The figures for other tools.\v"
	       "EXAMPLES\n"
	       "  heapray export 4711 --format pprof -o heap.pb.gz; go tool pprof -top heap.pb.gz\n"
	       "  heapray export 4711 --format folded | flamegraph.pl >flame.svg\n"
	       "  heapray export $(cat /run/nginx.pid) --listen 127.0.0.1:9464\n"
	       "  heapray export 4711 --format prometheus -o /var/lib/prometheus/node-exporter/heapray.prom\n",
	.children = children,
};

/* ---- stacks -------------------------------------------------------------------------------- */

static uint64_t realtime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* When the figures are of: now, when the snapshot was taken, or the last event of a process that ended. */
static void times_of(const struct family *family, uint64_t *taken, uint64_t *duration)
{
	const struct process *root = &family->members[0];
	const struct segment *s = root->segment;
	const uint64_t end = !s ? 0 : root->alive ? s->read_ns : s->header.last_event_ns;

	*duration = s && end > s->header.start_ns ? end - s->header.start_ns : 0;
	*taken = family->snapshot ? snapshot_taken_realtime_ns(family->snapshot) :
		root->alive || !s ? realtime() :
				    s->header.start_realtime_ns + *duration;
}

static int write_stacks(const struct arguments *arguments, FILE *out)
{
	struct family family;
	struct quality quality;
	uint64_t taken, duration;
	bool watched = false;

	if (family_open(&arguments->common, &family) != 0)
		return 2;
	for (size_t i = 0; i < family.count; i++)
		watched |= family.members[i].segment != NULL;
	if (!watched) {
		text_error("Start it with `heapray run -- CMD...'.", "%d: not started under heapray", (int)family.members[0].pid);
		return 2;
	}
	quality_of(&family, &quality);
	struct model *model = model_build(&family, &quality);
	times_of(&family, &taken, &duration);
	if (arguments->format == FOLDED) {
		model_sort(model, arguments->by);
		export_folded(model, arguments->by, out);
	} else {
		export_pprof(&family, model, taken, duration, out);
	}
	model_free(model);
	quality_free(&quality);
	family_close(&family);
	return 0;
}

/* ---- reports ------------------------------------------------------------------------------- */

/* The target by a name that stays the same for all commands asked. The result is the caller's; NULL, printed. */
static char *settle(const struct arguments *arguments, bool *alive)
{
	struct family family;

	if (family_open(&arguments->common, &family) != 0)
		return NULL;
	const struct process *root = &family.members[0];
	*alive = root->alive;
	char *target = root->alive ? xasprintf("%d", (int)root->pid) :
		arguments->common.target ? xstrdup(arguments->common.target) :
					   xstrdup(root->segment ? root->segment->path : "");
	family_close(&family);
	return target;
}

static int write_prometheus(void *context, FILE *out)
{
	const struct arguments *arguments = context;
	const uint64_t start = realtime();
	bool alive = false;
	char *target = settle(arguments, &alive);

	/* A scrape that finds nothing, or what has ended, says so; of a file it is a mistake, or what was asked for. */
	if (!target || (arguments->listen && !alive)) {
		if (arguments->listen)
			export_prometheus(NULL, NULL, (double)(realtime() - start) / 1e9, out);
		return arguments->listen ? 0 : 2;
	}
	struct command_json breakdown = command_json_start(cmd_breakdown, "breakdown", &arguments->common, target, NULL);
	struct command_json zones = command_json_start(cmd_zones, "zones", &arguments->common, target, NULL);
	struct json *of_breakdown = command_json_finish(&breakdown), *of_zones = command_json_finish(&zones);
	export_prometheus(of_breakdown, of_zones, (double)(realtime() - start) / 1e9, out);
	return of_breakdown || arguments->listen ? 0 : 2;
}

/* The map of a live family's heap, or the one that a snapshot has kept. */
static struct json *heap_of(const struct arguments *arguments, const char *target)
{
	struct options options = arguments->common;
	struct ledger_family ledgers;
	struct quality quality = {0};
	struct family family;
	struct json *heap = NULL;

	options.target = target;
	if (family_open(&options, &family) != 0)
		return NULL;
	if (family.snapshot)
		heap = snapshot_report(family.snapshot, "heap") ? json_share((struct json *)snapshot_report(family.snapshot, "heap")) : NULL;
	else if (family.members[0].alive && ledger_family_build(&ledgers, &family, &quality) == 0)
		heap = heap_map_json(&ledgers);
	return heap;
}

static int write_json(const struct arguments *arguments, FILE *out)
{
	const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} parts[] = {{"breakdown", cmd_breakdown}, {"stacks", cmd_stacks}, {"zones", cmd_zones}, {"growth", cmd_growth}};
	struct command_json commands[4];
	struct json *report = json_object();
	bool alive;
	char *target = settle(arguments, &alive);

	if (!target)
		return 2;
	json_set_integer(report, "schema", 1);
	for (size_t i = 0; i < 4; i++)
		commands[i] = command_json_start(parts[i].run, parts[i].name, &arguments->common, target, NULL);
	struct json *heap = heap_of(arguments, target);
	for (size_t i = 0; i < 4; i++) {
		struct json *part = command_json_finish(&commands[i]);
		json_set(report, parts[i].name, part ? part : json_null());
	}
	json_set(report, "heap", heap ? heap : json_null());
	json_print(report, out);
	free(target);
	return 0;
}

/* ---- the command --------------------------------------------------------------------------- */

static int write_format(struct arguments *arguments, FILE *out)
{
	switch (arguments->format) {
	case PROMETHEUS:
		return write_prometheus(arguments, out);
	case JSON:
		return write_json(arguments, out);
	default:
		return write_stacks(arguments, out);
	}
}

/* A file appears whole or not at all: the node exporter reads it whenever it likes. */
static int write_file(struct arguments *arguments)
{
	char *partial = xasprintf("%s.partial.%d", arguments->output, (int)getpid());
	FILE *out = fopen(partial, "wxe");
	int status;

	if (!out) {
		text_error(NULL, "%s: %s", arguments->output, strerror(errno));
		return 2;
	}
	status = write_format(arguments, out);
	if ((ferror(out) | fclose(out)) != 0 || (status == 0 && rename(partial, arguments->output) != 0)) {
		text_error("Is the file system full?", "%s: %s", arguments->output, strerror(errno));
		status = 2;
	}
	if (status != 0)
		unlink(partial);
	free(partial);
	return status;
}

int cmd_export(int argc, char **argv)
{
	struct arguments arguments = {.format = NO_FORMAT};

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
		return 2;
	if (arguments.listen)
		return export_listen(arguments.listen, write_prometheus, &arguments);
	if (arguments.output && strcmp(arguments.output, "-") != 0)
		return write_file(&arguments);
	return write_format(&arguments, stdout);
}
