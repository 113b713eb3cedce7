/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pools.h - nginx's memory pools: what they are for, how large, how much of that is used.
 *
 * A pool begins in a live block that ngx_create_pool asked for; the block's stack names the creator. The
 * pool itself is read from the process's memory:
 *
 *   block  | last end next failed | max current chain large cleanup log | bytes given out ....|.. unused |
 *          ^ ngx_pool_t                                                  ^ 80                  ^ last    ^
 * end next   | last end next failed | bytes given out .....................................|.. unused | large
 * list of {next, block} for what does not fit
 */
#ifndef HEAPRAY_POOLS_H
#define HEAPRAY_POOLS_H

#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "peek.h"
#include "segment.h"

/* All pools of one kind and creator. */
struct pool_kind {
	const char *kind; /* cycle, connection, request, lua, other */
	char creator[96]; /* the function that called ngx_create_pool */
	uint64_t pools, blocks;
	uint64_t size_bytes;               /* of the pools' own blocks */
	uint64_t used_bytes, unused_bytes; /* of size_bytes; used has the blocks' heads too */
	uint64_t large_count, large_bytes; /* JSON_UNKNOWN: too many live blocks to look their sizes up */
};

struct pools {
	struct pool_kind *list; /* by size downwards, then kind and creator */
	size_t count, room;
	uint64_t torn; /* pools that did not read as one: being changed, or no pool */
};

/*
 * Reads the pools of a live process; none when it is no nginx. `stacks` names the functions of `books`, which
 * has the rows the live table's sites are of, `header` is the process's own.
 */
struct stacks_of;
void pools_read(struct stacks_of *stacks, const struct segment *books, const struct hr_header *header,
	struct peek *peek, struct pools *pools);
struct json *pools_json(const struct pools *pools);
/* One line a kind, at most `limit`; returns how many. The head of the table is the caller's. */
size_t pools_print(const struct pools *pools, int pid, size_t limit);
void pools_free(struct pools *pools);

/* The kind, from the functions that called ngx_create_pool, innermost first: the first that tells decides. */
const char *pool_kind_of(const char *const *functions, size_t count);

#endif
