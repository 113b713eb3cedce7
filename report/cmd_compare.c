/* SPDX-License-Identifier: BSD-2-Clause */
/* cmd_compare.c - `heapray compare`: which allocator for this workload. */
#include "command.h"

#include "compare.h"
#include "compare_metric.h"
#include "compare_ready.h"
#include "compare_run.h"
#include "compare_sizes.h"
#include "options.h"
#include "preload.h"
#include "text.h"
#include "xalloc.h"

#include <argp.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_ALLOCATORS = 0x2000, KEY_RUNS, KEY_LOAD, KEY_READY, KEY_SETTLE, KEY_METRIC, KEY_NO_BARE, KEY_DIR, KEY_JSON, KEY_MARKDOWN,
	KEY_CSV, KEY_COLOR, KEY_BYTES, KEY_PROBE };

#define RUNS_MOST 1000

struct arguments {
	struct compare compare;
	const char *allocators, *dir;
	enum { AS_TEXT, AS_JSON, AS_MARKDOWN, AS_CSV } as;
	bool probe;
};

static const struct argp_option table[] = {
	{"allocators", KEY_ALLOCATORS, "LIST", 0,
		"glibc, jemalloc, tcmalloc, mimalloc or paths of libraries, with commas between; tuned like 'glibc:MALLOC_ARENA_MAX=1'. Default: these four", 0},
	{"runs", KEY_RUNS, "N", 0, "Runs of each arm, after one to warm up; default 5", 0},
	{"no-bare", KEY_NO_BARE, NULL, 0, "Do not run each arm without the shim as well", 0},
	{"load", KEY_LOAD, "COMMAND", 0, "COMMAND is a server: run this shell command against it", 1},
	{"ready", KEY_READY, "WHEN", 0, "When the load may start: a URL that answers, a PORT that accepts, a FILE that is written, SECONDS", 1},
	{"settle", KEY_SETTLE, "TIME", 0, "How long to wait after the load before the last look; default 2s", 1},
	{"metric", KEY_METRIC, "REGEX", 0, "A number, the more the better, in what the load prints (without --load: the command); first (group)", 1},
	{"json", KEY_JSON, NULL, 0, "Print JSON: every run, exact integers", 2},
	{"markdown", KEY_MARKDOWN, NULL, 0, "Print Markdown, for a pull request", 2},
	{"csv", KEY_CSV, NULL, 0, "Print a line for every run", 2},
	{"dir", KEY_DIR, "DIR", 0, "Keep segments and outputs of all runs there", 2},
	{"bytes", KEY_BYTES, NULL, 0, "Print bytes as plain digits", 2},
	{"color", KEY_COLOR, "WHEN", 0, "auto, always or never", 2},
	{"probe", KEY_PROBE, NULL, OPTION_HIDDEN, NULL, 0},
	{0},
};

