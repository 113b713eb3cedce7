/* SPDX-License-Identifier: BSD-2-Clause */
/* heap_map.c - sums live blocks by size, age and owner, and draws up the map of each process as JSON. */
#include "heap_map.h"

#include "heap_walk.h"
#include "process.h"
#include "xalloc.h"

#include <unistd.h>

#define MOST_CELLS 4096
#define LEAST_CELL 256
#define MOST_MAPS 8
#define MOST_PINS 12
#define SPARSE 4 /* a page is sparse below a 4th */
#define SIZE_CLASSES 48

/* Ages in seconds; the table's resolution is 4. */
static const uint64_t ages[HEAP_AGES] = {0, 10, 60, 600, 3600, 21600, 86400};

struct sums {
	struct {
		uint64_t bytes, count;
	} sizes[SIZE_CLASSES], ages[HEAP_AGES];
	uint64_t (*owner_ages)[HEAP_AGES]; /* by owner */
	size_t owner_room;
	bool cut;
};

/* ---- sums ---------------------------------------------------------------------------------- */

static unsigned age_class(uint64_t ns)
{
	unsigned i = HEAP_AGES - 1;

	while (i > 0 && ns < ages[i] * 1000000000u)
		i--;
	return i;
}

/* Class k holds sizes above 2^(k-1) up to 2^k. */
static unsigned size_class(uint64_t size)
{
	return size <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(size - 1);
}

static void add_sums(struct sums *sums, const struct heap *heap, struct heap_owners *owners, bool parent_counts)
{
	if (owners->count > sums->owner_room) {
		sums->owner_ages = xreallocarray(sums->owner_ages, owners->count, sizeof(*sums->owner_ages));
		memset(sums->owner_ages + sums->owner_room, 0, (owners->count - sums->owner_room) * sizeof(*sums->owner_ages));
		sums->owner_room = owners->count;
	}
	sums->cut |= heap->cut;
	for (size_t i = 0; i < heap->count; i++) {
		const struct heap_block *block = &heap->blocks[i];
		const unsigned age = age_class(block->age_ns), size = size_class(block->size);
		if (block->inherited && parent_counts)
			continue;
		sums->sizes[size].bytes += block->size;
		sums->sizes[size].count++;
		sums->ages[age].bytes += block->size;
		sums->ages[age].count++;
		sums->owner_ages[block->owner][age] += block->size;
		owners->list[block->owner].bytes += block->size;
		owners->list[block->owner].count++;
	}
}

/* ---- the map of one process ------------------------------------------------------------------ */

struct map {
	const struct ledger *ledger;
	struct heap_range *ranges;
	size_t count, room;
	uint64_t span;
};

static void find_ranges(struct map *map)
{
	const struct pieces *pieces = &map->ledger->pieces;

	for (size_t i = 0; i < pieces->count; i++) {
		const struct piece *piece = &pieces->list[i];
		if (piece->component != C_ALLOCATOR)
			continue;
		if (map->count && map->ranges[map->count - 1].end == piece->start) {
			map->ranges[map->count - 1].end = piece->end;
		} else {
			xgrow(map->ranges, map->count, map->room);
			map->ranges[map->count++] = (struct heap_range){piece->start, piece->end, map->span};
		}
		map->span += piece->end - piece->start;
	}
}

static struct json *ranges_json(const struct map *map)
{
	struct json *array = json_array();

	for (size_t i = 0; i < map->count; i++) {
		struct json *range = json_object();
		json_set_bytes(range, "start", map->ranges[i].start);
		json_set_bytes(range, "end", map->ranges[i].end);
		json_append(array, range);
	}
	return array;
}

/* Resident bytes of each cell; NULL when the kernel does not tell. */
static uint64_t *resident_cells(const struct map *map, uint64_t cell, size_t cells)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t *resident = xcalloc(cells, sizeof(*resident));
	struct pagemap pagemap;
	bool known = true;

	pagemap_open(&pagemap, map->ledger->process->pid);
	for (size_t i = 0; i < map->count && known; i++) {
		const struct heap_range *range = &map->ranges[i];
		const uint64_t pages = (range->end - range->start) / page;
		uint8_t *there = xcalloc(pages, 1);
		known = pagemap_pages(&pagemap, range->start, pages, there) == 0;
		for (uint64_t p = 0; p < pages && known; p++) {
			if (!there[p])
				continue;
			const uint64_t end = range->before + (p + 1) * page;
			for (uint64_t at = range->before + p * page; at < end; at = (at / cell + 1) * cell)
				resident[at / cell] += (end < (at / cell + 1) * cell ? end : (at / cell + 1) * cell) - at;
		}
		free(there);
	}
	pagemap_close(&pagemap);
	if (!known) {
		free(resident);
		return NULL;
	}
	return resident;
}

