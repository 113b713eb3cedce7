/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot_take.c - writes a snapshot of a family as it was just read.
 *
 * Parts are gathered in memory, packed, written to a file beside the target and renamed: a reader of the
 * folder never sees half of one.
 */
#include "snapshot.h"

#include "breakdown.h"
#include "gzip.h"
#include "heap_map.h"
#include "growth_watch.h"
#include "live_table.h"
#include "snapshot_symbols.h"
#include "text.h"
#include "xalloc.h"
#include "zone_report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define AGE_STEPS 256 /* births of one site are told apart at most so finely */

/* ---- parts --------------------------------------------------------------------------------- */

static void put_part(FILE *out, const char *name, const void *bytes, size_t length)
{
	fprintf(out, "%s\t%zu\n", name, length);
	fwrite(bytes, 1, length, out);
	putc('\n', out);
}

/* Ends a memstream and writes what is in it. */
static void put_stream(FILE *out, const char *name, FILE *stream, char **bytes, size_t *length)
{
	fclose(stream);
	put_part(out, name, *bytes, *length);
	free(*bytes);
}

static void put_json(FILE *out, const char *name, struct json *json)
{
	char *bytes;
	size_t length;
	FILE *stream = xalloc_check(open_memstream(&bytes, &length));

	json_print(json, stream);
	put_stream(out, name, stream, &bytes, &length);
}

/* ---- family -------------------------------------------------------------------------------- */

static struct json *member_json(const struct process *p)
{
	struct json *json = json_object();

	json_set_integer(json, "pid", p->pid);
	json_set_integer(json, "parent_pid", p->parent_pid);
	json_set_integer(json, "role", p->role);
	json_set_integer(json, "generation", p->generation);
	json_set_integer(json, "parent", p->parent == SIZE_MAX ? -1 : (int64_t)p->parent);
	json_set_string(json, "exe", p->exe);
	json_set_bool(json, "preloaded", p->segment != NULL);
	return json;
}

static struct json *family_json(const struct family *family)
{
	struct json *json = json_object(), *members = json_array();
	struct timespec now;
	struct utsname host;

