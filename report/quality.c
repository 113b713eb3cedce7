/* SPDX-License-Identifier: BSD-2-Clause */
/* quality.c - sums what was lost, sampled or approximated over a family, and says it. */
#include "quality.h"

#include "text.h"
#include "xalloc.h"

#include <inttypes.h>
#include <stdarg.h>

static const struct {
	const char *id, *what;
} reasons[] = {
	[HR_LOST_NODES_FULL] = {"nodes_full", "stacks without room"},
	[HR_LOST_SITES_FULL] = {"sites_full", "sites without room"},
	[HR_LOST_BLOCKS_FULL] = {"blocks_full", "blocks without room"},
	[HR_LOST_MODULES_FULL] = {"modules_full", "modules without room"},
	[HR_LOST_STRINGS_FULL] = {"strings_full", "names without room"},
	[HR_LOST_MAPPINGS_FULL] = {"mappings_full", "mappings without room"},
	[HR_LOST_ZONES_FULL] = {"zones_full", "zones without room"},
	[HR_LOST_DOMAINS_FULL] = {"domains_full", "heaps without room"},
	[HR_LOST_THREADS_FULL] = {"threads_full", "threads without room"},
	[HR_LOST_NO_MEMORY] = {"no_memory", "no memory for heapray's tables"},
	[HR_LOST_SEGMENT_FULL] = {"segment_full", "the segment's file system is full"},
	[HR_LOST_NESTED] = {"nested", "allocated while recording (signal handlers)"},
	[HR_LOST_BOOT] = {"boot", "allocated before the allocator was there"},
	[HR_LOST_TOO_LARGE] = {"too_large", "blocks too large to be kept"},
	[HR_LOST_TRUNCATED] = {"truncated", "stacks cut for their depth"},
	[HR_LOST_UNWIND_FAILED] = {"unwind_failed", "stacks that end early"},
	[HR_LOST_LUA_WALK] = {"lua_walk", "Lua stacks dropped by a check"},
	[HR_LOST_LIVE_REBUILD] = {"live_rebuild", "blocks a forked child could not take over"},
};

static const char *reason_id(size_t reason)
{
	static char unknown[24];

	if (reason < sizeof(reasons) / sizeof(reasons[0]) && reasons[reason].id)
		return reasons[reason].id;
	snprintf(unknown, sizeof(unknown), "reason_%zu", reason);
	return unknown;
}

static const char *reason_text(size_t reason)
{
	return reason < sizeof(reasons) / sizeof(reasons[0]) && reasons[reason].what ? reasons[reason].what : reason_id(reason);
}

static void add_state(struct quality *quality, const struct segment *segment)
{
	const struct hr_header *h = &segment->header;
	const char *why = segment_string(segment, h->state_reason);

	if (h->state == HR_STATE_STOPPED)
		quality_approximate(quality, "process %" PRIu64 " stopped recording%s%s", h->pid, why ? ": " : "", why ? why : "");
	if (h->state == HR_STATE_FORKED)
		quality_approximate(quality, "process %" PRIu64 " has not allocated since it was forked: what it has is its parent's",
			h->pid);
	if (h->warnings & HR_WARN_NOT_FIRST)
		quality_approximate(quality, "process %" PRIu64 ": another library's malloc comes before heapray's, which sees little", h->pid);
	if (h->warnings & HR_WARN_STATIC_MALLOC)
		quality_approximate(quality, "process %" PRIu64 ": malloc is linked into the executable, heapray sees little", h->pid);
}

/* Lua's stacks are sampled also when all others are exact; VMs without any say why. */
static void add_lua(struct quality *quality, const struct segment *segment)
{
	for (size_t i = 0; i < segment->domain_count; i++) {
		const struct hr_domain *domain = &segment->domains[i];
		const char *off = segment_string(segment, domain->lua_off_reason);
		if (domain->kind != HR_DOMAIN_LUAJIT && domain->kind != HR_DOMAIN_LUA)
			continue;
		if (off)
			quality_approximate(quality, "%s has no Lua stacks: %s", segment_domain_name(segment, i), off);
		if (segment->header.lua_sample_bytes > 1 && segment->header.lua_sample_bytes > quality->lua_sampled_bytes)
			quality->lua_sampled_bytes = segment->header.lua_sample_bytes;
	}
}