/* rank[owner]: its number among the owners shown. */
static struct json *cells_json(const struct map *map, const struct heap_step *steps, size_t count, uint64_t cell, const uint32_t *rank)
{
	struct json *object = json_object(), *used = json_array(), *owner = json_array(), *age = json_array(), *there = json_array();
	uint64_t *resident = resident_cells(map, cell, count);

	for (size_t i = 0; i < count; i++) {
		json_append(used, json_integer((int64_t)steps[i].used));
		json_append(owner, steps[i].used ? json_integer(rank[steps[i].owner]) : json_null());
		json_append(age, steps[i].used ? json_integer((int64_t)(steps[i].age_ns / 1e9)) : json_null());
		if (resident)
			json_append(there, json_integer((int64_t)resident[i]));
	}
	json_set(object, "used", used);
	json_set(object, "owner", owner);
	json_set(object, "age_seconds", age);
	if (resident) {
		json_set(object, "resident", there);
	} else {
		json_free(there);
		json_set(object, "resident", json_null());
	}
	free(resident);
	return object;
}

/* ---- who pins what --------------------------------------------------------------------------- */

struct pin {
	const char *name;
	uint64_t pages, free_bytes, bytes, count;
};

static int by_free(const void *a, const void *b)
{
	const struct pin *x = a, *y = b;

	if (x->free_bytes != y->free_bytes)
		return x->free_bytes > y->free_bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void set_pins(struct json *object, const struct map *map, const struct heap *heap, const struct heap_owners *owners)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t used = 0, sparse = 0, free_bytes = 0;
	size_t count;
	struct heap_step *steps = heap_steps(heap, map->ranges, map->count, page, owners->count, &count);
	struct pin *pins = xcalloc(owners->count, sizeof(*pins));
	struct json *array = json_array();

	for (size_t i = 0; i < owners->count; i++)
		pins[i].name = owners->list[i].name;
	for (size_t i = 0; i < count; i++) {
		if (!steps[i].used)
			continue;
		used++;
		if (steps[i].used * SPARSE >= page)
			continue;
		sparse++;
		free_bytes += page - steps[i].used;
		struct pin *pin = &pins[steps[i].owner];
		pin->pages++;
		pin->free_bytes += page - steps[i].used;
		pin->bytes += steps[i].used;
		pin->count += steps[i].blocks;
	}
	qsort(pins, owners->count, sizeof(*pins), by_free);
	for (size_t i = 0; i < owners->count && i < MOST_PINS && pins[i].pages; i++) {
		struct json *pin = json_object();
		json_set_string(pin, "owner", pins[i].name);
		json_set_bytes(pin, "pages", pins[i].pages);
		json_set_bytes(pin, "free_bytes", pins[i].free_bytes);
		json_set_bytes(pin, "bytes", pins[i].bytes);
		json_set_bytes(pin, "count", pins[i].count);
		json_append(array, pin);
	}
	json_set_bytes(object, "page_bytes", page);
	json_set_bytes(object, "pages", count);
	json_set_bytes(object, "pages_used", used);
	json_set_bytes(object, "pages_sparse", sparse);
	json_set_bytes(object, "sparse_free_bytes", free_bytes);
	json_set(object, "pins", array);
	free(pins);
	free(steps);
}

static struct json *map_json(const struct ledger *ledger, const struct heap *heap, const struct heap_owners *owners, const uint32_t *rank)
{
	struct map map = {.ledger = ledger};
	struct json *object = json_object();
	uint64_t cell = LEAST_CELL, used = 0, blocks = 0;
	size_t count;

	find_ranges(&map);
	while ((map.span + cell - 1) / cell > MOST_CELLS)
		cell *= 2;
	struct heap_step *steps = heap_steps(heap, map.ranges, map.count, cell, owners->count, &count);
	for (size_t i = 0; i < count; i++) {
		used += steps[i].used;
		blocks += steps[i].blocks;
	}
	json_set_integer(object, "pid", ledger->process->pid);
	json_set_string(object, "role", role_name(ledger->process->role));
	json_set_bytes(object, "span_bytes", map.span);
	json_set_bytes(object, "used_bytes", used);
	json_set_bytes(object, "blocks", blocks);
	set_pins(object, &map, heap, owners);
	json_set_bytes(object, "cell_bytes", cell);
	json_set(object, "ranges", ranges_json(&map));
	json_set(object, "cells", cells_json(&map, steps, count, cell, rank));
	free(steps);
	free(map.ranges);
	return object;
}

/* ---- the family ---------------------------------------------------------------------------- */

