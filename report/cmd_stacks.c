/* SPDX-License-Identifier: BSD-2-Clause */
/* cmd_stacks.c - `heapray stacks`: who holds the memory, by call path. */
#include "command.h"

#include "owners.h"
#include "stacks.h"
#include "text.h"

#include <string.h>

enum { KEY_BY = 0x2000, KEY_GROUP, KEY_DOMAIN, KEY_WRAPPER };

static const struct argp_option table[] = {
	{"by", KEY_BY, "WHAT", 0, "Order by live (default), peak, allocated, count, temporary", 1},
	{"group", KEY_GROUP, "HOW", 0, "stack (default), function, module, owner, domain, lua", 1},
	{"domain", KEY_DOMAIN, "NAME", 0, "That heap alone: allocator, mmap, luajit, luajit:http:0, ...", 1},
	{"wrapper", KEY_WRAPPER, "NAME", 0, "A function that only passes allocations on; '*' matches any text; may be repeated", 1},
	{0},
};

/* The index of word in a list that ends with NULL; argp_error when it is none of them. */
static int one_of(const char *word, const char *const *list, const char *option, const char *words, struct argp_state *state)
{
	for (int i = 0; list[i]; i++) {
		if (strcmp(word, list[i]) == 0)
			return i;
	}
	argp_error(state, "%s: '%s' is not one of %s", option, word, words);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const measures[] = {"live", "peak", "allocated", "count", "temporary", NULL};
	static const char *const groups[] = {"stack", "function", "module", "owner", "domain", "lua", NULL};
	struct stacks_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->common;
		return 0;
	case KEY_BY:
		options->by = one_of(arg, measures, "--by", "live, peak, allocated, count, temporary", state);
		return 0;
	case KEY_GROUP:
		options->group = one_of(arg, groups, "--group", "stack, function, module, owner, domain, lua", state);
		return 0;
	case KEY_DOMAIN:
		options->domain = arg;
		return 0;
	case KEY_WRAPPER:
		owners_add(arg);
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
	.doc = "Who holds the memory: call paths, by bytes.\v"
	       "TARGET is a pid (with all it forked), a segment file, or left out: the newest watched process.",
	.children = children,
};

int cmd_stacks(int argc, char **argv)
{
	struct stacks_options options = {0};
	struct family family;

	if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0 || family_open(&options.common, &family) != 0)
		return 2;
	bool watched = false;
	for (size_t i = 0; i < family.count; i++)
		watched |= family.members[i].segment != NULL;
	int status = 2;
	if (watched)
		status = stacks_report(&family, &options, stdout);
	else
		text_error("Start it with `heapray run -- CMD...'; `heapray breakdown' works without.", "%d: not started under heapray",
			(int)family.members[0].pid);
	family_close(&family);
	return status;
}
