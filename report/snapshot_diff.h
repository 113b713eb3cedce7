/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot_diff.h - what changed between two readings of a family, by name.
 *
 * Two rows are one when their text is: functions (and lines) in the same heap, not addresses. So builds of one
 * program compare, and so do two machines.
 */
#ifndef HEAPRAY_SNAPSHOT_DIFF_H
#define HEAPRAY_SNAPSHOT_DIFF_H

#include "model.h"

#include <stddef.h>
#include <stdint.h>

enum change_kind { CHANGE_STACK, CHANGE_LUA, CHANGE_COMPONENT, CHANGE_ZONE };

struct change {
	enum change_kind kind;
	char *key; /* identity: of a component or a zone its name */
	int64_t before, after;
	const struct model *model; /* of frames; NULL: the key is the name */
	const char *domain;        /* NULL: several, or none */
	uint32_t *frames;
	size_t frame_count;
};

struct diff {
	struct change *list; /* by kind, then the size of the change downwards, then key */
	size_t count;
	int64_t before, after; /* live bytes of all */
};

/*
 * Compares stacks grouped as asked, and their Lua lines, by live bytes; components by resident bytes summed over
 * the processes and zones by used bytes, when both are snapshots that have them. Only what differs is in it.
 * The models must outlive it. `group` is not GROUP_LUA (that is always there).
 */
struct diff diff_of(const struct family *before, struct model *before_model, const struct family *after, struct model *after_model,
	enum group group);
void diff_free(struct diff *diff);

#endif
