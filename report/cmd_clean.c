/* SPDX-License-Identifier: BSD-2-Clause */
/* cmd_clean.c - `heapray clean`: removes the segments of ended processes. Live ones are never touched. */
#include "command.h"

#include "directory.h"
#include "json.h"
#include "marks.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key == ARGP_KEY_INIT) {
		state->child_inputs[0] = state->input;
		return 0;
	}
	if (key == ARGP_KEY_ARG)
		argp_error(state, "takes no TARGET: it removes all segments of ended processes");
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {{&options_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.parser = parse,
	.doc = "Remove the segments of ended processes.",
	.children = children,
};

int cmd_clean(int argc, char **argv)
{
	struct options options = {0};
	struct directory directory;
	uint64_t bytes = 0, removed = 0;
	int status = 0;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0 || directory_open(&options, false, &directory) != 0)
		return 2;
	for (size_t i = 0; i < directory.count; i++) {
		const struct found *found = &directory.found[i];
		if (found->pid != 0)
			continue;
		if (unlink(found->segment->path) != 0) {
			text_error("Try as root, or as its owner.", "%s: %s", found->segment->path, strerror(errno));
			status = 2;
			continue;
		}
		char *marks = marks_path(found->segment->path);
		unlink(marks); /* it seldom has any */
		free(marks);
		removed++;
		bytes += found->segment->bytes;
	}
	directory_close(&directory);
	if (options.json) {
		struct json *report = json_object();
		json_set_integer(report, "schema", 1);
		json_set_bytes(report, "removed_count", removed);
		json_set_bytes(report, "removed_bytes", bytes);
		json_print(report, stdout);
	} else {
		printf("removed %s segment%s of ended processes, %s\n", text_count(removed), removed == 1 ? "" : "s", text_bytes(bytes));
	}
	return status;
}
