/* SPDX-License-Identifier: BSD-2-Clause */
/* heap_walk.c - reads live blocks, sorts them by address, and looks at them step by step. */
#include "heap_walk.h"

#include "live_table.h"
#include "xalloc.h"

struct reading {
	struct heap *heap;
	struct stacks_of *stacks;
	const struct segment *books;
	struct heap_owners *owners;
	uint32_t *by_site; /* owner + 1; 0 = not asked for yet */
	size_t most;
};

/* ---- owners -------------------------------------------------------------------------------- */

static uint32_t owner_named(struct heap_owners *owners, const char *name)
{
	uint32_t at = 0;

	for (const char *p = name; *p; p++)
		at = trie_child(&owners->names, at, (unsigned char)*p);
	at = trie_child(&owners->names, at, 256); /* the end */
	struct trie_node *end = &owners->names.nodes[at];
	if (!end->value) {
		xgrow(owners->list, owners->count, owners->room);
		owners->list[owners->count++] = (struct heap_owner){.name = name};
		end->value = owners->count;
	}
	return (uint32_t)end->value - 1;
}

static uint32_t owner_of(struct reading *reading, uint32_t site)
{
	uint32_t *known = &reading->by_site[site];

	if (!*known) {
		const uint32_t node = callers_owner(reading->stacks, reading->books->sites[site].node);
		const char *name = callers_function(reading->stacks, node);
		*known = owner_named(reading->owners, name ? name : "no owner found") + 1;
	}
	return *known - 1;
}

/* ---- blocks -------------------------------------------------------------------------------- */

static bool add(void *context, const struct live_block *block)
{
	struct reading *reading = context;
	struct heap *heap = reading->heap;

	if (heap->count == reading->most) {
		heap->cut = true;
		return false;
	}
	xgrow(heap->blocks, heap->count, heap->room);
	heap->blocks[heap->count++] =
		(struct heap_block){block->address, block->size, block->age_ns, owner_of(reading, block->site), block->inherited};
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct heap_block *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

bool heap_read(struct heap *heap, const struct ledger *ledger, struct callers *callers, struct heap_owners *owners, size_t most)
{
	const struct process *process = ledger->process;
	struct peek peek;

	if (!process->alive || !process->segment || !ledger->books)
		return false;
	struct reading reading = {.heap = heap,
		.stacks = callers_stacks(callers, ledger->books, process->pid),
		.books = ledger->books,
		.owners = owners,
		.most = most,
		.by_site = xcalloc(ledger->books->site_count, sizeof(uint32_t))};
	peek_open(&peek, process->pid);
	const int64_t seen = live_table_walk(&peek, &process->segment->header, ledger->books->site_count, add, &reading);
	peek_close(&peek);
	callers_stacks_free(reading.stacks);
	free(reading.by_site);
	if (heap->count > 0)
		qsort(heap->blocks, heap->count, sizeof(*heap->blocks), by_address);
	return seen >= 0;
}

void heap_free(struct heap *heap)
{
	free(heap->blocks);
	*heap = (struct heap){0};
}

/* ---- steps --------------------------------------------------------------------------------- */

struct walk {
	struct heap_step *steps;
	size_t count;
	uint64_t bytes, *tally; /* tally: by owner, of the step at hand */
	size_t at;
};

static void tell(struct walk *walk, size_t at, const struct heap_block *block, uint64_t bytes)
{
	struct heap_step *step = &walk->steps[at];

	walk->tally[block->owner] += bytes;
	if (walk->tally[block->owner] > step->owner_bytes) {
		step->owner = block->owner;
		step->owner_bytes = walk->tally[block->owner];
	}
	step->age_ns += (double)bytes * (double)block->age_ns;
	step->used += bytes;
}

/* A block of the live table that was read while it changed may overlap its neighbour. */
static void finish(struct walk *walk)
{
	for (size_t i = 0; i < walk->count; i++) {
		struct heap_step *step = &walk->steps[i];
		if (step->used)
			step->age_ns /= (double)step->used;
		if (step->used > walk->bytes)
			step->used = walk->bytes;
	}
}

/* The tally is of one step: what the blocks from `first` on that touch it added is taken back. */
static void clear(struct walk *walk, const struct heap_block *blocks, size_t first, size_t last)
{
	for (size_t i = first; i <= last; i++)
		walk->tally[blocks[i].owner] = 0;
}

struct heap_step *heap_steps(const struct heap *heap, const struct heap_range *ranges, size_t count, uint64_t bytes, size_t owners,
	size_t *steps)
{
	const uint64_t span = count ? ranges[count - 1].before + (ranges[count - 1].end - ranges[count - 1].start) : 0;
	struct walk walk = {.bytes = bytes, .count = (size_t)((span + bytes - 1) / bytes)};
	size_t range = 0, first = 0;

	walk.steps = xcalloc(walk.count, sizeof(*walk.steps));
	walk.tally = xcalloc(owners, sizeof(*walk.tally));
	for (size_t i = 0; i < heap->count; i++) {
		const struct heap_block *block = &heap->blocks[i];
		while (range < count && ranges[range].end <= block->address)
			range++;
		if (range == count)
			break;
		if (block->address < ranges[range].start)
			continue; /* not the allocator's: a direct mmap */
		const uint64_t end = block->address + block->size < ranges[range].end ? block->address + block->size : ranges[range].end;
		uint64_t at = block->address - ranges[range].start + ranges[range].before;
		const uint64_t stop = end - ranges[range].start + ranges[range].before;
		walk.steps[at / bytes].blocks++;
		for (; at < stop; at = (at / bytes + 1) * bytes) {
			const uint64_t step = at / bytes, step_end = (step + 1) * bytes;
			if (step != walk.at) {
				clear(&walk, heap->blocks, first, i);
				walk.at = (size_t)step;
				first = i;
			}
			tell(&walk, (size_t)step, block, (stop < step_end ? stop : step_end) - at);
		}
	}
	finish(&walk);
	free(walk.tally);
	*steps = walk.count;
	return walk.steps;
}
