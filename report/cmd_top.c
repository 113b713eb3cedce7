/* SPDX-License-Identifier: BSD-2-Clause */
/* cmd_top.c - `heapray top`: the live screen, its keys and its clock. */
#include "command.h"

#include "text.h"
#include "top_rows.h"
#include "top_screen.h"
#include "top_view.h"

#include <string.h>

enum { KEY_EVERY = 0x2000 };

struct arguments {
	struct options common;
	uint64_t every_ns;
};

static const struct argp_option table[] = {
	{"every", KEY_EVERY, "TIME", 0, "Time between two readings (default: 1s)", 1},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		return 0;
	case KEY_EVERY:
		if (options_parse_duration(arg, &arguments->every_ns) != 0 || arguments->every_ns < 100000000u)
			argp_error(state, "--every: '%s' is not a time of at least 100ms", arg);
		return 0;
	case ARGP_KEY_END:
		if (arguments->common.json)
			argp_error(state, "a screen has no JSON: `heapray stacks --json' and `heapray growth --json' have");
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
	.doc = "The live screen: what each heap holds, who holds it, and what grows.\v"
	       "KEYS\n"
	       "  q          quit\n"
	       "  v          view: owner, stack, module, lua\n"
	       "  s          sort: live, growth, allocated, blocks, peak\n"
	       "  /          filter by a part of the name; empty: all\n"
	       "  p, space   pause\n"
	       "  m          all processes merged, or one after the other\n"
	       "  enter      the frames of the selected row",
	.children = children,
};

/* ---- keys ---------------------------------------------------------------------------------- */

static void type_filter(struct top *top, struct top_state *state, int key)
{
	const size_t length = strlen(top->filter);

	if (key == SCREEN_ENTER) {
		state->asking = false;
	} else if (key == SCREEN_ESCAPE) {
		state->asking = false;
		top->filter[0] = '\0';
	} else if (key == SCREEN_BACKSPACE) {
		if (length > 0)
			top->filter[length - 1] = '\0';
	} else if (key >= ' ' && key < 127 && length + 1 < sizeof(top->filter)) {
		top->filter[length] = (char)key;
		top->filter[length + 1] = '\0';
	}
	state->selected = state->scroll = 0;
	top_arrange(top);
}

static void move(const struct top *top, struct top_state *state, int key)
{
	const size_t page = top_page(top), last = top->row_count ? top->row_count - 1 : 0;
	size_t *at = &state->selected;

	switch (key) {
	case SCREEN_UP_KEY:
		*at -= *at > 0;
		break;
	case SCREEN_DOWN_KEY:
		*at += *at < last;
		break;
	case SCREEN_PAGE_UP:
		*at = *at > page ? *at - page : 0;
		break;
	case SCREEN_PAGE_DOWN:
		*at = *at + page < last ? *at + page : last;
		break;
	case SCREEN_HOME:
		*at = 0;
		break;
	case SCREEN_END:
		*at = last;
		break;
	default:
		break;
	}
}

/* False: quit. */
static bool press(struct top *top, struct top_state *state, int key)
{
	if (key == SCREEN_CLOSED)
		return false;
	if (state->asking) {
		type_filter(top, state, key);
		return true;
	}
	if (state->frames) {
		state->frames = key == SCREEN_RESIZED;
		return true;
	}
	switch (key) {
	case 'q':
		return false;
	case 'v':
		top->view = (top->view + 1) % VIEW_COUNT;
		state->selected = state->scroll = 0;
		top_arrange(top);
		break;
	case 's':
		top->sort = (top->sort + 1) % SORT_COUNT;
		top_arrange(top);
		break;
	case '/':
		state->asking = true;
		top->filter[0] = '\0';
		top_arrange(top);
		break;
	case 'p':
	case ' ':
		state->paused = !state->paused;
		break;
	case 'm':
		top->member = top->watch.family.count > 1 ? (top->member + 1) % (top->watch.family.count + 1) : 0;
		state->selected = state->scroll = 0;
		top_arrange(top);
		break;
	case SCREEN_ENTER:
		state->frames = state->selected < top->row_count;
		break;
	default:
		move(top, state, key);
	}
	return true;
}

/* ---- the clock ----------------------------------------------------------------------------- */

static void run(struct top *top, uint64_t every_ns)
{
	struct top_state state = {0};
	uint64_t next = watch_now() + every_ns;

	for (;;) {
		top_draw(top, &state);
		const uint64_t now = watch_now();
		const int key = screen_wait(now < next ? (int)((next - now) / 1000000u) + 1 : 0);
		if (key != SCREEN_NONE) {
			if (!press(top, &state, key))
				return;
			continue;
		}
		next += every_ns;
		if (next < watch_now()) /* we were stopped: do not catch up */
			next = watch_now() + every_ns;
		/* What is being looked at stays. */
		if (!state.paused && !state.frames)
			top_read(top);
	}
}

int cmd_top(int argc, char **argv)
{
	struct arguments arguments = {.every_ns = 1000000000u};
	struct top top;

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0 || top_open(&top, &arguments.common) != 0)
		return 2;
	const bool colour = text_color();
	text_set_color("never"); /* sequences of ours would be cells of the screen */
	if (screen_open(colour) != 0)
		return 2;
	run(&top, arguments.every_ns);
	screen_close();
	top_close(&top);
	return 0;
}