/* rank[owner]: 0 for the one with the most bytes; HEAP_OWNERS - 1 for all that are not among the largest. */
static uint32_t *rank_owners(const struct heap_owners *owners, size_t chosen[HEAP_OWNERS - 1], size_t *shown)
{
	uint32_t *rank = xcalloc(owners->count, sizeof(*rank));

	*shown = 0;
	for (size_t i = 0; i < owners->count; i++)
		rank[i] = HEAP_OWNERS - 1;
	while (*shown < HEAP_OWNERS - 1) {
		size_t best = SIZE_MAX;
		for (size_t i = 0; i < owners->count; i++) {
			if (rank[i] == HEAP_OWNERS - 1 && owners->list[i].bytes &&
				(best == SIZE_MAX || owners->list[i].bytes > owners->list[best].bytes))
				best = i;
		}
		if (best == SIZE_MAX)
			break;
		rank[best] = (uint32_t)*shown;
		chosen[(*shown)++] = best;
	}
	return rank;
}

static struct json *owners_json(const struct heap_owners *owners, const uint32_t *rank, const size_t *chosen, size_t shown)
{
	struct json *array = json_array();
	uint64_t bytes = 0, count = 0;

	for (size_t i = 0; i <= shown; i++) {
		struct json *object = json_object();
		for (size_t k = 0; i == shown && k < owners->count; k++) {
			bytes += rank[k] == HEAP_OWNERS - 1 ? owners->list[k].bytes : 0;
			count += rank[k] == HEAP_OWNERS - 1 ? owners->list[k].count : 0;
		}
		json_set_string(object, "name", i < shown ? owners->list[chosen[i]].name : "all others");
		json_set_bytes(object, "bytes", i < shown ? owners->list[chosen[i]].bytes : bytes);
		json_set_bytes(object, "count", i < shown ? owners->list[chosen[i]].count : count);
		json_append(array, object);
	}
	return array;
}

static struct json *sizes_json(const struct sums *sums)
{
	struct json *array = json_array();

	for (unsigned i = 0; i < SIZE_CLASSES; i++) {
		if (!sums->sizes[i].count)
			continue;
		struct json *object = json_object();
		json_set_bytes(object, "from_bytes", i ? (1ull << (i - 1)) + 1 : 0);
		json_set_bytes(object, "to_bytes", 1ull << i);
		json_set_bytes(object, "bytes", sums->sizes[i].bytes);
		json_set_bytes(object, "count", sums->sizes[i].count);
		json_append(array, object);
	}
	return array;
}

static struct json *ages_json(const struct sums *sums, const struct heap_owners *owners, const uint32_t *rank, size_t shown)
{
	struct json *array = json_array();

	for (unsigned i = 0; i < HEAP_AGES; i++) {
		struct json *object = json_object(), *by = json_array();
		uint64_t parts[HEAP_OWNERS] = {0};
		for (size_t k = 0; k < owners->count && k < sums->owner_room; k++)
			parts[rank[k] < shown ? rank[k] : shown] += sums->owner_ages[k][i];
		for (size_t k = 0; k <= shown; k++)
			json_append(by, json_integer((int64_t)parts[k]));
		json_set_bytes(object, "from_seconds", ages[i]);
		json_set_bytes(object, "to_seconds", i + 1 < HEAP_AGES ? ages[i + 1] : JSON_UNKNOWN);
		json_set_bytes(object, "bytes", sums->ages[i].bytes);
		json_set_bytes(object, "count", sums->ages[i].count);
		json_set(object, "owners", by);
		json_append(array, object);
	}
	return array;
}

struct json *heap_map_json(const struct ledger_family *ledgers)
{
	struct heap *heaps = xcalloc(ledgers->count, sizeof(*heaps));
	bool *read = xcalloc(ledgers->count, sizeof(*read)), any = false;
	struct callers *callers = callers_open();
	struct heap_owners owners = {0};
	struct sums sums = {0};
	struct json *report = NULL;
	size_t chosen[HEAP_OWNERS - 1], shown, maps = 0;

	trie_open(&owners.names);
	for (size_t i = 0; i < ledgers->count; i++) {
		read[i] = heap_read(&heaps[i], &ledgers->members[i], callers, &owners, HEAP_MOST_BLOCKS / ledgers->count);
		any |= read[i];
		add_sums(&sums, &heaps[i], &owners, ledgers->members[i].parent_counts);
	}
	if (any) {
		uint32_t *rank = rank_owners(&owners, chosen, &shown);
		struct json *list = json_array();
		report = json_object();
		json_set(report, "sizes", sizes_json(&sums));
		json_set(report, "ages", ages_json(&sums, &owners, rank, shown));
		json_set(report, "owners", owners_json(&owners, rank, chosen, shown));
		for (size_t i = 0; i < ledgers->count && maps < MOST_MAPS; i++) {
			if (!read[i] || !heaps[i].count)
				continue;
			json_append(list, map_json(&ledgers->members[i], &heaps[i], &owners, rank));
			maps++;
		}
		json_set(report, "maps", list);
		json_set_bool(report, "cut", sums.cut);
		free(rank);
	}
	for (size_t i = 0; i < ledgers->count; i++)
		heap_free(&heaps[i]);
	trie_close(&owners.names);
	callers_close(callers);
	free(owners.list);
	free(sums.owner_ages);
	free(heaps);
	free(read);
	return report;
}
