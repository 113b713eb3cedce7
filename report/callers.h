/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callers.h - names of the functions on the stacks of a family's segments, looked up when they are asked for.
 *
 * Members of a family run the same files: each is opened once, whoever asks.
 */
#ifndef HEAPRAY_CALLERS_H
#define HEAPRAY_CALLERS_H

#include <stdbool.h>

#include "segment.h"

struct callers;   /* the files */
struct stacks_of; /* one segment's stacks */

struct callers *callers_open(void);
void callers_close(struct callers *callers); /* after all of its stacks */

/* pid: where the files can be seen from (its own root); 0 of an ended process. The segment must stay. */
struct stacks_of *callers_stacks(struct callers *callers, const struct segment *segment, int pid);
void callers_stacks_free(struct stacks_of *stacks);

/* The function of a node: of inlined ones the outermost, which is the real one. NULL: not known, or not
 * native. */
const char *callers_function(struct stacks_of *stacks, uint32_t node);
/* The base name of the file it is in; NULL: not native. */
const char *callers_file(struct stacks_of *stacks, uint32_t node);
/* It is in a shared library or the loader: told without reading names, which of some cost more than all else.
 */
bool callers_is_library(struct stacks_of *stacks, uint32_t node);
/*
 * The first node from `node` outwards that does not only pass an allocation on, as wrappers and the C library
 * do; a root when there is none.
 */
uint32_t callers_owner(struct stacks_of *stacks, uint32_t node);

#endif