	clock_gettime(CLOCK_REALTIME, &now);
	json_set_integer(json, "schema", 1);
	json_set_string(json, "heapray", HEAPRAY_VERSION);
	json_set_string(json, "host", uname(&host) == 0 ? host.nodename : NULL);
	json_set_bytes(json, "taken_realtime_ns", (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
	json_set_bytes(json, "taken_ns", watch_now());
	for (size_t i = 0; i < family->count; i++)
		json_append(members, member_json(&family->members[i]));
	json_set(json, "members", members);
	return json;
}

/* ---- segments ------------------------------------------------------------------------------ */

struct rows {
	enum hr_section_kind kind;
	const void *rows;
	size_t stride, count;
};

/* The copy we have, with its sections close together: what a sparse file leaves out is not stored. */
static void put_segment(FILE *out, const char *name, const struct segment *s)
{
	const struct rows sections[] = {
		{HR_MODULES, s->modules, sizeof(*s->modules), s->module_count},
		{HR_NODES, s->nodes, sizeof(*s->nodes), s->node_count},
		{HR_SITES, s->sites, sizeof(*s->sites), s->site_count},
		{HR_DOMAINS, s->domains, sizeof(*s->domains), s->domain_count},
		{HR_MAPPINGS, s->mappings, sizeof(*s->mappings), s->mapping_count},
		{HR_ZONES, s->zones, sizeof(*s->zones), s->zone_count},
		{HR_THREADS, s->threads, sizeof(*s->threads), s->thread_count},
		{HR_STRINGS, s->strings, 1, s->string_bytes},
		{HR_TIMELINE, s->timeline, sizeof(*s->timeline), s->point_count},
		{HR_MARKS, s->marks, sizeof(*s->marks), s->mark_count},
		{HR_LEDGER, s->ledger, sizeof(*s->ledger), s->ledger_count},
	};
	const size_t count = sizeof(sections) / sizeof(sections[0]);
	union {
		struct hr_header header;
		char bytes[HR_HEADER_SIZE];
	} head = {.header = s->header};
	uint64_t end = HR_HEADER_SIZE;

	memset(head.header.sections, 0, sizeof(head.header.sections));
	memset(&head.header.live, 0, sizeof(head.header.live)); /* addresses of a process that is not there */
	head.header.header_size = HR_HEADER_SIZE;
	for (size_t i = 0; i < count; i++) {
		head.header.sections[sections[i].kind] = (struct hr_section){end, sections[i].stride, sections[i].count, sections[i].count};
		end += sections[i].stride * sections[i].count;
	}
	head.header.file_size = end;
	fprintf(out, "%s\t%" PRIu64 "\n", name, end);
	fwrite(&head, 1, sizeof(head), out);
	for (size_t i = 0; i < count; i++)
		fwrite(sections[i].rows, sections[i].stride, sections[i].count, out);
	putc('\n', out);
}

/* ---- births -------------------------------------------------------------------------------- */

struct births {
	struct snapshot_births *list;
	size_t count, capacity;
	uint32_t (*index)[AGE_STEPS]; /* by site: where in the list, +1 */
	uint64_t step_ns;
};

static bool add_birth(void *context, const struct live_block *block)
{
	struct births *b = context;
	const uint64_t step = block->age_ns / b->step_ns < AGE_STEPS ? block->age_ns / b->step_ns : AGE_STEPS - 1;

	if (block->inherited)
		return true;
	uint32_t *at = &b->index[block->site][step];
	if (!*at) {
		xgrow(b->list, b->count, b->capacity);
		b->list[b->count] = (struct snapshot_births){.site = block->site, .age_ns = step * b->step_ns};
		*at = ++b->count;
	}
	b->list[*at - 1].bytes += block->size;
	b->list[*at - 1].count++;
	return true;
}

static void put_births(FILE *out, const char *name, const struct process *process)
{
	const struct segment *s = process->segment;
	const uint64_t life = watch_now() - s->header.start_ns;
	struct births births = {.step_ns = (life / AGE_STEPS / HR_LIVE_AGE_NS + 1) * HR_LIVE_AGE_NS};
	struct peek peek;

	births.index = xcalloc(s->site_count, sizeof(*births.index));
	peek_open(&peek, process->pid);
	live_table_walk(&peek, &s->header, s->site_count, add_birth, &births);
	peek_close(&peek);
	put_part(out, name, births.list ? (void *)births.list : "", births.count * sizeof(*births.list));
	free(births.index);
	free(births.list);
}

/* ---- what only a live process tells -------------------------------------------------------- */

static void put_breakdown(FILE *out, const struct family *family)
{
	struct breakdown breakdown = {.family = family};

	quality_of(family, &breakdown.quality);
	if (ledger_family_build(&breakdown.ledgers, family, &breakdown.quality) != 0)
		return;
	breakdown_gather(&breakdown);
	put_json(out, "breakdown", breakdown_json(&breakdown));
	struct json *heap = heap_map_json(&breakdown.ledgers);
	if (heap)
		put_json(out, "heap", heap);
}

static void put_zones(FILE *out, const struct family *family, struct quality *quality)
{
	static const struct zone_question nothing = {0};
	struct json *report = json_object(), *zones = json_array();
	pid_t *pids = xcalloc(family->count, sizeof(*pids));
	struct zone_set set = {0};
	size_t live = 0;

	for (size_t i = 0; i < family->count; i++) {
		if (family->members[i].alive)
			pids[live++] = family->members[i].pid;
	}
	zone_set_live(&set, pids, live);
	for (size_t i = 0; i < family->count; i++) {
		const struct segment *s = family->members[i].segment;
		for (size_t z = 0; s && z < s->zone_count; z++)
			zone_set_published(&set, &s->zones[z], s->read_ns);
	}
	zone_set_finish(&set);
	for (size_t i = 0; i < set.length; i++)
		json_append(zones, zone_json(&set.zones[i], &nothing));
	json_set_integer(report, "schema", 1);
	json_set(report, "zones", zones);
	json_set(report, "quality", quality_json(quality));
	put_json(out, "zones", report);
	zone_set_free(&set);
	free(pids);
}

static void put_symbols(FILE *out, const struct family *family, struct quality *quality)
{
	struct model *model = model_build(family, quality);
	char *bytes;
	size_t length;
	FILE *stream = xalloc_check(open_memstream(&bytes, &length));

	snapshot_symbols_write(model, stream);
	put_stream(out, "symbols", stream, &bytes, &length);
	model_free(model);
}

static void put_all(FILE *out, const struct family *family)
{
	struct quality quality;
	char name[32];

	fputs("heapray snapshot 1\n", out);
	put_json(out, "family", family_json(family));
	for (size_t i = 0; i < family->count; i++) {
		if (!family->members[i].segment)
			continue;
		/* Figures first: what follows takes time, and the process runs on. */
		snprintf(name, sizeof(name), "segment %zu", i);
		put_segment(out, name, family->members[i].segment);
		snprintf(name, sizeof(name), "births %zu", i);
		if (family->members[i].alive)
			put_births(out, name, &family->members[i]);
	}
	put_breakdown(out, family);
	quality_of(family, &quality);
	put_zones(out, family, &quality);
	put_symbols(out, family, &quality);
	quality_free(&quality);
}

/* ---- the file ------------------------------------------------------------------------------ */

/* Readable by its owner alone: command lines and paths are in it. */
static int write_whole(const char *path, const void *bytes, size_t length)
{
	char *beside = xasprintf("%s.%d.part", path, (int)getpid());
	const int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t done = 0;

	while (fd >= 0 && done < length) {
		const ssize_t n = write(fd, (const char *)bytes + done, length - done);
		if (n <= 0 && errno != EINTR)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	const bool written = fd >= 0 && done == length && close(fd) == 0 && rename(beside, path) == 0;
	if (!written) {
		text_error("Name a file in a folder that can be written to.", "%s: %s", path, strerror(errno));
		if (fd >= 0)
			unlink(beside);
	}
	free(beside);
	return written ? 0 : -1;
}

int snapshot_take(const struct family *family, const char *path)
{
	char *bytes;
	size_t length, packed_length;
	FILE *out = xalloc_check(open_memstream(&bytes, &length));

	put_all(out, family);
	if (fclose(out) != 0)
		xalloc_check(NULL);
	void *packed = gzip_pack(bytes, length, &packed_length);
	free(bytes);
	const int result = write_whole(path, packed, packed_length);
	free(packed);
	return result;
}
