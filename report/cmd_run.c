/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_run.c - `heapray run`: sets LD_PRELOAD and execs, so that pid and status are the command's own.
 * With --report it stays as the parent.
 */
#include "command.h"

#include "options.h"
#include "preload.h"
#include "run_report.h"
#include "text.h"
#include "xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_ALLOCATOR = 0x2000, KEY_DIR, KEY_SAMPLE, KEY_REPORT, KEY_JSON };

struct run_options {
	const char *allocator, *dir, *report;
	uint64_t sample_bytes;
	bool sampled, json;
	char **command;
};

static const struct argp_option table[] = {
	{"allocator", KEY_ALLOCATOR, "NAME|PATH", 0, "Preload this allocator too: glibc, jemalloc, tcmalloc, mimalloc, or a library", 0},
	{"dir", KEY_DIR, "DIR", 0, "Keep the segments there (made if need be) instead of /dev/shm/heapray.<uid>", 0},
	{"sample", KEY_SAMPLE, "BYTES", 0, "Take a stack every BYTES on average; 0, the default: of every allocation", 0},
	{"report", KEY_REPORT, "FILE", 0, "Wait for the command and all it forked, then write who held what was live at the end; - is standard output", 0},
	{"json", KEY_JSON, NULL, 0, "Write that report as JSON", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_options *options = state->input;

	switch (key) {
	case KEY_ALLOCATOR:
		options->allocator = arg;
		return 0;
	case KEY_DIR:
		options->dir = arg;
		return 0;
	case KEY_REPORT:
		options->report = arg;
		return 0;
	case KEY_JSON:
		options->json = true;
		return 0;
	case KEY_SAMPLE:
		options->sampled = true;
		if (options_parse_bytes(arg, &options->sample_bytes) != 0)
			argp_error(state, "--sample: '%s' is not a size", arg);
		return 0;
	case ARGP_KEY_ARG: /* the command begins: what follows is its own */
		options->command = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no command to run");
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = table,
	.parser = parse,
	.args_doc = "-- COMMAND...",
	.doc = "Start a command with its memory watched. Its pid and its exit status stay its own.\v"
	       "Then `heapray ps', `heapray breakdown', `heapray stacks' show it, from any other terminal.",
};

/* LD_PRELOAD is split at spaces and colons, and nothing quotes them. */
static int check_path(const char *path)
{
	if (!strpbrk(path, " :"))
		return 0;
	text_error("Move it, or link to it from a path without them.", "%s: LD_PRELOAD takes no path with spaces or colons", path);
	return -1;
}

static int set_preload(const struct run_options *options)
{
	char *library = preload_library(), *allocator = NULL;
	const char *before = getenv("LD_PRELOAD");

	if (!library || check_path(library) != 0)
		return -1;
	if (options->allocator && preload_allocator(options->allocator, &allocator) != 0)
		return -1;
	if (allocator && check_path(allocator) != 0)
		return -1;
	char *preload = xasprintf("%s%s%s%s%s", library, allocator ? ":" : "", allocator ? allocator : "", before && *before ? ":" : "",
		before ? before : "");
	setenv("LD_PRELOAD", preload, 1);
	free(preload);
	free(library);
	free(allocator);
	return 0;
}

/* The directory must be ours, as the library will insist; it makes it when it is not there. */
static int set_directory(const struct run_options *options)
{
	struct stat st;
	char here[4096] = "";

	if (!options->dir)
		return 0;
	const bool exists = stat(options->dir, &st) == 0;
	const char *fault = !exists ? NULL : !S_ISDIR(st.st_mode) ? "not a directory" : st.st_uid != geteuid() ? "belongs to another user" :
		st.st_mode & 022 ? "can be written by others" : NULL;
	if (fault) {
		text_error("Name a directory of your own with mode 0700, or one that is to be made.", "--dir: %s: %s", options->dir, fault);
		return -1;
	}
	/* The program may change its directory. */
	if (options->dir[0] != '/' && !getcwd(here, sizeof(here) - 1)) {
		text_error("Give --dir an absolute path.", "current directory: %s", strerror(errno));
		return -1;
	}
	char *path = xasprintf("%s%s%s", here, *here ? "/" : "", options->dir);
	setenv("HEAPRAY_DIR", path, 1);
	free(path);
	return 0;
}

static int start(const struct run_options *options, const char *path)
{
	if (!options->report) {
		preload_mark_root();
		execv(path, options->command);
		const int status = errno == ENOENT ? 127 : 126;
		text_error(NULL, "%s: %s", path, strerror(errno));
		return status;
	}
	const bool standard = strcmp(options->report, "-") == 0;
	FILE *out = standard ? stdout : fopen(options->report, "we");
	if (!out) {
		text_error("Name a file that can be written, or - for standard output.", "--report: %s: %s", options->report, strerror(errno));
		return 2;
	}
	if (!standard)
		text_set_color("never");
	const struct options report = {.dir = getenv("HEAPRAY_DIR"), .json = options->json};
	return run_and_report(path, options->command, &report, out);
}

int cmd_run(int argc, char **argv)
{
	struct run_options options = {0};
	int status;

	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &options) != 0)
		return 2;
	char *path = preload_find_command(options.command[0], &status);
	if (!path) {
		text_error(NULL, "%s: %s", text_safe(options.command[0], 300), status == 127 ? "command not found" : "not executable");
		return status;
	}
	bool stumbles;
	const char *obstacle = preload_obstacle(path, &stumbles);
	if (obstacle)
		text_note("%s: %s: it cannot be preloaded, it runs unwatched", path, obstacle);
	/* What cannot be watched itself may start what can, so it gets LD_PRELOAD unless that stops it. */
	if ((!stumbles && set_preload(&options) != 0) || set_directory(&options) != 0)
		return 2;
	if (options.sampled) {
		char *bytes = xasprintf("%" PRIu64, options.sample_bytes);
		setenv("HEAPRAY_SAMPLE", bytes, 1);
		free(bytes);
	}
	return start(&options, path);
}
