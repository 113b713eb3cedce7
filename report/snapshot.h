/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot.h - a family kept in one file, with all that only its live processes and their machine can tell.
 *
 *   gzip( "heapray snapshot 1\n"  then parts:  NAME "\t" LENGTH "\n" LENGTH bytes "\n" )
 *
 *   family       JSON: when, where, the members
 *   segment N    member N's segment, with the rows in use only
 *   births N     of its live blocks: site, age, bytes, count
 *   symbols      functions and lines of every address on a stack (snapshot_symbols.h)
 *   breakdown    JSON, as `heapray breakdown --json` prints it
 *   zones        JSON, as `heapray zones --json` prints it
 *   heap         JSON: where its live blocks lie, how large and how old they are (heap_map.h)
 *
 * It opens anywhere: nothing of the machine it was taken on is looked at again. What is in it is hostile.
 */
#ifndef HEAPRAY_SNAPSHOT_H
#define HEAPRAY_SNAPSHOT_H

#include "family.h"
#include "json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snapshot;
struct snapshot_symbols;

/* Live blocks of one site and one age. */
struct snapshot_births {
	uint32_t site;
	uint64_t age_ns, bytes, count;
};

/* ---- taking one (snapshot_take.c) ---- */

/* Writes the family, as it is now, to `path`; the file appears whole or not at all. Returns 0, or -1 (printed). */
int snapshot_take(const struct family *family, const char *path);

/* ---- opening one (snapshot.c) ---- */

/* Whether the file begins like one. */
bool snapshot_is(const char *path);
/*
 * Fills the family's members (none alive) and its snapshot, which family_close closes. Returns 0, or -1 (printed).
 */
int snapshot_open(const char *path, bool one, struct family *family);
void snapshot_close(struct snapshot *snapshot);

/* The snapshots of a folder, in the order they were taken; names are the caller's. Returns how many. */
size_t snapshot_folder(const char *path, char ***files);

uint64_t snapshot_taken_realtime_ns(const struct snapshot *snapshot);
/* "breakdown", "zones" or "heap" as it was; NULL when it was not kept. Lives as long as the snapshot. */
const struct json *snapshot_report(const struct snapshot *snapshot, const char *name);
/* Of the last call alone. */
size_t snapshot_births(const struct snapshot *snapshot, size_t member, const struct snapshot_births **births);
const struct snapshot_symbols *snapshot_symbols_of(const struct snapshot *snapshot);
/* Moves the symbols of one that is to be closed to another. */
void snapshot_lend_symbols(struct snapshot *from, struct snapshot *to);

/* `heapray breakdown` and `heapray zones` of one: prints what was kept. Returns the exit status. */
int snapshot_show_breakdown(const struct snapshot *snapshot, bool json);
int snapshot_show_zones(const struct snapshot *snapshot, const char *zone, bool json);

#endif
