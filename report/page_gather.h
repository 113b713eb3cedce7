/* SPDX-License-Identifier: BSD-2-Clause */
/* page_gather.h - all that a page or an export shows of a target, read at about one time. */
#ifndef HEAPRAY_PAGE_GATHER_H
#define HEAPRAY_PAGE_GATHER_H

#include "family.h"
#include "ledger_family.h"
#include "page.h"
#include "quality.h"

struct gathered {
	struct page page; /* points to what follows */
	struct options options;
	struct family family;
	struct quality quality;
	struct ledger_family ledgers; /* of a live family */
	struct json *breakdown, *zones, *growth, *heap, *said;
	char *title, *about;
	int64_t *grown;
};

/*
 * Reads a target. grow_ns: watch it for so long, for what grows; 0 = the time line and the ages tell. Returns 0, or
 * -1 with the error printed; a part that could not be read is left out, and its reason was printed too.
 */
int gather(struct gathered *g, const struct options *options, uint64_t grow_ns);
/* Two snapshots: what changed. */
int gather_diff(struct gathered *g, const struct options *options, const char *before, const char *after);
/* A file that `heapray compare --json` wrote. Returns 1 when it is none. */
int gather_compare(struct gathered *g, const char *path);

#endif
