/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_zones.c - `heapray zones`: nginx's shared-memory zones, with or without the shim.
 */
#include "command.h"
#include "family.h"
#include "quality.h"
#include "snapshot.h"
#include "text.h"
#include "xalloc.h"
#include "zone_draw.h"
#include "zone_report.h"

#include <ctype.h>
#include <errno.h>
#include <unistd.h>

#define SCREENFUL 40

struct arguments {
	struct options options;
	struct zone_question question;
	const char *zone, *svg;
	bool key_given;
};

enum { KEY_LAYOUT = 1, KEY_SIZES, KEY_FIT, KEY_FIT_VALUE, KEY_KEY_LENGTH, KEY_SVG };

static const struct argp_option table[] = {
	{"layout", KEY_LAYOUT, NULL, 0, "The slabs in address order, used and free", 1},
	{"sizes", KEY_SIZES, NULL, 0, "How many slabs of each size are used and free", 1},
	{"fit", KEY_FIT, "BYTES", 0, "Would an allocation of this size succeed now, and why", 1},
	{"fit-value", KEY_FIT_VALUE, "BYTES", 0,
		"The same for a value in a lua_shared_dict, with --key-length", 1},
	{"key-length", KEY_KEY_LENGTH, "N", 0, "Bytes of that value's key", 1},
	{"svg", KEY_SVG, "FILE", 0, "Write the layout as a picture; - is standard output", 1},
	{0},
};

static void size_argument(const char *option, const char *text, uint64_t *bytes, struct argp_state *state)
{
	if (options_parse_bytes(text, bytes) != 0 || *bytes > (uint64_t)1 << 48)
		argp_error(state, "%s: '%s' is not a size", option, text);
}

/* Alone, a word that is no pid and no path names a zone of the newest family. */
static bool names_zone(const char *text)
{
	const char *p = text;

	while (isdigit((unsigned char)*p))
		p++;
	return *p && !strchr(text, '/') && access(text, F_OK) != 0;
}

