/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot_symbols.h - names for addresses, as they were looked up when a snapshot was taken.
 *
 * As text, with tabs between fields and "-" for what is not known:
 *   M BUILD_ID PATH            a module; what follows belongs to it
 *   C FUNCTION                 a function without a symbol that only passes allocations on
 *   A OFFSET                   a return address, hexadecimal; its functions follow, innermost first
 *   F LINE FILE FUNCTION
 */
#ifndef HEAPRAY_SNAPSHOT_SYMBOLS_H
#define HEAPRAY_SNAPSHOT_SYMBOLS_H

#include "model.h"
#include "symbols.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct snapshot_symbols;

/* Looks up every address of the model and writes them. */
void snapshot_symbols_write(struct model *model, FILE *out);

/* Reads them; what is malformed is left out. The text is changed and must live as long as the result. */
struct snapshot_symbols *snapshot_symbols_parse(char *text);
/* Takes over all of `from`, with its text. */
void snapshot_symbols_merge(struct snapshot_symbols *into, struct snapshot_symbols *from);
void snapshot_symbols_free(struct snapshot_symbols *symbols);

/* Functions at an address of a module, innermost first: how many; 0 when not known. */
size_t snapshot_symbols_lookup(const struct snapshot_symbols *symbols, const char *path, const uint8_t *build_id, size_t id_length,
	uint64_t offset, const struct symbol **found);
bool snapshot_symbols_is_callee(const struct snapshot_symbols *symbols, const char *path, const char *function);

#endif
