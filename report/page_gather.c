/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page_gather.c - asks the other commands for their JSON, all at once, and reads meanwhile what no command prints: the
 * stacks, the layouts of zones, the map of the heap.
 */
#include "page_gather.h"

#include "command.h"
#include "command_json.h"
#include "heap_map.h"
#include "process.h"
#include "snapshot.h"
#include "text.h"
#include "xalloc.h"
#include "zone_report.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

/* ---- parts --------------------------------------------------------------------------------- */

static bool is_watched(const struct family *family)
{
	for (size_t i = 0; i < family->count; i++) {
		if (family->members[i].segment)
			return true;
	}
	return false;
}

/* How the other commands name it: they must not take another one for the newest. */
static char *target_of(const struct family *family, const struct options *options)
{
	const struct process *root = &family->members[0];

	if (family->snapshot || !root->alive)
		return xstrdup(options->target ? options->target : root->segment ? root->segment->path : "");
	return xasprintf("%d", (int)root->pid);
}

static struct json *live_zones(const struct zone_set *set)
{
	const struct zone_question none = {0};
	struct json *zones = json_array();

	for (size_t i = 0; i < set->length; i++)
		json_append(zones, zone_json(&set->zones[i], &none));
	return zones;
}

/* The live family's own ledger, with its zones and the map of its heap. */
static void read_live(struct gathered *g)
{
	struct quality aside = {0}; /* the children say the same again */

	if (ledger_family_build(&g->ledgers, &g->family, &aside) != 0)
		return;
	g->heap = heap_map_json(&g->ledgers);
	g->zones = live_zones(&g->ledgers.zones);
	g->page.layouts = &g->ledgers.zones;
	g->page.zones = g->zones;
	g->page.heap = g->heap;
	quality_free(&aside);
}

static void read_kept(struct gathered *g, struct command_json *zones)
{
	g->said = command_json_finish(zones);
	g->page.zones = json_get(g->said, "zones");
	if (g->family.snapshot)
		g->page.heap = snapshot_report(g->family.snapshot, "heap");
}

/* ---- growth by stack ----------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->path != y->path)
		return x->path < y->path ? -1 : 1;
	return x->domain < y->domain ? -1 : x->domain > y->domain;
}

/* Live bytes of each row now, less what it had before; `before` is sorted by path. A row that is new began at 0. */
static int64_t *grown_of(const struct model *model, const struct row *before, size_t count)
{
	int64_t *grown = xcalloc(model->row_count, sizeof(*grown));

	for (size_t i = 0; i < model->row_count; i++) {
		const struct row *row = &model->rows[i], *old = count ? bsearch(row, before, count, sizeof(*before), by_path) : NULL;
		grown[i] = row->figures.live_bytes - (old ? old->figures.live_bytes : 0);
	}
	return grown;
}

/* ---- titles -------------------------------------------------------------------------------- */

static char *title_of(const struct process *root)
{
	const char *slash = strrchr(root->exe, '/');

	return xstrdup(*root->exe ? slash ? slash + 1 : root->exe : "a process");
}

static uint64_t watched_for(const struct family *family)
{
	const struct segment *s = family->members[0].segment;

	if (!s)
		return 0;
	const uint64_t end = family->members[0].alive ? s->read_ns : s->header.last_event_ns;
	return end > s->header.start_ns ? end - s->header.start_ns : 0;
}

static char *about_of(const struct gathered *g)
{
	const struct process *root = &g->family.members[0];
	const time_t now = g->family.snapshot ? (time_t)(snapshot_taken_realtime_ns(g->family.snapshot) / 1000000000u) : time(NULL);
	const uint64_t watched = watched_for(&g->family);
	char when[64];
	struct tm utc;

	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&now, &utc));
	char *more = g->family.count > 1 ? xasprintf(" and %zu it forked", g->family.count - 1) : xstrdup("");
	char *text = xasprintf("%s, %s %d%s%s%s%s; %s %s", root->exe, role_name(root->role), (int)root->pid, more,
		root->alive || g->family.snapshot ? "" : ", ended", watched ? ", watched for " : ", not started under heapray",
		watched ? text_duration(watched) : "", g->family.snapshot ? "a snapshot of" : "on", when);
	free(more);
	return text;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static struct command_json start_growth(const struct gathered *g, const char *target, uint64_t grow_ns)
{
	char *words = xasprintf("%" PRIu64 "ms", grow_ns / 1000000);
	const char *const more[] = {"--for", words, NULL};
	const struct command_json command = command_json_start(cmd_growth, "growth", &g->options, target, grow_ns ? more : NULL);

	free(words);
	return command;
}

