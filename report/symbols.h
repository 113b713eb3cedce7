/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols.h - names for addresses of one file: function, source line, inlined callers.
 *
 * Addresses are link-time ones. A function without a symbol is named by where its unwind table entry
 * starts, "nginx!fn@0x3c4a0": the same in every run of the same file. Nothing is fetched from the
 * network. Names and files live as long as the symbols.
 */
#ifndef HEAPRAY_SYMBOLS_H
#define HEAPRAY_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbols; /* of one file */

enum symbols_state {
	SYMBOLS_FINE,
	SYMBOLS_MISSING,  /* no such file, or no ELF: addresses only */
	SYMBOLS_REPLACED, /* the file is not the one that was loaded (build-id): addresses only */
};

struct symbol {
	const char *function; /* NULL: not known */
	const char *file;     /* NULL: not known */
	unsigned line;        /* 0: not known */
};

/*
 * Opens the file of a module. `ways` are the paths to try, ending with NULL; the first with the
 * build-id is taken, any when id_length is 0. Never NULL: see symbols_state.
 */
struct symbols *symbols_open(const char *const *ways, const uint8_t *build_id, size_t id_length);
enum symbols_state symbols_state(const struct symbols *symbols);
void symbols_close(struct symbols *symbols);

/*
 * What is at an address of code: at least one entry, inlined ones first (innermost first). Returns
 * how many; the array lives until the next look-up, the strings as long as the symbols.
 */
size_t symbols_lookup(struct symbols *symbols, uint64_t address, const struct symbol **found);

/*
 * Functions without a symbol which one with a matching name calls or jumps to, and those that these
 * call in turn: their names, as symbols_lookup gives them, are passed to `add`.
 */
void symbols_unnamed_callees(struct symbols *symbols, bool (*matches)(const char *function, void *context),
	void (*add)(const char *function, void *context), void *context);

#endif
