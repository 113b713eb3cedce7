/* SPDX-License-Identifier: BSD-2-Clause */
/* subsystem_sum.c - the allocator's live blocks by subsystem: summed, as JSON and as text. */
#include <stdio.h>

#include "callers.h"
#include "subsystem.h"
#include "text.h"
#include "xalloc.h"

static void add(struct subsystems *subsystems, const char *name, uint64_t bytes, uint64_t count)
{
	struct subsystem *row = NULL;
	for (size_t i = 0; i < subsystems->count && !row; i++)
		if (!strcmp(subsystems->list[i].name, name))
			row = &subsystems->list[i];
	if (!row) {
		xgrow(subsystems->list, subsystems->count, subsystems->room);
		row = &subsystems->list[subsystems->count++];
		*row = (struct subsystem){0};
		snprintf(row->name, sizeof row->name, "%s", name);
	}
	row->live_bytes += bytes;
	row->live_count += count;
}

static int by_bytes(const void *left, const void *right)
{
	const struct subsystem *a = left, *b = right;
	if (a->live_bytes != b->live_bytes)
		return a->live_bytes > b->live_bytes ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* What a root stands for when no frame is left. */
static const char *root_name(uint32_t root)
{
	switch (root) {
	case HR_ROOT_JIT:
		return "<jit>";
	case HR_ROOT_NOT_SAMPLED:
		return "<not sampled>";
	case HR_ROOT_FULL:
		return "<tables full>";
	default:
		return "no owner found";
	}
}

static uint64_t less(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0; /* counters in flight */
}

void subsystems_add(
	struct stacks_of *stacks, const struct segment *segment, bool shared, struct subsystems *subsystems)
{
	for (size_t i = 0; i < segment->site_count; i++) {
		const struct hr_site *site = &segment->sites[i];
		uint64_t bytes = less(site->allocated_bytes, site->freed_bytes);
		uint64_t count = less(site->allocated_count, site->freed_count);
		char name[sizeof subsystems->list->name];
		if (shared) {
			bytes = less(bytes, less(site->inherited_bytes, site->inherited_freed_bytes));
			count = less(count, less(site->inherited_count, site->inherited_freed_count));
		}
		if (site->domain != 0 || !count)
			continue;
		uint32_t owner = callers_owner(stacks, site->node);
		const char *file = callers_file(stacks, owner);
		bool library = callers_is_library(stacks, owner); /* its file tells enough */
		if (file)
			subsystem_name(
				library ? NULL : callers_function(stacks, owner), file, name, sizeof name);
		else
			snprintf(name, sizeof name, "%s", root_name(owner));
		add(subsystems, name, bytes, count);
	}
}

void subsystems_sort(struct subsystems *subsystems)
{
	if (subsystems->count)
		qsort(subsystems->list, subsystems->count, sizeof *subsystems->list, by_bytes);
}

struct json *subsystems_json(const struct subsystems *subsystems)
{
	struct json *array = json_array();
	for (size_t i = 0; i < subsystems->count; i++) {
		struct json *object = json_object();
		json_set_string(object, "name", subsystems->list[i].name);
		json_set_bytes(object, "live_bytes", subsystems->list[i].live_bytes);
		json_set_bytes(object, "live_count", subsystems->list[i].live_count);
		json_append(array, object);
	}
	return array;
}

void subsystems_print(const struct subsystems *subsystems, size_t limit)
{
	if (!subsystems->count)
		return;
	printf("\n%s%-26s%12s%12s%s\n", text_bold(), "Allocator by owner", "live", "blocks", text_reset());
	for (size_t i = 0; i < subsystems->count && i < limit; i++)
		printf("  %-24s%12s%12s\n", text_safe(subsystems->list[i].name, 40),
			text_bytes(subsystems->list[i].live_bytes),
			text_count(subsystems->list[i].live_count));
	if (subsystems->count > limit)
		printf("  %s%zu more with --limit 0%s\n", text_dim(), subsystems->count - limit,
			text_reset());
}

void subsystems_free(struct subsystems *subsystems)
{
	free(subsystems->list);
	*subsystems = (struct subsystems){0};
}
