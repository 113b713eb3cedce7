/* SPDX-License-Identifier: BSD-2-Clause */
/* breakdown.h - all that `heapray breakdown` shows, gathered before anything is printed. */
#ifndef HEAPRAY_BREAKDOWN_H
#define HEAPRAY_BREAKDOWN_H

#include "json.h"
#include "ledger_family.h"
#include "pools.h"
#include "subsystem.h"

/* What a member has beside its ledger. */
struct breakdown_member {
	struct pools pools;
	struct subsystems subsystems;
};

struct breakdown {
	const struct family *family;
	struct ledger_family ledgers;
	struct breakdown_member *members; /* as many as ledgers.count */
	struct subsystems subsystems;     /* of the family, inherited blocks once */
	struct quality quality;
};

/* Fills members and subsystems, once ledgers are there (cmd_breakdown.c). */
void breakdown_gather(struct breakdown *breakdown);

/* ledger_json.c: the names in it are read by others' tests and never change. The result is the caller's. */
struct json *breakdown_json(const struct breakdown *breakdown);

/* ledger_text.c: the first screen says where the memory is, what follows says whose it is in detail. */
void breakdown_print(const struct breakdown *breakdown, size_t limit);

#endif
