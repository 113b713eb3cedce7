/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_find.c - finds zones in /proc/PID/maps, reads each once, names it, orders generations.
 */
#include "zone_find.h"

#include "heapray_segment.h"
#include "process.h"
#include "xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define COPY_BUDGET_MS 200

/* One process's mapping of one zone. */
struct sighting {
	uint64_t device, inode, start, end;
	pid_t pid;
	uint64_t rank; /* of the process: when it started; the root's is the highest */
};

struct sightings {
	struct sighting *rows;
	size_t length, room;
};

/* Shared anonymous memory; a mapping that begins inside the object is the rest of a split one. */
static void see_process(struct sightings *seen, pid_t pid, uint64_t rank)
{
	char path[64], line[512], mode[8], name[256];
	unsigned long start, end, offset, inode;
	unsigned major, minor;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return; /* it ended */
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %255[^\n]", &start, &end, mode, &offset, &major,
			    &minor, &inode, name) != 8)
			continue;
		if (strcmp(mode, "rw-s") != 0 || offset != 0 || strcmp(name, "/dev/zero (deleted)") != 0)
			continue;
		xgrow(seen->rows, seen->length, seen->room);
		seen->rows[seen->length++] = (struct sighting){.device = (uint64_t)major << 32 | minor,
			.inode = inode,
			.start = start,
			.end = end,
			.pid = pid,
			.rank = rank};
	}
	fclose(f);
}

static uint64_t process_rank(pid_t pid, const pid_t *pids, size_t count)
{
	pid_t parent;

	if (process_parent(pid, &parent) != 0)
		return 0; /* it ended */
	for (size_t i = 0; i < count; i++)
		if (pids[i] == parent)
			return process_start_ns(pid);
	return UINT64_MAX; /* a root */
}

static int by_object(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;

	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return x->pid != y->pid ? (x->pid < y->pid ? -1 : 1) : (x->start > y->start) - (x->start < y->start);
}

/* Opens it through the first process that lets us; a process may end meanwhile. */
static bool open_zone(const struct zone *zone, struct zone_bytes *bytes)
{
	for (size_t i = 0; i < zone->pid_count; i++) {
		if (zone_bytes_open(bytes, zone->pids[i], zone->start, zone->end) != 0)
			continue;
		/* Reading the first page of memory that nobody wrote would allocate it; nginx writes it. */
		if (bytes->source == ZONE_MAP_FILES || zone_process_is_nginx(zone->pids[i]))
			return true;
		zone_bytes_close(bytes);
		errno = EACCES;
	}
	return false;
}

static void walk(struct zone *zone, struct zone_bytes *bytes)
{
	const struct zone_head head = zone->copy.head;
	const char *why;

	if (zone_copy_take(bytes, &zone->copy, COPY_BUDGET_MS, &why) != 0) {
		zone->copy.head = head;
		snprintf(zone->doubt, sizeof(zone->doubt), "its slabs could not be read: %s", why);
		return;
	}
	zone_count(&zone->copy, &zone->counts);
	zone->walked = true;
	const char *differs = zone_count_differs(&zone->copy, &zone->counts);
	if (zone->copy.changing)
		snprintf(zone->doubt, sizeof(zone->doubt),
			"it was written to during each of %u tries to copy it", zone->copy.tries);
	else if (zone->copy.missing)
		snprintf(zone->doubt, sizeof(zone->doubt),
			"pages that should hold a bitmap are not in memory; they are shown as used");
	else if (differs)
		snprintf(zone->doubt, sizeof(zone->doubt), "%s", differs);
	else if (zone->copy.locked)
		snprintf(zone->doubt, sizeof(zone->doubt),
			"its lock was held by process %" PRIu64 " all the while", zone->copy.head.lock);
}

static void name_zone(struct zone *zone, const struct zone_bytes *bytes)
{
	char text[ZONE_NAME + 64] = "";
	const uint64_t at = zone->copy.head.log_context, size = zone->copy.head.size;

	if (zone->pool && at) {
		/* The rest of its page is there when its first byte is. */
		const uint64_t page_end = (at | (bytes->page - 1)) + 1;
		uint64_t length = sizeof(text) - 1;
		if (length > size - at)
			length = size - at;
		if (!zone_bytes_read(bytes, at, text, length) && page_end - at < length)
			zone_bytes_read(bytes, at, text, page_end - at);
		if (zone_name_parse(text, &zone->name))
			return;
	}
	for (size_t i = 0; i < zone->pid_count && i < 8; i++)
		if (zone_name_from_cycle(zone->pids[i], zone->start, zone->end, &zone->name))
			return;
	snprintf(zone->name.kind, sizeof(zone->name.kind), "other");
}

static void read_zone(struct zone *zone)
{
	struct zone_bytes bytes;

	zone->resident = ZONE_UNKNOWN;
	zone->origin = ZONE_UNREAD;
	snprintf(zone->name.kind, sizeof(zone->name.kind), "other");
	if (!open_zone(zone, &bytes)) {
		snprintf(zone->doubt, sizeof(zone->doubt), "it could not be read: %s", strerror(errno));
		return;
	}
	zone->origin = bytes.source == ZONE_MAP_FILES ? ZONE_FROM_OBJECT : ZONE_FROM_PROCESS;
	zone->resident = zone_bytes_resident(&bytes);
	zone->pool = zone_head_read(&bytes, &zone->copy.head) == 0;
	if (zone->pool)
		walk(zone, &bytes);
	name_zone(zone, &bytes);
	zone_bytes_close(&bytes);
}

