/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger.h - every byte of a process's address space has an owner.
 *
 * The mappings of one smaps read are cut where owners change:
 *
 *   smaps     |  anonymous rw-p                         | ---p | libc.so r-xp | ...
 *   claims    |     [arena of a VM]        [stack of 42]|      |              |
 *   pieces    | rest|    luajit    | rest  |   stacks   | guard|     text     |
 *
 * A *claim* is a range that some source knows the owner of: the shim's books, a thread's stack, the
 * process's memory itself (an arena's header). Where claims overlap, the lower rank wins. A *piece* is a
 * part of one mapping with one owner. Pieces cover every mapping exactly once, and their figures sum to
 * the mapping's: so the components and `unexplained` sum to the process's virtual and resident bytes.
 */
#ifndef HEAPRAY_LEDGER_H
#define HEAPRAY_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pagemap.h"
#include "smaps.h"

enum component {
	C_ALLOCATOR,
	C_LUAJIT_HTTP,
	C_LUAJIT_STREAM,
	C_LUAJIT_OTHER,
	C_NGINX_SHM,
	C_MMAP,
	C_TEXT,
	C_STACKS,
	C_FILE,
	C_HEAPRAY,
	C_KERNEL,
	C_RESERVED,    /* no access: guard pages, reservations nobody claimed */
	C_UNEXPLAINED, /* what no rule could name */
	C_COUNT,
};

const char *component_id(enum component component);    /* as in the JSON */
const char *component_label(enum component component); /* for people; the allocator's is its own name */

/* Who speaks for a range; the lower rank wins (DESIGN: whose is anonymous memory). */
enum claim_rank {
	RANK_IMAGE, /* .bss: the loader maps it, the file says how long it is */
	RANK_LUAJIT,
	RANK_DIRECT,
	RANK_STACK,
	RANK_HEAPRAY,
	RANK_ALLOCATOR,
	RANK_NATURE, /* told by what lies in the memory, not by who mapped it */
	RANK_COUNT,
};

struct claim {
	uint64_t start, end;
	enum claim_rank rank;
	enum component component;
	const char *label; /* what it is within its component; kept by the caller */
};

struct claims {
	struct claim *list;
	size_t count, room;
};

/* Adds a claim on all pages the range touches; an empty or backward range is dropped. */
void claims_add(struct claims *claims, uint64_t start, uint64_t end, enum claim_rank rank,
	enum component component, const char *label);
/* Sorts by rank and start, and makes claims of one rank disjoint: the earlier start wins. */
void claims_settle(struct claims *claims);
void claims_free(struct claims *claims);

struct piece {
	uint64_t start, end;
	enum component component;
	const char *label;
	const struct vma *vma;
	bool claimable; /* anonymous memory that nobody claimed: a live block in it makes it the allocator's
			 */
	struct usage figures;
};

struct pieces {
	struct piece *list;
	size_t count, room, claimable;
};

/*
 * Cuts all mappings by settled claims and by nature. `zones`: shared anonymous memory is zones, as in nginx;
 * else direct mmaps. Figures are still 0 (ledger_measure).
 */
void ledger_cut(const struct smaps *smaps, const struct claims *claims, bool zones, struct pieces *pieces);
/* A live block of the allocator lies here. Returns how many claimable pieces are left. */
size_t ledger_block(struct pieces *pieces, uint64_t address);
/*
 * After the blocks. What is small and lies against a mapped file is the dynamic loader's, which maps its TLS
 * and tables there unseen. With a label (no books, and an allocator that takes its memory by mmap) the rest
 * is taken to be the allocator's.
 */
void ledger_rest(struct pieces *pieces, const char *allocator_label);
/* Fills the figures. False when some parts could only be told by share. */
bool ledger_measure(struct pieces *pieces, const struct pagemap *pagemap);
void pieces_free(struct pieces *pieces);

#endif
