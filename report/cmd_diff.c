/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_diff.c - `heapray diff A B`: what is new, gone, grown, shrunk from one to the other.
 *
 * A live process is snapshotted first, into a file that is removed at once: so all that snapshots keep can
 * be compared, and the process is looked at but once.
 */
#include "command.h"

#include "quality.h"
#include "snapshot.h"
#include "snapshot_diff.h"
#include "text.h"
#include "xalloc.h"

#include <unistd.h>

#define SCREENFUL 8
#define FRAMES 6

enum { KEY_FAIL_ABOVE = 0x2000, KEY_GROUP };

struct arguments {
	struct options common;
	const char *after;
	uint64_t fail_above;
	bool fails;
	enum group group;
};

static const struct argp_option table[] = {
	{"fail-above", KEY_FAIL_ABOVE, "BYTES", 0, "Exit with 1 when B has more than BYTES live above A", 1},
	{"group", KEY_GROUP, "HOW", 0, "stack (default), function, module, owner, domain", 1},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const groups[] = {"stack", "function", "module", "owner", "domain"};
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->common;
		return 0;
	case KEY_FAIL_ABOVE:
		arguments->fails = true;
		if (options_parse_bytes(arg, &arguments->fail_above) != 0 || arguments->fail_above > INT64_MAX)
			argp_error(state, "--fail-above: '%s' is not a size", arg);
		return 0;
	case KEY_GROUP:
		for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
			if (strcmp(arg, groups[i]) == 0) {
				arguments->group = (enum group)i;
				return 0;
			}
		}
		argp_error(state, "--group: '%s' is not one of stack, function, module, owner, domain", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (!arguments->common.target || arguments->after)
			return ARGP_ERR_UNKNOWN;
		arguments->after = arg;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->after)
			argp_error(state, "two of them are needed: A and B");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {{&options_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
	.options = table,
	.parser = parse,
	.args_doc = "A B",
	.doc = "What changed from A to B: snapshots, segments, or a pid for how it is now. By stack, Lua line, component and zone.\v"
	       "EXAMPLES\n"
	       "  heapray diff before.snap after.snap\n"
	       "  heapray diff before.snap 4711 --group owner\n"
	       "  heapray diff base.snap now.snap --fail-above 10M    for CI: exit status 1",
	.children = children,
};

/* ---- the two sides ------------------------------------------------------------------------- */

struct side {
	struct family family;
	struct quality quality;
	struct model *model;
};

static int snapshot_of_live(struct family *family, bool one)
{
	const char *folder = getenv("TMPDIR");
	char *path = xasprintf("%s/heapray-diff.XXXXXX", folder && *folder ? folder : "/tmp");
	const int fd = mkstemp(path);
	int result = -1;

	if (fd < 0)
		text_error("Set TMPDIR to a folder that can be written to.", "%s: cannot be made", path);
	else if (snapshot_take(family, path) == 0) {
		family_close(family);
		result = snapshot_open(path, one, family);
	}
	if (fd >= 0) {
		unlink(path);
		close(fd);
	}
	free(path);
	return result;
}

static int open_side(struct side *side, const struct options *common, const char *target)
{
	struct options options = *common;

	options.target = target;
	if (family_open(&options, &side->family) != 0)
		return -1;
	if (side->family.members[0].alive && snapshot_of_live(&side->family, options.one) != 0)
		return -1;
	quality_of(&side->family, &side->quality);
	side->model = model_build(&side->family, &side->quality);
	return 0;
}

/* What makes either side's figures doubtful makes the difference so. */
static void join_quality(struct quality *to, const struct quality *from)
{
	if (from->sampled_bytes != JSON_UNKNOWN)
		to->sampled_bytes = from->sampled_bytes;
	for (size_t i = 0; i < HR_LOST_COUNT; i++)
		to->lost[i] += from->lost[i];
	to->unknown_frees += from->unknown_frees;
	for (size_t i = 0; i < from->approximate_count; i++)
		quality_approximate(to, "%s", from->approximate[i]);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static const char *const kinds[] = {"stack", "lua", "component", "zone"};

static struct json *change_json(const struct change *change)
{
	struct json *json = json_object();

	json_set_string(json, "what", kinds[change->kind]);
	json_set_integer(json, "before_bytes", change->before);
	json_set_integer(json, "after_bytes", change->after);
	json_set_integer(json, "delta_bytes", change->after - change->before);
	if (!change->model) {
		json_set_string(json, "name", change->key);
		return json;
	}
	struct json *frames = json_array();
	for (size_t i = 0; i < change->frame_count; i++) {
		const struct frame *frame = &change->model->frames[change->frames[i]];
		struct json *f = json_object();
		json_set_string(f, "function", frame->function);
		json_set_string(f, "module", frame->module);
		json_set_bytes(f, "offset", frame->offset);
		json_set_string(f, "file", frame->file);
		json_set(f, "line", frame->line ? json_integer(frame->line) : json_null());
		json_append(frames, f);
	}
	json_set_string(json, "domain", change->domain);
	json_set(json, "frames", frames);
	return json;
}

static void print_json(const struct diff *diff, const struct arguments *arguments, const struct quality *quality)
{
	struct json *report = json_object(), *total = json_object(), *changes = json_array();
	const struct options *common = &arguments->common;
	const size_t limit = common->limit_given && common->limit ? common->limit : diff->count;

	json_set_integer(total, "live_bytes", diff->after - diff->before);
	json_set_integer(total, "before_bytes", diff->before);
	json_set_integer(total, "after_bytes", diff->after);
	for (size_t i = 0; i < diff->count && i < limit; i++)
		json_append(changes, change_json(&diff->list[i]));
	json_set_integer(report, "schema", 1);
	json_set(report, "total", total);
	json_set(report, "changes", changes);
	json_set(report, "quality", quality_json(quality));
	json_print(report, stdout);
}

/* ---- text ---------------------------------------------------------------------------------- */

static const char *word_of(const struct change *change)
{
	return change->before == 0 ? "new" : change->after == 0 ? "gone" : change->after > change->before ? "grown" : "shrunk";
}

static void print_frame(const struct frame *frame)
{
	const char *module = strrchr(frame->module, '/');

	printf("%s", frame->function ? text_safe(frame->function, 100) : frame->kind == FRAME_LUA ? "" : "?");
	if (frame->file)
		printf(" %s%s:%u%s", text_dim(), text_safe(frame->file, 100), frame->line, text_reset());
	if (frame->kind == FRAME_NATIVE)
		printf(" %s[%s]%s", text_dim(), text_safe(module ? module + 1 : frame->module, 60), text_reset());
	putchar('\n');
}

static void print_change(const struct change *change, const struct arguments *arguments)
{
	const int64_t delta = change->after - change->before;
	const size_t shown = arguments->common.limit_given || change->frame_count < FRAMES ? change->frame_count : FRAMES;

	printf("%s%12s%s  %-6s  ", delta > 0 ? text_red() : text_green(), text_signed_bytes(delta), text_reset(), word_of(change));
	printf("%10s to %-10s  ", text_bytes(change->before > 0 ? (uint64_t)change->before : 0), text_bytes(change->after > 0 ? (uint64_t)change->after : 0));
	if (!change->model) {
		puts(text_safe(change->key, 100));
		return;
	}
	if (change->kind == CHANGE_LUA && change->frame_count == 1) {
		print_frame(&change->model->frames[change->frames[0]]);
		return;
	}
	puts(change->domain ? text_safe(change->domain, 60) : "several heaps");
	for (size_t i = 0; i < shown; i++) {
		fputs("                      ", stdout);
		print_frame(&change->model->frames[change->frames[i]]);
	}
	if (shown < change->frame_count)
		printf("                      %s... %zu more frames%s\n", text_dim(), change->frame_count - shown, text_reset());
}

static void print_kind(const struct diff *diff, enum change_kind kind, const char *title, const struct arguments *arguments)
{
	const size_t limit = !arguments->common.limit_given ? SCREENFUL : arguments->common.limit ? arguments->common.limit : SIZE_MAX;
	size_t count = 0;

	for (size_t i = 0; i < diff->count; i++) {
		if (diff->list[i].kind != kind)
			continue;
		if (count == 0)
			printf("\n%s%s%s\n", text_bold(), title, text_reset());
		if (count++ < limit)
			print_change(&diff->list[i], arguments);
	}
	if (count > limit)
		printf("%s  ... %zu more; --limit 0 shows all%s\n", text_dim(), count - limit, text_reset());
}

static void print_text(const struct diff *diff, const struct arguments *arguments, const struct quality *quality)
{
	printf("live bytes: %s before, %s after, %s%s%s\n", text_bytes((uint64_t)diff->before), text_bytes((uint64_t)diff->after), text_bold(),
		text_signed_bytes(diff->after - diff->before), text_reset());
	if (diff->count == 0)
		puts("nothing changed");
	print_kind(diff, CHANGE_STACK, "By stack, live bytes", arguments);
	print_kind(diff, CHANGE_LUA, "By Lua line, live bytes", arguments);
	print_kind(diff, CHANGE_COMPONENT, "By component, resident bytes of all processes", arguments);
	print_kind(diff, CHANGE_ZONE, "By zone, used bytes", arguments);
	putchar('\n');
	quality_print(quality, stdout);
}

int cmd_diff(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct side before = {0}, after = {0};

	if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0 || open_side(&before, &arguments.common, arguments.common.target) != 0 ||
		open_side(&after, &arguments.common, arguments.after) != 0)
		return 2;
	struct diff diff = diff_of(&before.family, before.model, &after.family, after.model, arguments.group);
	join_quality(&after.quality, &before.quality);
	if (arguments.common.json)
		print_json(&diff, &arguments, &after.quality);
	else
		print_text(&diff, &arguments, &after.quality);
	const bool failed = arguments.fails && diff.after - diff.before > (int64_t)arguments.fail_above;
	if (failed)
		text_note("%s more than before: above %s", text_bytes((uint64_t)(diff.after - diff.before)), text_bytes(arguments.fail_above));
	diff_free(&diff);
	return failed ? 1 : 0;
}
