/* SPDX-License-Identifier: BSD-2-Clause */
/* ledger_family.c - builds the ledgers of a family's members and sums them, shared memory once. */
#include "ledger_family.h"

#include "process.h"
#include "xalloc.h"

/* A zone of the family: its largest mapping and, where the kernel did not tell, the most any member has of
 * it. */
struct shared_zone {
	uint64_t device, inode;
	struct usage most;
};

struct shared_zones {
	struct shared_zone *list;
	size_t count, room;
};

static void raise(uint64_t *value, uint64_t to)
{
	if (*value < to)
		*value = to;
}

static void see(struct shared_zones *zones, const struct piece *piece)
{
	uint64_t device = (uint64_t)piece->vma->device_major << 32 | piece->vma->device_minor;
	struct shared_zone *zone = NULL;
	for (size_t i = 0; i < zones->count && !zone; i++)
		if (zones->list[i].device == device && zones->list[i].inode == piece->vma->inode)
			zone = &zones->list[i];
	if (!zone) {
		xgrow(zones->list, zones->count, zones->room);
		zone = &zones->list[zones->count++];
		*zone = (struct shared_zone){.device = device, .inode = piece->vma->inode};
	}
	raise(&zone->most.virtual_bytes, piece->figures.virtual_bytes);
	raise(&zone->most.resident_bytes, piece->figures.resident_bytes);
	raise(&zone->most.swap_bytes, piece->figures.swap_bytes);
}

static uint64_t loaded(const struct zone_set *set, const struct shared_zone *zone)
{
	for (size_t i = 0; i < set->length; i++)
		if (set->zones[i].device == zone->device && set->zones[i].inode == zone->inode)
			return set->zones[i].resident;
	return JSON_UNKNOWN;
}

static void sum_zones(struct ledger_family *sum, struct quality *quality)
{
	struct shared_zones zones = {0};
	struct component_row *row = &sum->total[C_NGINX_SHM];
	for (size_t i = 0; i < sum->count; i++)
		for (size_t k = 0; k < sum->members[i].pieces.count; k++)
			if (sum->members[i].pieces.list[k].component == C_NGINX_SHM)
				see(&zones, &sum->members[i].pieces.list[k]);
	if (!zones.count)
		return;
	row->figures = (struct usage){0};
	row->loaded_bytes = 0;
	for (size_t i = 0; i < zones.count; i++) {
		uint64_t bytes = loaded(&sum->zones, &zones.list[i]);
		if (bytes == JSON_UNKNOWN)
			row->loaded_bytes = JSON_UNKNOWN;
		else
			zones.list[i].most.resident_bytes = bytes;
		if (row->loaded_bytes != JSON_UNKNOWN)
			row->loaded_bytes += bytes;
		usage_add(&row->figures, &zones.list[i].most);
	}
	if (row->loaded_bytes == JSON_UNKNOWN)
		quality_approximate(quality,
			"loaded bytes of zones need root: the family's sum has the most any member touched");
	free(zones.list);
}

/* used of the family: what the parent has too is counted with the parent. */
static void sum_used(struct component_row *total, const struct component_row *row)
{
	if (row->used_bytes == JSON_UNKNOWN)
		return;
	if (total->used_bytes == JSON_UNKNOWN)
		total->used_bytes = total->used_count = 0;
	total->used_bytes += row->used_bytes - row->shared_bytes;
	if (row->used_count == JSON_UNKNOWN)
		total->used_count = JSON_UNKNOWN;
	else if (total->used_count != JSON_UNKNOWN)
		total->used_count += row->used_count - row->shared_count;
}

static void sum_members(struct ledger_family *sum)
{
	for (int c = 0; c < C_COUNT; c++)
		sum->total[c] = (struct component_row){
			.used_bytes = JSON_UNKNOWN, .used_count = JSON_UNKNOWN, .loaded_bytes = JSON_UNKNOWN};
	for (size_t i = 0; i < sum->count; i++) {
		for (int c = 0; c < C_COUNT; c++) {
			const struct component_row *row = &sum->members[i].rows[c];
			struct component_row *total = &sum->total[c];
			struct usage once = row->figures;
			once.resident_bytes = once.pss_bytes;
			once.swap_bytes = once.swap_pss_bytes;
			usage_add(&total->figures, &once);
			sum_used(total, row);
			total->present |= row->present;
		}
	}
}

int ledger_family_build(struct ledger_family *sum, const struct family *family, struct quality *quality)
{
	*sum = (struct ledger_family){.members = xcalloc(family->count, sizeof *sum->members)};
	pid_t *pids = xcalloc(family->count, sizeof *pids);
	size_t live = 0;
	for (size_t i = 0; i < family->count; i++)
		if (family->members[i].alive)
			pids[live++] = family->members[i].pid;
	zone_set_live(&sum->zones, pids, live);
	zone_set_finish(&sum->zones);
	free(pids);
	for (size_t i = 0; i < family->count; i++) {
		if (!ledger_build(&sum->members[sum->count], family, i, &sum->zones, quality)) {
			sum->count++;
			continue;
		}
		ledger_free(&sum->members[sum->count]);
		sum->failed++;
	}
	sum_members(sum);
	sum_zones(sum, quality);
	for (int c = 0; c < C_COUNT; c++)
		usage_add(&sum->system, &sum->total[c].figures);
	return sum->count ? 0 : -1;
}

void ledger_family_free(struct ledger_family *sum)
{
	for (size_t i = 0; i < sum->count; i++)
		ledger_free(&sum->members[i]);
	zone_set_free(&sum->zones);
	free(sum->members);
}
