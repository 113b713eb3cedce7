/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_books.h - what a segment says for the ledger: who mapped what, what is used, what was last
 * published.
 */
#ifndef HEAPRAY_LEDGER_BOOKS_H
#define HEAPRAY_LEDGER_BOOKS_H

#include "ledger_process.h"

/*
 * The segment whose rows speak for a member: its own, or, while it has not allocated since it was forked, the
 * nearest ancestor's. NULL when it is not preloaded.
 */
const struct segment *books_of(const struct family *family, size_t member);

/* The allocator's real name: as the shim found it, else as the mapped libraries tell. Never NULL. */
const char *books_allocator(const struct segment *segment, const struct program *program);

/* Claims all the shim saw mapped, and tells the threads where their control blocks are. */
void books_claim(const struct segment *books, struct claims *claims, struct threads *threads);

/* Fills used and shared of all rows. */
void books_used(struct ledger *ledger, struct peek *peek);

/* An ended process: the rows as last published. Returns 0, or -1 with the error printed when there are none.
 */
int books_published(struct ledger *ledger);

/* The waterfall inside the allocator, as far as it is told; JSON_UNKNOWN where not. */
struct waterfall {
	const char *name;
	uint64_t requested, usable, in_use, held, free_held, top, mapped, resident, age_ns;
	bool usable_estimated;
};
/* False when the process is not preloaded. */
bool books_waterfall(const struct ledger *ledger, struct waterfall *waterfall);

#endif
