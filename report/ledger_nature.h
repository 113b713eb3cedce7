/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_nature.h - owners that the memory itself tells, with or without the shim.
 */
#ifndef HEAPRAY_LEDGER_NATURE_H
#define HEAPRAY_LEDGER_NATURE_H

#include "ledger.h"
#include "peek.h"

/* What the mapped files say the process is. */
struct program {
	const char *allocator; /* glibc, musl, jemalloc, tcmalloc, mimalloc; "allocator" when none is known */
	bool allocator_maps;   /* it takes its memory by mmap alone (jemalloc, mimalloc) */
	bool lua_http, lua_stream, luajit, nginx;
};

void program_look(const struct smaps *smaps, const char *exe, struct program *program);
/* The component of a VM of which nothing more is known. */
enum component program_luajit(const struct program *program);

/* .bss of each mapped ELF file, as its program headers say. */
void nature_claim_images(struct peek *peek, const struct smaps *smaps, struct claims *claims);
/* glibc: arenas by their headers; blocks that have a mapping of their own by theirs. */
void nature_claim_glibc(
	struct peek *peek, const struct smaps *smaps, const char *label, struct claims *claims);
/*
 * LuaJIT: arenas by the allocator's state in one of them and the list it holds, large blocks by their
 * headers, machine code by being executable anonymous memory.
 */
void nature_claim_luajit(
	struct peek *peek, const struct smaps *smaps, enum component component, struct claims *claims);

#endif