/* Reads the stacks, lets `growth` watch for a while, and reads them again. */
static void watch(struct gathered *g, const char *target, struct command_json *growth)
{
	struct model *model = g->page.model;
	struct row *before = model->rows;
	const size_t count = model->row_count;
	struct options again = g->options;
	struct family now;

	model->rows = NULL;
	model->row_count = 0;
	if (count > 0)
		qsort(before, count, sizeof(*before), by_path);
	g->growth = command_json_finish(growth);
	again.target = target;
	if (family_open(&again, &now) == 0) {
		family_close(&g->family);
		g->family = now;
	}
	model_refresh(model, &g->family);
	g->page.grown = g->grown = grown_of(model, before, count);
	free(before);
}

int gather(struct gathered *g, const struct options *options, uint64_t grow_ns)
{
	const struct command_json none = {-1, -1};

	*g = (struct gathered){.options = *options};
	if (family_open(options, &g->family) != 0)
		return -1;
	const bool watched = is_watched(&g->family), alive = g->family.members[0].alive, waits = watched && alive && grow_ns;
	char *target = target_of(&g->family, options);
	/* As early as can be: the less memory we have, the cheaper a child is. */
	struct command_json growth = watched ? start_growth(g, target, alive ? grow_ns : 0) : none;
	struct command_json zones = alive ? none : command_json_start(cmd_zones, "zones", &g->options, target, NULL);
	struct command_json breakdown = waits ? none : command_json_start(cmd_breakdown, "breakdown", &g->options, target, NULL);
	quality_of(&g->family, &g->quality);
	if (watched)
		g->page.model = model_build(&g->family, &g->quality);
	if (waits) {
		g->page.grown_ns = grow_ns;
		watch(g, target, &growth);
		breakdown = command_json_start(cmd_breakdown, "breakdown", &g->options, target, NULL);
	}
	if (alive)
		read_live(g);
	else
		read_kept(g, &zones);
	g->page.breakdown = g->breakdown = command_json_finish(&breakdown);
	if (!g->growth)
		g->growth = command_json_finish(&growth);
	g->page.growth = g->growth;
	g->page.title = g->title = title_of(&g->family.members[0]);
	g->page.about = g->about = about_of(g);
	g->page.quality = quality_json(&g->quality);
	free(target);
	return 0;
}

int gather_diff(struct gathered *g, const struct options *options, const char *before, const char *after)
{
	const char *const more[] = {before, NULL};

	*g = (struct gathered){.options = *options};
	struct command_json diff = command_json_start(cmd_diff, "diff", options, after, more);
	g->said = command_json_finish(&diff);
	g->page.diff = g->said;
	g->page.quality = json_get(g->said, "quality");
	g->page.title = "What changed";
	g->page.about = g->about = xasprintf("from %s to %s", before, after);
	return g->said ? 0 : -1;
}

int gather_compare(struct gathered *g, const char *path)
{
	FILE *in = fopen(path, "re");
	char *text = NULL, why[200];
	size_t room = 0;

	*g = (struct gathered){0};
	const ssize_t length = in ? getdelim(&text, &room, '\0', in) : -1;
	if (in)
		fclose(in);
	if (length <= 0 || text[0] != '{') {
		free(text);
		return 1;
	}
	g->said = json_parse(text, (size_t)length, why, sizeof(why));
	free(text);
	if (!g->said || !json_length(json_get(g->said, "arms"))) {
		text_error("`heapray compare --json -- CMD...' writes one.", "%s: %s", path, g->said ? "no comparison" : why);
		return -1;
	}
	const struct json *command = json_get(g->said, "command");
	g->about = xstrdup("");
	for (size_t i = 0; i < json_length(command) && i < 40; i++) {
		char *longer = xasprintf("%s%s%s", g->about, i ? " " : "", json_to_string(json_at(command, i)));
		free(g->about);
		g->about = longer;
	}
	g->page.compare = g->said;
	g->page.quality = json_get(g->said, "quality");
	g->page.title = "Allocators";
	g->page.about = g->about;
	return 0;
}
