/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_live.c - a hostile process's memory through what reads it from outside: the live table (live_table.c), nginx's
 * pools (pools.c), and the map of the heap that is made of its blocks (heap_walk.c).
 *
 * An input is the words of the header's struct hr_live_geometry, two bytes each (WORDS of them, for there may be more
 * one day), and then memory from address BASE on. What lies behind it, up to END, is not resident; nothing else can be
 * read. peek_at and peek_range are wrapped (run.sh) to read there. Names of functions, which would be looked up in files,
 * are given by node: every fourth one makes pools.
 */
#include "callers.h"
#include "heap_walk.h"
#include "live_table.h"
#include "peek.h"
#include "pools.h"

#include <stdlib.h>
#include <string.h>

#define BASE 0x10000u
#define END (BASE + 0x8000u)
#define WORDS 16
#define ROWS 16
#define MOST_RANGES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static struct {
	const uint8_t *bytes;
	size_t length;
} memory;

bool __wrap_peek_at(struct peek *peek, uint64_t address, void *to, size_t length)
{
	if (address < BASE || length > memory.length || address - BASE > memory.length - length)
		return false;
	memcpy(to, memory.bytes + (address - BASE), length);
	return true;
}

bool __wrap_peek_range(struct peek *peek, uint64_t address, void *to, size_t length)
{
	if (address < BASE || address > END || length > END - address)
		return false;
	const size_t at = address - BASE, there = at < memory.length ? memory.length - at : 0, n = length < there ? length : there;
	memcpy(to, memory.bytes + (n ? at : 0), n);
	memset((char *)to + n, 0, length - n);
	return true;
}

/* A mebibyte to read pieces into would cost more than all else: none that can be read is as long. */
void *own_calloc(size_t count, size_t size)
{
	return count * size < 1u << 20 ? calloc(count, size) : calloc(END - BASE, 1);
}

bool __wrap_callers_is_library(struct stacks_of *stacks, uint32_t node) { return false; }

const char *__wrap_callers_function(struct stacks_of *stacks, uint32_t node)
{
	static const char *const names[] = {"ngx_create_pool", "ngx_http_create_request", NULL, "ngx_http_lua_run_thread"};

	return names[node % 4];
}

_Static_assert(sizeof(struct hr_live_geometry) <= 8 * WORDS, "an input has them all");

struct blocks {
	struct heap_block list[4096];
	size_t count;
};

static bool see(void *context, const struct live_block *block)
{
	struct blocks *blocks = context;

	if (block->address < 4096 || block->address + block->size > 1ull << 47 || block->site >= ROWS)
		abort(); /* live_table.h promises these */
	blocks->list[blocks->count++] = (struct heap_block){block->address, block->size, block->age_ns, block->site, block->inherited};
	return blocks->count < sizeof(blocks->list) / sizeof(blocks->list[0]);
}

static int by_address(const void *a, const void *b)
{
	const struct heap_block *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

/* Ranges as /proc/PID/smaps gives them: whole pages, ascending. Each begins at a block's page. */
static size_t make_ranges(const struct blocks *blocks, struct heap_range ranges[MOST_RANGES])
{
	uint64_t before = 0;
	size_t count = 0;

	for (size_t i = 0; i < blocks->count && count < MOST_RANGES; i += 1 + i / 2) {
		const uint64_t start = blocks->list[i].address & ~0xfffull, end = start + (1 + i % 5) * 4096;
		if (count && ranges[count - 1].end > start)
			continue;
		ranges[count++] = (struct heap_range){start, end, before};
		before += end - start;
	}
	return count;
}

static void map(struct blocks *blocks)
{
	const struct heap heap = {.blocks = blocks->list, .count = blocks->count};
	struct heap_range ranges[MOST_RANGES];
	size_t steps;

	qsort(blocks->list, blocks->count, sizeof(blocks->list[0]), by_address);
	const size_t count = make_ranges(blocks, ranges);
	for (uint64_t bytes = 256; count && bytes <= 4096; bytes *= 16) {
		struct heap_step *step = heap_steps(&heap, ranges, count, bytes, ROWS, &steps);
		for (size_t i = 0; i < steps; i++) {
			if (step[i].used > bytes || step[i].owner >= ROWS)
				abort();
		}
		free(step);
	}
}

/* The upper half of the numbers are small ones, the others addresses. */
static void set_geometry(struct hr_header *header, const uint8_t *data)
{
	uint64_t words[sizeof(header->live) / 8];

	for (size_t i = 0; i < sizeof(words) / 8; i++) {
		const uint16_t v = (uint16_t)(data[2 * i] | data[2 * i + 1] << 8);
		words[i] = v & 0x8000 ? v & 0x7fff : BASE + v;
	}
	memcpy(&header->live, words, sizeof(words));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static struct blocks blocks;
	struct hr_node nodes[ROWS];
	struct hr_site sites[ROWS];
	struct hr_header header = {.start_ns = 1};
	struct peek peek = {0};
	struct pools pools;

	if (length < 2 * WORDS)
		return 0;
	set_geometry(&header, data);
	memory.bytes = data + 2 * WORDS;
	memory.length = length - 2 * WORDS;
	for (uint32_t i = 0; i < ROWS; i++) {
		nodes[i] = (struct hr_node){.parent = i > HR_ROOT_COUNT ? i - 1 : 0, .kind = i < HR_ROOT_COUNT ? HR_NODE_ROOT : HR_NODE_NATIVE};
		sites[i] = (struct hr_site){.node = i, .allocated_bytes = 2, .freed_bytes = i % 2};
	}
	const struct segment books = {.nodes = nodes, .node_count = ROWS, .sites = sites, .site_count = ROWS};

	blocks.count = 0;
	if (live_table_walk(&peek, &header, ROWS, see, &blocks) >= 0)
		map(&blocks);
	pools_read(NULL, &books, &header, &peek, &pools);
	pools_free(&pools);
	return 0;
}
