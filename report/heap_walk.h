/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap_walk.h - a process's live blocks in the order of their addresses, with their owners, and walks over them in
 * equal steps.
 */
#ifndef HEAPRAY_HEAP_WALK_H
#define HEAPRAY_HEAP_WALK_H

#include "callers.h"
#include "ledger_process.h"
#include "trie.h"

#include <stdbool.h>
#include <stdint.h>

#define HEAP_MOST_BLOCKS (8u << 20) /* of a family: 256 MiB of the reporter's memory */

struct heap_block {
	uint64_t address, size, age_ns;
	uint32_t owner;
	bool inherited;
};

/* Owners by their names, of all processes looked at. */
struct heap_owners {
	struct trie names;
	struct heap_owner {
		const char *name; /* lives as long as the callers */
		uint64_t bytes, count;
	} * list;
	size_t count, room;
};

struct heap {
	struct heap_block *blocks; /* by address */
	size_t count, room;
	bool cut; /* there were more than asked for */
};

/* Reads the live table, at most `most` blocks. False when there is none or it cannot be read. */
bool heap_read(struct heap *heap, const struct ledger *ledger, struct callers *callers, struct heap_owners *owners, size_t most);
void heap_free(struct heap *heap);

/* Address space that is taken as one: ranges in ascending order, gaps left out. */
struct heap_range {
	uint64_t start, end, before; /* before: bytes of the ranges below */
};

/* What of a step is used, and who has most of it. */
struct heap_step {
	uint64_t used, owner_bytes;
	uint32_t owner, blocks; /* blocks that begin in it */
	double age_ns;          /* mean, by bytes */
};

/* Walks the ranges in steps of `bytes`: the array is the caller's, one a step. `owners` is how many there are. */
struct heap_step *heap_steps(const struct heap *heap, const struct heap_range *ranges, size_t count, uint64_t bytes, size_t owners,
	size_t *steps);

#endif
