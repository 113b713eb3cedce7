/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_family.h - the ledgers of a family, and their sum.
 *
 * The sum counts what is shared once: private and copy-on-write pages by Pss (each process its share),
 * zones by identity with all their loaded bytes, inherited blocks with the process that made them.
 */
#ifndef HEAPRAY_LEDGER_FAMILY_H
#define HEAPRAY_LEDGER_FAMILY_H

#include "ledger_process.h"
#include "zone_find.h"

struct ledger_family {
	struct ledger *members; /* those that could be read */
	size_t count;
	struct zone_set zones;
	struct component_row total[C_COUNT]; /* resident and swap by the rule above; pss is the same */
	struct usage system;
	size_t failed; /* members that ended while they were read, or may not be */
};

#define LEDGER_FAMILY_RULE "private and copy-on-write memory by Pss, zones once with all their loaded bytes"

/* Returns 0, or -1 (printed) when no member could be read. */
int ledger_family_build(struct ledger_family *sum, const struct family *family, struct quality *quality);
void ledger_family_free(struct ledger_family *sum);

#endif
