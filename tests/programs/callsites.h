/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * callsites.h - 4,000 functions that each call allocate_here() (whoever includes this defines it) from a place of
 * their own and with one of twenty frame sizes: more call sites than an unwinder's cache holds. In assembler,
 * because a compiler takes ten seconds over them in C.
 */
#ifndef CALLSITES_H
#define CALLSITES_H

#include <stddef.h>

#ifndef __x86_64__
#error "callsites.h: write the same for this machine"
#endif

enum { call_count = 4000 };

void *allocate_here(size_t n);

__asm__(".text\n"
	".balign 32\n"
	"call_sites_begin:\n"
	".set call_site, 0\n"
	".rept 4000\n"
	"	.balign 32\n"
	"	.cfi_startproc\n"
	"	sub $(8 + 16 * (call_site % 20)), %rsp\n"
	"	.cfi_def_cfa_offset 16 + 16 * (call_site % 20)\n"
	"	call allocate_here\n"
	"	add $(8 + 16 * (call_site % 20)), %rsp\n"
	"	.cfi_def_cfa_offset 8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.set call_site, call_site + 1\n"
	".endr\n");

/* Allocates n bytes from call site i < call_count. */
static void *call_from(unsigned i, size_t n)
{
	extern const char call_sites_begin[];
	return ((void *(*)(size_t))(call_sites_begin + 32 * (size_t)i))(n);
}

#endif
