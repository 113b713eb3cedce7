/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * code.h - the bytes of a 64-bit ELF file by link-time address, and what they tell without any symbol:
 * where functions begin and end (the unwind table), whom they call.
 */
#ifndef HEAPRAY_CODE_H
#define HEAPRAY_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct code {
	const uint8_t *file; /* all of it, the caller's */
	size_t size;
};

struct code_function {
	uint64_t start, end;
};

/* `length` bytes at an address; NULL when the file does not have them all. */
const uint8_t *code_at(const struct code *code, uint64_t address, uint64_t length);
/* The functions that have an entry in .eh_frame_hdr, in ascending order; the list is the caller's. */
size_t code_functions(const struct code *code, struct code_function **functions);
/* Passes the targets of what may be direct calls and jumps of [start, end); x86-64 only. */
void code_calls(const struct code *code, uint64_t start, uint64_t end, void (*call)(uint64_t target, void *context), void *context);

#endif
