/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_snapshot.c - `heapray snapshot`: keeps a family in a file, or one after the other in a folder.
 */
#include "command.h"

#include "family.h"
#include "growth_watch.h"
#include "snapshot.h"
#include "text.h"
#include "xalloc.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KEY_EVERY = 0x2000, KEY_KEEP };

struct arguments {
	struct options common;
	const char *out;
	uint64_t every_ns, keep;
};

static const struct argp_option table[] = {
	{"output", 'o', "FILE|DIR/", 0, "Write there; a folder gets one file each time", 1},
	{"every", KEY_EVERY, "TIME", 0, "Take one every TIME (10m, 1h) until it has ended or ^C", 1},
	{"keep", KEY_KEEP, "N", 0, "Keep the newest N of the folder (default: all)", 1},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	char *end;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		return 0;
	case 'o':
		arguments->out = arg;
		return 0;
	case KEY_EVERY:
		if (options_parse_duration(arg, &arguments->every_ns) != 0 || arguments->every_ns == 0)
			argp_error(state, "--every: '%s' is not a time", arg);
		return 0;
	case KEY_KEEP:
		arguments->keep = strtoull(arg, &end, 10);
		if (*end || arguments->keep == 0 || *arg == '-')
			argp_error(state, "--keep: '%s' is not a number of snapshots", arg);
		return 0;
	case ARGP_KEY_END:
		if (!arguments->out || !*arguments->out)
			argp_error(state, "-o FILE or -o DIR/ is needed");
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
	.doc = "Keep all that can be told of a process and what it forked in one file: stacks with names, the breakdown, zones, ages. "
	       "It opens on any machine, in place of a pid: `heapray stacks FILE', `heapray diff A B'.\v"
	       "EXAMPLES\n"
	       "  heapray snapshot 4711 -o before.snap\n"
	       "  heapray snapshot 4711 -o day/ --every 10m --keep 144     then: heapray growth day/",
	.children = children,
};

static bool names_folder(const char *path)
{
	struct stat st;
	const size_t length = strlen(path);

	return path[length - 1] == '/' || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

/* "DIR/20261125T023219.512-4711.snap": names sort by time. */
static char *name_in(const char *folder, pid_t pid)
{
	struct timespec now;
	struct tm utc;
	char when[32];

	clock_gettime(CLOCK_REALTIME, &now);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%S", gmtime_r(&now.tv_sec, &utc));
	return xasprintf("%s%s%s.%03ld-%d.snap", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", when, now.tv_nsec / 1000000, (int)pid);
}

static void remove_oldest(const char *folder, uint64_t keep)
{
	char **files;
	const size_t count = snapshot_folder(folder, &files);

	for (size_t i = 0; i < count; i++) {
		if (i + keep < count)
			unlink(files[i]);
		free(files[i]);
	}
	free(files);
}

static int take(const struct arguments *arguments, const struct family *family)
{
	const bool folder = names_folder(arguments->out);
	char *path = folder ? name_in(arguments->out, family->members[0].pid) : xstrdup(arguments->out);
	const int result = snapshot_take(family, path);
	struct stat st;

	if (result == 0 && folder && arguments->keep)
		remove_oldest(arguments->out, arguments->keep);
	if (result == 0 && stat(path, &st) == 0)
		printf("%s: %zu process%s, %s\n", path, family->count, family->count == 1 ? "" : "es", text_bytes(st.st_size));
	fflush(stdout);
	free(path);
	return result;
}

static volatile sig_atomic_t stopped;

static void on_signal(int signal)
{
	(void)signal;
	stopped = 1;
}

/* Until the family has ended or we are told to stop. */
static int take_every(const struct arguments *arguments, struct watch *watch)
{
	const struct sigaction action = {.sa_handler = on_signal};
	uint64_t next = watch_now();

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	for (;;) {
		if (take(arguments, &watch->family) != 0)
			return 2;
		next += arguments->every_ns;
		while (!stopped && watch_now() < next)
			watch_sleep_until(next);
		if (stopped)
			return 0;
		if (!watch_again(watch)) {
			text_note("%d has ended", (int)watch->family.members[0].pid);
			return 0;
		}
	}
}

int cmd_snapshot(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct watch watch;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
		return 2;
	if (arguments.out[strlen(arguments.out) - 1] == '/' && mkdir(arguments.out, 0700) != 0 && errno != EEXIST) {
		text_error(NULL, "%s: %s", arguments.out, strerror(errno));
		return 2;
	}
	if (arguments.every_ns && !names_folder(arguments.out)) {
		text_error("End its name with a slash to have it made: -o DIR/", "--every: %s is not a folder", arguments.out);
		return 2;
	}
	if (watch_open(&watch, &arguments.common) != 0)
		return 2;
	int status = 2;
	if (watch.family.snapshot)
		text_error("Copy it.", "%s: is a snapshot already", arguments.common.target);
	else if (arguments.every_ns)
		status = take_every(&arguments, &watch);
	else
		status = take(&arguments, &watch.family) == 0 ? 0 : 2;
	watch_close(&watch);
	return status;
}