static void check(struct arguments *arguments, struct argp_state *state)
{
	const struct zone_question *q = &arguments->question;

	if (q->fit && q->fit_value)
		argp_error(state, "--fit and --fit-value exclude each other");
	if (q->fit_value != arguments->key_given)
		argp_error(state, "--fit-value and --key-length go together");
	if (arguments->options.target && !arguments->zone && names_zone(arguments->options.target)) {
		arguments->zone = arguments->options.target;
		arguments->options.target = NULL;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct zone_question *question = &arguments->question;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->options;
		return 0;
	case KEY_LAYOUT:
		question->layout = true;
		return 0;
	case KEY_SIZES:
		question->sizes = true;
		return 0;
	case KEY_FIT:
		question->fit = true;
		size_argument("--fit", arg, &question->bytes, state);
		return 0;
	case KEY_FIT_VALUE:
		question->fit_value = true;
		size_argument("--fit-value", arg, &question->bytes, state);
		return 0;
	case KEY_KEY_LENGTH:
		arguments->key_given = true;
		size_argument("--key-length", arg, &question->key_length, state);
		return 0;
	case KEY_SVG:
		arguments->svg = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (!arguments->options.target || arguments->zone)
			return ARGP_ERR_UNKNOWN; /* TARGET is the common options'; a third is too many */
		arguments->zone = arg;
		return 0;
	case ARGP_KEY_END:
		check(arguments, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void collect(const struct family *family, struct zone_set *set)
{
	pid_t *pids = xcalloc(family->count, sizeof(*pids));
	size_t live = 0;

	for (size_t i = 0; i < family->count; i++)
		if (family->members[i].alive)
			pids[live++] = family->members[i].pid;
	zone_set_live(set, pids, live);
	free(pids);
	for (size_t i = 0; i < family->count; i++) {
		const struct segment *segment = family->members[i].segment;
		/* A live process without the right to look at its zones, or an ended one. */
		for (size_t j = 0; segment && j < segment->zone_count; j++)
			zone_set_published(set, &segment->zones[j], segment->read_ns);
	}
	zone_set_finish(set);
}

/* Keeps the zones of that name; false, with the error printed, when there is none. */
static bool select_zones(struct zone_set *set, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->length; i++) {
		struct zone other = set->zones[i];
		if (strcmp(other.name.name, name) != 0)
			continue;
		set->zones[i] = set->zones[kept];
		set->zones[kept++] = other;
	}
	if (kept == 0) {
		text_error("`heapray zones' without a name lists them.", "%s: no such zone",
			text_safe(name, 80));
		return false;
	}
	for (size_t i = kept; i < set->length; i++)
		zone_release(&set->zones[i]);
	set->length = kept;
	return true;
}

/* The picture shows one zone: the last generation of the one asked for, or the only one with slabs. */
static int write_svg(const struct zone_set *set, const char *path)
{
	const struct zone *chosen = NULL;

	for (size_t i = 0; i < set->length; i++) {
		const struct zone *zone = &set->zones[i];
		if (!zone->walked)
			continue;
		if (chosen && (strcmp(chosen->name.name, zone->name.name) != 0 ||
				      strcmp(chosen->name.kind, zone->name.kind) != 0)) {
			text_error("Name one: heapray zones TARGET ZONE --svg FILE",
				"--svg: there are several zones");
			return 2;
		}
		chosen = zone;
	}
	if (!chosen) {
		text_error(NULL, "--svg: there is no zone whose slabs could be read");
		return 2;
	}
	FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	if (!out) {
		text_error(NULL, "%s: %s", path, strerror(errno));
		return 2;
	}
	zone_draw_svg(chosen, out);
	const bool failed = ferror(out) || (out == stdout ? fflush(out) : fclose(out)) != 0;
	if (failed)
		text_error("Is the file system full?", "%s: write failed", path);
	return failed ? 2 : 0;
}

static void print_json(
	const struct zone_set *set, const struct arguments *arguments, const struct quality *quality)
{
	struct json *report = json_object(), *zones = json_array();
	const size_t limit = arguments->options.limit_given && arguments->options.limit
				     ? arguments->options.limit
				     : set->length;

	for (size_t i = 0; i < set->length && i < limit; i++)
		json_append(zones, zone_json(&set->zones[i], &arguments->question));
	json_set_integer(report, "schema", 1);
	json_set(report, "zones", zones);
	json_set(report, "quality", quality_json(quality));
	json_print(report, stdout);
}

static void print_text(
	const struct zone_set *set, const struct arguments *arguments, const struct quality *quality)
{
	const struct zone_question *q = &arguments->question;
	const bool at_length = arguments->zone || q->layout || q->sizes || q->fit || q->fit_value;
	const size_t limit = arguments->options.limit_given ? arguments->options.limit : SCREENFUL;

	if (set->length == 0)
		puts("No shared-memory zones.");
	else if (!at_length)
		zone_print_table(set, limit, stdout);
	for (size_t i = 0; at_length && i < set->length; i++) {
		if (i > 0)
			putchar('\n');
		zone_print(&set->zones[i], q, stdout);
	}
	putchar('\n');
	quality_print(quality, stdout);
}

static int report(const struct zone_set *set, const struct arguments *arguments, const struct family *family)
{
	struct quality quality;

	if (arguments->svg) {
		const int status = write_svg(set, arguments->svg);
		if (status != 0 || strcmp(arguments->svg, "-") == 0)
			return status;
	}
	quality_of(family, &quality);
	for (size_t i = 0; i < set->length; i++)
		if (set->zones[i].doubt[0])
			quality_approximate(&quality, "zone %s: %s",
				*set->zones[i].name.name ? set->zones[i].name.name : "without a name",
				set->zones[i].doubt);
	if (arguments->options.json)
		print_json(set, arguments, &quality);
	else
		print_text(set, arguments, &quality);
	quality_free(&quality);
	return 0;
}

int cmd_zones(int argc, char **argv)
{
	static const struct argp_child children[] = {{&options_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {table, parse, "[TARGET [ZONE]]",
		"Show nginx's shared-memory zones: how full, how fragmented, and why. Works on any nginx, "
		"watched or not.",
		children, NULL, NULL};
	struct arguments arguments = {0};
	struct zone_set set = {0};
	struct family family;
	uint64_t bytes;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if (family_open(&arguments.options, &family) != 0)
		return 2;
	if (family.snapshot) {
		const struct zone_question *q = &arguments.question;
		if (q->layout || q->sizes || q->fit || q->fit_value || arguments.svg)
			text_error(NULL, "%s: a snapshot keeps the counts of zones, not their pages",
				arguments.options.target);
		else
			return snapshot_show_zones(family.snapshot, arguments.zone, arguments.options.json);
		return 2;
	}
	collect(&family, &set);
	int status = arguments.zone && !select_zones(&set, arguments.zone) ? 2 : 0;
	if (status == 0 && arguments.zone && arguments.question.fit_value &&
		!zone_question_applies(&arguments.question, &set.zones[0], &bytes)) {
		text_error("--fit BYTES asks about any zone.",
			"%s: --fit-value: it is no lua_shared_dict whose slabs could be read",
			arguments.zone);
		status = 2;
	}
	if (status == 0)
		status = report(&set, &arguments, &family);
	zone_set_free(&set);
	family_close(&family);
	return status;
}
