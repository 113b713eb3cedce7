/* SPDX-License-Identifier: BSD-2-Clause */
/* code.c - reads program headers, .eh_frame_hdr and machine code. Nothing in the file is trusted. */
#include "code.h"

#include "xalloc.h"

#include <elf.h>

/* Encodings of pointers in .eh_frame_hdr (the LSB's "DWARF extensions"): the ones that linkers write. */
#define POINTER_U32 0x03
#define POINTER_FROM_HERE_S32 0x1b
#define POINTER_FROM_HEAD_S32 0x3b

static bool header(const struct code *code, Elf64_Ehdr *e)
{
	if (!code->file || code->size < sizeof(*e) || memcmp(code->file, ELFMAG, SELFMAG) != 0 || code->file[EI_CLASS] != ELFCLASS64)
		return false;
	memcpy(e, code->file, sizeof(*e));
	return e->e_phentsize == sizeof(Elf64_Phdr) && e->e_phoff <= code->size &&
	       e->e_phnum <= (code->size - e->e_phoff) / sizeof(Elf64_Phdr);
}

static Elf64_Phdr segment(const struct code *code, const Elf64_Ehdr *e, unsigned index)
{
	Elf64_Phdr p;

	memcpy(&p, code->file + e->e_phoff + index * sizeof(p), sizeof(p));
	return p;
}

const uint8_t *code_at(const struct code *code, uint64_t address, uint64_t length)
{
	Elf64_Ehdr e;

	if (!header(code, &e))
		return NULL;
	for (unsigned i = 0; i < e.e_phnum; i++) {
		const Elf64_Phdr p = segment(code, &e, i);
		if (p.p_type != PT_LOAD || address < p.p_vaddr || address - p.p_vaddr >= p.p_filesz)
			continue;
		const uint64_t into = address - p.p_vaddr;
		if (length > p.p_filesz - into || p.p_offset > code->size || p.p_filesz > code->size - p.p_offset)
			return NULL;
		return code->file + p.p_offset + into;
	}
	return NULL;
}

static int32_t signed32(const uint8_t *p)
{
	int32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static int by_start(const void *a, const void *b)
{
	const struct code_function *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

/* The search table: {function, entry}, 32 bits each from the table's head. */
static size_t search_table(const struct code *code, uint64_t head, struct code_function **functions)
{
	const uint8_t *h = code_at(code, head, 12);

	if (!h || h[0] != 1 || h[1] != POINTER_FROM_HERE_S32 || h[2] != POINTER_U32 || h[3] != POINTER_FROM_HEAD_S32)
		return 0;
	const uint32_t count = signed32(h + 8);
	const uint8_t *rows = code_at(code, head + 12, count * 8ull);
	if (!rows)
		return 0;
	*functions = xcalloc(count, sizeof(**functions));
	for (uint32_t i = 0; i < count; i++) {
		const uint64_t start = head + signed32(rows + 8 * i), entry = head + signed32(rows + 8 * i + 4);
		/* An entry: length, CIE, start, then the function's length, 32 bits each. */
		const uint8_t *bytes = code_at(code, entry, 16);
		(*functions)[i] = (struct code_function){start, start + (bytes ? (uint32_t)signed32(bytes + 12) : 0)};
	}
	if (count > 0)
		qsort(*functions, count, sizeof(**functions), by_start);
	return count;
}

size_t code_functions(const struct code *code, struct code_function **functions)
{
	Elf64_Ehdr e;

	*functions = NULL;
	if (!header(code, &e))
		return 0;
	for (unsigned i = 0; i < e.e_phnum; i++) {
		const Elf64_Phdr p = segment(code, &e, i);
		if (p.p_type == PT_GNU_EH_FRAME)
			return search_table(code, p.p_vaddr, functions);
	}
	return 0;
}

void code_calls(const struct code *code, uint64_t start, uint64_t end, void (*call)(uint64_t target, void *context), void *context)
{
	Elf64_Ehdr e;
	const uint64_t length = end - start;

	if (!header(code, &e) || e.e_machine != EM_X86_64 || end < start || length < 5)
		return;
	const uint8_t *bytes = code_at(code, start, length);
	for (uint64_t i = 0; bytes && i <= length - 5; i++) {
		if (bytes[i] == 0xe8 || bytes[i] == 0xe9)
			call(start + i + 5 + signed32(bytes + i + 1), context);
	}
}
