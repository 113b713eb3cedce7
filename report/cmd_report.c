/* SPDX-License-Identifier: BSD-2-Clause */
/* cmd_report.c - `heapray report`: one page with the pictures, or one picture. */
#include "command.h"

#include "owners.h"
#include "page_gather.h"
#include "text.h"
#include "xalloc.h"

#include <errno.h>
#include <unistd.h>

struct arguments {
	struct options common;
	const char *after, *output, *svg;
	uint64_t grow_ns;
};

enum { KEY_SVG = 0x2000, KEY_FOR, KEY_WRAPPER };

static const struct argp_option table[] = {
	{"output", 'o', "FILE", 0, "Where to write; - is standard output", 1},
	{"svg", KEY_SVG, "PICTURE", 0, "That picture alone, as SVG: system, application, family, waterfall, timeline, flame, sizes, ages, heap, compare", 1},
	{"for", KEY_FOR, "TIME", 0, "Watch it so long first: then the page says which stacks grow, and how fast", 1},
	{"wrapper", KEY_WRAPPER, "NAME", 0, "A function that only passes allocations on; '*' matches any text; may be repeated", 1},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		return 0;
	case 'o':
		arguments->output = arg;
		return 0;
	case KEY_SVG:
		arguments->svg = arg;
		return 0;
	case KEY_FOR:
		if (options_parse_duration(arg, &arguments->grow_ns) != 0)
			argp_error(state, "--for: '%s' is not a time", arg);
		return 0;
	case KEY_WRAPPER:
		owners_add(arg);
		return 0;
	case ARGP_KEY_ARG:
		if (!arguments->common.target || arguments->after)
			return ARGP_ERR_UNKNOWN; /* TARGET is the common options'; a third is too many */
		arguments->after = arg;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->output)
			argp_error(state, "-o FILE says where to write");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&options_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.options = table,
	.parser = parse,
	.args_doc = "[TARGET [AFTER]]",
	.doc = "One page with the pictures: it opens from disk, needs no network, and shows the figures of --json.\v"
	       "TARGET is a pid (with all it forked), a segment file, a snapshot, a folder of snapshots, what `compare --json' "
	       "wrote, or left out: the newest watched process. With AFTER the page is of what changed from one snapshot to the other.\n\n"
	       "EXAMPLES\n"
	       "  heapray report 4711 -o page.html\n"
	       "  heapray report 4711 --for 60s -o page.html   and what grew in a minute\n"
	       "  heapray report before.hrs after.hrs -o changes.html\n"
	       "  heapray report compare.json -o allocators.html\n"
	       "  heapray report 4711 --svg flame -o flame.svg\n",
	.children = children,
};

/* What the words say is to be shown. */
static int read_target(struct gathered *g, const struct arguments *arguments)
{
	const char *target = arguments->common.target;

	if (arguments->after)
		return gather_diff(g, &arguments->common, target, arguments->after);
	const int compare = target && access(target, F_OK) == 0 ? gather_compare(g, target) : 1;
	return compare <= 0 ? compare : gather(g, &arguments->common, arguments->grow_ns);
}

static int write_it(const struct page *page, const struct arguments *arguments)
{
	FILE *out = strcmp(arguments->output, "-") == 0 ? stdout : fopen(arguments->output, "we");
	int status = 0;

	if (!out) {
		text_error(NULL, "%s: %s", arguments->output, strerror(errno));
		return 2;
	}
	if (arguments->svg)
		status = page_picture(page, arguments->svg, out) == 0 ? 0 : 2;
	else
		page_write(page, out);
	const bool failed = ferror(out) || (out == stdout ? fflush(out) : fclose(out)) != 0;
	if (failed)
		text_error("Is the file system full?", "%s: write failed", arguments->output);
	if (status != 0 && out != stdout)
		unlink(arguments->output);
	return failed ? 2 : status;
}

int cmd_report(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct gathered gathered;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0 || read_target(&gathered, &arguments) != 0)
		return 2;
	return write_it(&gathered.page, &arguments);
}
