/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap_map.h - what lies where in the allocator's heap, from the live tables of a family: a strip of its address
 * space with blocks by owner and by age, the pages that few blocks keep, and whose these are; blocks by size and by
 * age beside it.
 *
 *   {"sizes": [{"from_bytes","to_bytes","bytes","count"}...],
 *    "ages":  [{"from_seconds","to_seconds"|null,"bytes","count","owners":[bytes...]}...],
 *    "owners":[{"name","bytes","count"}...],               the largest; the last is all others
 *    "maps":  [{"pid","role","span_bytes","used_bytes","blocks","page_bytes","pages","pages_used","pages_sparse",
 *               "sparse_free_bytes","cell_bytes","ranges":[{"start","end"}...],
 *               "cells":{"used":[],"resident":[],"owner":[],"age_seconds":[]},
 *               "pins":[{"owner","pages","free_bytes","bytes","count"}...]}...],
 *    "cut": bool}
 *
 * A page is sparse when it holds blocks that fill less than a quarter of it: whoever has most of it pins the rest.
 * Sizes are requested bytes. Where an array of cells would be all unknown it is null.
 */
#ifndef HEAPRAY_HEAP_MAP_H
#define HEAPRAY_HEAP_MAP_H

#include "family.h"
#include "json.h"
#include "ledger_family.h"

#define HEAP_AGES 7
#define HEAP_OWNERS 9 /* the last is all others */
#define HEAP_COLUMNS 128

/*
 * Reads the live tables of the members that run. NULL when none could be read. What was inherited counts for the
 * parent, when that is a member; the maps show it in each. The result is the caller's.
 */
struct json *heap_map_json(const struct ledger_family *ledgers);

#endif