static struct zone *add_zone(struct zone_set *set)
{
	xgrow(set->zones, set->length, set->room);
	struct zone *zone = &set->zones[set->length++];
	memset(zone, 0, sizeof(*zone));
	return zone;
}

/* rows[0..count) are sightings of one object, its best rank first. */
static void add_object(struct zone_set *set, const struct sighting *rows, size_t count)
{
	struct zone *zone = add_zone(set);

	zone->device = rows[0].device;
	zone->inode = rows[0].inode;
	zone->start = rows[0].start;
	zone->end = rows[0].end;
	zone->rank = rows[0].rank;
	zone->pids = xcalloc(count, sizeof(zone->pids[0]));
	for (size_t i = 0; i < count; i++)
		if (rows[i].start == zone->start && rows[i].end == zone->end)
			zone->pids[zone->pid_count++] = rows[i].pid;
	read_zone(zone);
}

void zone_set_live(struct zone_set *set, const pid_t *pids, size_t count)
{
	struct sightings seen = {0};

	for (size_t i = 0; i < count; i++)
		see_process(&seen, pids[i], process_rank(pids[i], pids, count));
	if (seen.length)
		qsort(seen.rows, seen.length, sizeof(seen.rows[0]), by_object);
	for (size_t i = 0, n; i < seen.length; i += n) {
		for (n = 1; i + n < seen.length && seen.rows[i + n].device == seen.rows[i].device &&
			    seen.rows[i + n].inode == seen.rows[i].inode;)
			n++;
		add_object(set, &seen.rows[i], n);
	}
	free(seen.rows);
}

void zone_set_published(struct zone_set *set, const struct hr_zone *row, uint64_t now_ns)
{
	struct zone *zone = NULL;
	char log_context[sizeof(row->log_context) + 1] = "";

	if (row->closed_ns || row->size == 0 || row->address == 0)
		return;
	for (size_t i = 0; i < set->length && !zone; i++)
		if (set->zones[i].start == row->address)
			zone = &set->zones[i];
	const uint64_t age = now_ns > row->copied_ns ? now_ns - row->copied_ns : 0;
	if (zone && (zone->origin <= ZONE_FROM_PROCESS ||
			    (zone->origin == ZONE_PUBLISHED && zone->age_ns <= age)))
		return;
	if (!zone)
		zone = add_zone(set);

	zone->start = row->address;
	zone->end = row->address + row->size;
	zone->resident = ZONE_UNKNOWN;
	zone->origin = ZONE_PUBLISHED;
	zone->age_ns = age;
	zone->rank = row->created_ns;
	memset(&zone->name, 0, sizeof(zone->name));
	memcpy(log_context, row->log_context, sizeof(row->log_context));
	if (!zone_name_parse(log_context, &zone->name))
		snprintf(zone->name.kind, sizeof(zone->name.kind), "other");
	zone->pool = row->copied_ns != 0 && !(row->version & 1) &&
		     zone_head_decode(&zone->copy.head, row->head, sizeof(row->head), row->stats,
			     sizeof(row->stats), row->head_offset, row->address, row->size) == 0;
	snprintf(zone->doubt, sizeof(zone->doubt),
		zone->pool ? "as last published, its slabs were not walked" : "only its size was published");
}

static int by_name(const void *a, const void *b)
{
	const struct zone *x = a, *y = b;
	const int name = strcmp(x->name.name, y->name.name), kind = strcmp(x->name.kind, y->name.kind);

	if (name || kind)
		return name ? name : kind;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->inode != y->inode ? (x->inode < y->inode ? -1 : 1)
				    : (x->start > y->start) - (x->start < y->start);
}

static int by_size(const void *a, const void *b)
{
	const struct zone *x = a, *y = b;
	const uint64_t p = x->end - x->start, q = y->end - y->start;

	return p != q ? (p > q ? -1 : 1) : by_name(a, b);
}

void zone_set_finish(struct zone_set *set)
{
	if (set->length == 0)
		return;
	qsort(set->zones, set->length, sizeof(set->zones[0]), by_name);
	for (size_t i = 0; i < set->length; i++) {
		struct zone *zone = &set->zones[i], *before = zone - 1;
		const bool again = i > 0 && zone->name.name[0] &&
				   strcmp(zone->name.name, before->name.name) == 0 &&
				   strcmp(zone->name.kind, before->name.kind) == 0;
		zone->generation = again ? before->generation + 1 : 1;
	}
	qsort(set->zones, set->length, sizeof(set->zones[0]), by_size);
}

void zone_release(struct zone *zone)
{
	free(zone->pids);
	zone_counts_free(&zone->counts);
	zone_copy_free(&zone->copy);
}

void zone_set_free(struct zone_set *set)
{
	for (size_t i = 0; i < set->length; i++)
		zone_release(&set->zones[i]);
	free(set->zones);
	memset(set, 0, sizeof(*set));
}