void quality_of(const struct family *family, struct quality *quality)
{
	bool compared = false;

	memset(quality, 0, sizeof(*quality));
	for (size_t i = 0; i < family->count; i++) {
		const struct segment *segment = family->members[i].segment;
		if (!segment)
			continue;
		const struct hr_header *h = &segment->header;
		quality->watched++;
		for (size_t r = 0; r < HR_LOST_COUNT; r++)
			quality->lost[r] += h->lost[r];
		if (h->sample_bytes > quality->sampled_bytes)
			quality->sampled_bytes = h->sample_bytes;
		quality->unknown_frees += h->unknown_frees;
		quality->own_bytes += h->own_private_bytes + h->own_segment_bytes;
		quality->unwind_compared += h->unwind_compared;
		quality->unwind_differences += h->unwind_differences;
		compared |= h->check_unwind != 0;
		add_state(quality, segment);
		add_lua(quality, segment);
	}
	if (!compared)
		quality->unwind_differences = JSON_UNKNOWN;
	if (quality->sampled_bytes == 0)
		quality->sampled_bytes = JSON_UNKNOWN;
	if (quality->lua_sampled_bytes == 0)
		quality->lua_sampled_bytes = JSON_UNKNOWN;
}

void quality_approximate(struct quality *quality, const char *format, ...)
{
	char sentence[600];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	for (size_t i = 0; i < quality->approximate_count; i++) {
		if (strcmp(quality->approximate[i], sentence) == 0)
			return;
	}
	xgrow(quality->approximate, quality->approximate_count, quality->approximate_capacity);
	quality->approximate[quality->approximate_count++] = xstrdup(sentence);
}

struct json *quality_json(const struct quality *quality)
{
	struct json *json = json_object(), *lost = json_object(), *approximate = json_array();

	for (size_t i = 0; i < HR_LOST_COUNT; i++) {
		if (quality->lost[i])
			json_set_bytes(lost, reason_id(i), quality->lost[i]);
	}
	for (size_t i = 0; i < quality->approximate_count; i++)
		json_append(approximate, json_string(quality->approximate[i]));
	json_set_bytes(json, "sampled_bytes", quality->sampled_bytes);
	json_set_bytes(json, "lua_sampled_bytes", quality->lua_sampled_bytes);
	json_set(json, "lost", lost);
	json_set_bytes(json, "unknown_frees", quality->unknown_frees);
	json_set_bytes(json, "unwind_differences", quality->unwind_differences);
	json_set(json, "approximate", approximate);
	json_set_bytes(json, "own_bytes", quality->own_bytes);
	return json;
}

static void print_lost(const struct quality *quality, FILE *out)
{
	bool any = false;

	for (size_t i = 0; i < HR_LOST_COUNT; i++) {
		if (quality->lost[i] == 0)
			continue;
		fprintf(out, "%s %s (%s)", any ? "," : "; lost:", text_count(quality->lost[i]), reason_text(i));
		any = true;
	}
	if (!any)
		fputs("; nothing lost", out);
}

void quality_print(const struct quality *quality, FILE *out)
{
	fprintf(out, "%sdata quality:%s ", text_bold(), text_reset());
	if (quality->watched == 0)
		fputs("not preloaded, no allocation is recorded", out);
	else if (quality->sampled_bytes == JSON_UNKNOWN)
		fputs("exact, every allocation", out);
	else
		fprintf(out, "stacks sampled every %s, totals exact", text_bytes(quality->sampled_bytes));
	if (quality->watched && quality->lua_sampled_bytes != JSON_UNKNOWN)
		fprintf(out, "; Lua's stacks sampled every %s, its totals exact", text_bytes(quality->lua_sampled_bytes));
	print_lost(quality, out);
	fprintf(out, "; unknown frees: %s", text_count(quality->unknown_frees));
	if (quality->unwind_differences != JSON_UNKNOWN)
		fprintf(out, "; unwind differences: %s of %s", text_count(quality->unwind_differences), text_count(quality->unwind_compared));
	fprintf(out, "; heapray's own memory: %s\n", text_bytes(quality->own_bytes));
	for (size_t i = 0; i < quality->approximate_count; i++)
		fprintf(out, "  note: %s\n", text_safe(quality->approximate[i], 400));
}

void quality_free(struct quality *quality)
{
	for (size_t i = 0; i < quality->approximate_count; i++)
		free(quality->approximate[i]);
	free(quality->approximate);
	memset(quality, 0, sizeof(*quality));
}