static error_t parse_output(int key, const char *arg, struct argp_state *state, struct arguments *a)
{
	switch (key) {
	case KEY_JSON:
		a->as = AS_JSON;
		return 0;
	case KEY_MARKDOWN:
		a->as = AS_MARKDOWN;
		return 0;
	case KEY_CSV:
		a->as = AS_CSV;
		return 0;
	case KEY_DIR:
		a->dir = arg;
		return 0;
	case KEY_BYTES:
		text_set_exact_bytes(true);
		return 0;
	case KEY_COLOR:
		if (text_set_color(arg) != 0)
			argp_error(state, "--color: '%s' is not one of auto, always, never", arg);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void parse_runs(const char *arg, struct argp_state *state, struct compare *compare)
{
	char *end;
	const unsigned long runs = strtoul(arg, &end, 10);

	if (end == arg || *end || runs < 1 || runs > RUNS_MOST)
		argp_error(state, "--runs: '%s' is not a number from 1 to %d", arg, RUNS_MOST);
	compare->runs = runs;
}

static void check_metric(const char *arg, struct argp_state *state)
{
	char *bad;

	metric_find(arg, "", &bad);
	if (bad)
		argp_error(state, "--metric: '%s': %s", arg, bad);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *a = state->input;
	struct ready ready;

	switch (key) {
	case KEY_ALLOCATORS:
		a->allocators = arg;
		return 0;
	case KEY_RUNS:
		parse_runs(arg, state, &a->compare);
		return 0;
	case KEY_NO_BARE:
		a->compare.bare = false;
		return 0;
	case KEY_LOAD:
		a->compare.load = arg;
		return 0;
	case KEY_READY:
		if (ready_parse(arg, &ready) != 0)
			argp_error(state, "--ready: '%s' is no http:// URL, port, file or number of seconds", arg);
		a->compare.ready = arg;
		return 0;
	case KEY_SETTLE:
		if (options_parse_duration(arg, &a->compare.settle_ns) != 0)
			argp_error(state, "--settle: '%s' is not a duration", arg);
		return 0;
	case KEY_METRIC:
		check_metric(arg, state);
		a->compare.metric = arg;
		return 0;
	case KEY_PROBE:
		a->probe = true;
		return 0;
	case ARGP_KEY_ARG: /* the command begins: what follows is its own */
		a->compare.command = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (!a->compare.command && !a->probe)
			argp_error(state, "no command to run");
		if (!a->compare.load != !a->compare.ready)
			argp_error(state, "--load and --ready go together");
		return 0;
	}
	return parse_output(key, arg, state, a);
}

static const struct argp argp = {
	.options = table,
	.parser = parse,
	.args_doc = "-- COMMAND...",
	.doc = "Run a command under several allocators in turn, and say which differ, in what, and how surely.\v"
	       "Examples:\n"
	       "  heapray compare -- sqlite3 :memory: '.read work.sql'\n"
	       "  heapray compare --allocators glibc,glibc:MALLOC_ARENA_MAX=1 --runs 9 -- ./server-test\n"
	       "  heapray compare --load 'redis-benchmark -p 7000 -q -t set' --ready 7000 \\\n"
	       "     --metric 'SET: ([0-9.]+)' -- redis-server --port 7000 --save ''\n"
	       "\nExits with 2 when an arm is void: not there, or not what served the program.",
};

/* Something that already listens would be measured in the server's place. */
static int check_free(const struct compare *compare)
{
	struct ready ready;

	if (!compare->ready || ready_parse(compare->ready, &ready) != 0 || (ready.kind != READY_URL && ready.kind != READY_PORT))
		return 0;
	ready.kind = READY_PORT;
	if (!ready_yet(&ready, 0, (struct timespec){0}))
		return 0;
	text_error("Stop it, or let the command listen elsewhere.", "--ready %s: something listens there already", compare->ready);
	return -1;
}

static int make_directory(struct arguments *a)
{
	static const char *const places[] = {"/dev/shm", NULL, "/tmp"};

	a->compare.keep = a->dir != NULL;
	if (a->dir) {
		if (mkdir(a->dir, 0700) != 0 && errno != EEXIST) {
			text_error(NULL, "--dir: %s: %s", a->dir, strerror(errno));
			return -1;
		}
		a->compare.dir = realpath(a->dir, NULL);
		return a->compare.dir ? 0 : -1;
	}
	for (size_t i = 0; i < 3 && !a->compare.dir; i++) {
		const char *place = places[i] ? places[i] : getenv("TMPDIR");
		char *name = place ? xasprintf("%s/heapray-compare.XXXXXX", place) : NULL;
		a->compare.dir = name ? mkdtemp(name) : NULL;
	}
	if (!a->compare.dir)
		text_error("Name one with --dir.", "no place for the runs: %s", strerror(errno));
	return a->compare.dir ? 0 : -1;
}

static int report(const struct arguments *a)
{
	void (*const print[])(const struct compare *) = {[AS_TEXT] = compare_print, [AS_JSON] = compare_print_json,
		[AS_MARKDOWN] = compare_print_markdown, [AS_CSV] = compare_print_csv};

	print[a->as](&a->compare);
	for (size_t i = 0; i < a->compare.arm_count; i++)
		if (a->compare.arms[i].void_why)
			return 2;
	return 0;
}

int cmd_compare(int argc, char **argv)
{
	struct arguments a = {.allocators = "glibc,jemalloc,tcmalloc,mimalloc", .compare = {.runs = 5, .bare = true, .settle_ns = 2000000000u}};
	int status;

	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a) != 0)
		return 2;
	if (a.probe)
		return sizes_probe();
	a.compare.program = preload_find_command(a.compare.command[0], &status);
	if (!a.compare.program) {
		text_error(NULL, "%s: %s", text_safe(a.compare.command[0], 300), status == 127 ? "command not found" : "not executable");
		return 2;
	}
	char *shim = preload_library();
	if (!shim || compare_arms(&a.compare, a.allocators) != 0 || check_free(&a.compare) != 0 || make_directory(&a) != 0)
		return 2;
	const int result = compare_measure(&a.compare);
	if (!a.compare.keep)
		run_remove(a.compare.dir);
	if (result != 0)
		return 2;
	compare_judge(&a.compare);
	return report(&a);
}
