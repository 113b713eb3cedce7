/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_process.h - the ledger of one process: its pieces, summed to components.
 */
#ifndef HEAPRAY_LEDGER_PROCESS_H
#define HEAPRAY_LEDGER_PROCESS_H

#include "family.h"
#include "ledger.h"
#include "ledger_nature.h"
#include "ledger_threads.h"
#include "quality.h"

struct zone_set;

struct component_row {
	bool present;
	struct usage figures;
	uint64_t used_bytes, used_count;     /* JSON_UNKNOWN: cannot be told */
	uint64_t shared_bytes, shared_count; /* of used: what the parent, a member too, counts as well */
	uint64_t loaded_bytes;               /* C_NGINX_SHM: resident of the whole objects; JSON_UNKNOWN */
};

/* A line below a component: one library's text, one VM's arenas, one caller's maps. */
struct detail {
	enum component component;
	const char *label;
	uint64_t ranges;
	struct usage figures;
};

struct ledger {
	const struct process *process;
	const struct segment
		*books;     /* whose rows speak: its own segment, or its parent's until it first allocates */
	bool parent_counts; /* its parent is a member too: what it inherited is counted there */
	bool published;     /* from the last published ledger: the process has ended */
	uint64_t published_ns;
	const char *allocator; /* its real name */
	struct program program;
	struct smaps smaps;
	struct pieces pieces;
	struct threads threads;
	struct claims claims;
	struct component_row rows[C_COUNT];
	struct usage system;
	struct detail *details; /* by component, then resident downwards, then label */
	size_t detail_count, detail_room;
};

/*
 * Reads the process (or what its segment kept) and builds its ledger. `zones` are the family's, may be NULL.
 * Says in `quality` what is approximate. Returns 0, or -1 with the reason printed.
 */
int ledger_build(struct ledger *ledger, const struct family *family, size_t member,
	const struct zone_set *zones, struct quality *quality);
void ledger_free(struct ledger *ledger);

/* The domain's component: where the memory that holds its blocks is. */
enum component domain_component(const struct hr_domain *domain);

#endif
