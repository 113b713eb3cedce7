/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - the sites of a family as one table of stacks: what all renderers print.
 *
 * Stacks of different processes are one when their frames are: the same file (path and build-id) at
 * the same link-time addresses, the same Lua chunk and line. Figures of a family: see family_live in
 * model.c. The sum of all rows is the total.
 *
 *   place   a return address in a module, a Lua line, or a root that says why a stack ends there
 *   frame   what people see: a place has one, and one more for each function inlined in it
 *   path    a node of the merged trie: a place and the path of its caller; 0 is the end of the stack
 *   row     a path in a domain, with its figures
 */
#ifndef HEAPRAY_MODEL_H
#define HEAPRAY_MODEL_H

#include "family.h"
#include "quality.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_kind { FRAME_NATIVE, FRAME_LUA, FRAME_NOTE };

struct frame {
	enum frame_kind kind;
	const char *function; /* NULL: not known. FRAME_NOTE: "<jit>", "<not sampled>", ... */
	const char *module;   /* path; "lua"; "[none]" */
	uint64_t offset;      /* link-time address the call returns to; without a module the address itself */
	const char *file;     /* NULL: not known; Lua: the chunk's name */
	unsigned line;        /* 0: not known */
	uint32_t identity;    /* of the function: equal for equal {module, function} */
	uint32_t module_index;
	bool on_trace; /* Lua: machine code ran, the line is where it begins */
};

struct figures {
	int64_t live_bytes, live_count; /* signed: an estimate's remainder may be below zero */
	int64_t inherited_bytes;        /* what the process, or the family's first, had when it was forked */
	uint64_t peak_bytes;            /* what it held when the process's total was highest */
	uint64_t allocated_bytes, allocated_count, temporary_count;
	double live_variance;           /* of an estimate, bytes squared */
};

struct row {
	struct figures figures;
	uint32_t path;         /* its innermost frame */
	uint32_t domain;       /* index of model->domains; MODEL_SEVERAL */
	bool estimated;
	uint32_t *frames;      /* grouped rows: the frames that define the group; NULL: all of the path */
	uint32_t frame_count;
};
#define MODEL_SEVERAL UINT32_MAX

enum group { GROUP_STACK, GROUP_FUNCTION, GROUP_MODULE, GROUP_OWNER, GROUP_DOMAIN, GROUP_LUA };
enum measure { BY_LIVE, BY_PEAK, BY_ALLOCATED, BY_COUNT, BY_TEMPORARY };

struct model {
	struct row *rows;
	size_t row_count;
	struct figures total;
	char **domains;
	size_t domain_count;
	struct frame *frames;
	size_t frame_count;
	struct model_private *private;
};

/*
 * What a family holds of one stack. Each member's live bytes are its own (allocated since its birth)
 * and inherited ones. A block that parent and child both still hold is one block for the family, and
 * the child's are blocks the parent had: so of the inherited only what the parents no longer have
 * counts on its own. For a parent P and its children: max(P's live, most inherited of a child) + all own.
 * parents[i] < i, or SIZE_MAX. Changes shares; adds what was inherited from outside to *inherited.
 */
struct share {
	int64_t own, inherited;
};
int64_t family_live(struct share *shares, const size_t *parents, size_t count, int64_t *inherited);

/* Builds it from the members that have a segment; adds to quality what is approximate. */
struct model *model_build(const struct family *family, struct quality *quality);
/*
 * Reads the rows anew from a family that was read again. Paths, domains and frames keep their numbers: what
 * was looked up stays known, and a {path, domain} names the same row in all readings.
 */
void model_refresh(struct model *model, const struct family *family);
/* Which row each site of a member is summed in: its path and domain, site_count of each, the caller's to free. */
void model_sites(struct model *model, const struct process *process, uint32_t **paths, uint32_t **domains);
/* Keeps the rows of domain NAME, or of NAME:... ; the total becomes theirs. Returns the rows kept. */
size_t model_keep_domain(struct model *model, const char *name);
/* Replaces the rows by one for each group. */
void model_group(struct model *model, enum group group);
/* Sorts: highest first, then by name, then in the order the program made them. */
void model_sort(struct model *model, enum measure by);
uint64_t model_measure(const struct figures *figures, enum measure by);
/* Frames of a row, innermost first, as indices of model->frames: valid until the next call. */
size_t model_frames(const struct model *model, const struct row *row, const uint32_t **frames);
/* Whether a frame's function only passes allocations on (owners.h). */
bool model_is_wrapper(const struct model *model, uint32_t frame);
void model_free(struct model *model);

#endif
