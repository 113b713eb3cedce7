/* SPDX-License-Identifier: BSD-2-Clause */
/* cmd_mark.c - `heapray mark`: names this moment, for reports that start there. */
#include "command.h"

#include "family.h"
#include "json.h"
#include "marks.h"
#include "text.h"
#include "xalloc.h"

#include <ctype.h>
#include <unistd.h>

struct arguments {
	struct options common;
	const char *name;
};

/* A single word that is neither a pid nor a file is the NAME, for the newest family. */
static bool is_target(const char *word)
{
	return word[strspn(word, "0123456789")] == '\0' || access(word, F_OK) == 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		return 0;
	case ARGP_KEY_ARG:
		if (!arguments->common.target && is_target(arg))
			return ARGP_ERR_UNKNOWN; /* the common options take it */
		if (arguments->name)
			return ARGP_ERR_UNKNOWN;
		arguments->name = arg;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->name)
			argp_error(state, "no NAME for the mark");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&options_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.parser = parse,
	.args_doc = "[TARGET] NAME",
	.doc = "Name this moment of a process, for reports that start there.\v"
	       "EXAMPLES\n"
	       "  heapray mark 4711 warm                      the caches are filled now\n"
	       "  heapray growth 4711 --since warm            what grew after that\n\n"
	       "A program can set marks itself: heapray_mark(\"warm\") of heapray.h.",
	.children = children,
};

static void print(const struct family *family, const struct options *options, const char *name)
{
	if (!options->json) {
		printf("%d: marked %s\n", (int)family->members[0].pid, name);
		return;
	}
	struct mark *marks;
	const size_t count = marks_read(family, &marks);
	struct json *report = json_object(), *list = json_array();
	for (size_t i = 0; i < count; i++) {
		struct json *mark = json_object();
		json_set_string(mark, "name", marks[i].name);
		json_set_bytes(mark, "first_ns", marks[i].first_ns);
		json_set_bytes(mark, "last_ns", marks[i].last_ns);
		json_set_bytes(mark, "count", marks[i].count);
		json_append(list, mark);
	}
	json_set_integer(report, "schema", 1);
	json_set(report, "marks", list);
	json_print(report, stdout);
	free(marks);
}

int cmd_mark(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct family family;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0 || family_open(&arguments.common, &family) != 0)
		return 2;
	const int status = marks_write(&family, arguments.name) == 0 ? 0 : 2;
	if (status == 0)
		print(&family, &arguments.common, arguments.name);
	family_close(&family);
	return status;
}
