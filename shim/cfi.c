/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cfi.c - from .eh_frame to a frame rule.
 *
 * .eh_frame_hdr holds a table sorted by address; the FDE found there names its CIE. Both carry small
 * programs that build, row by row, how to find the caller's registers: they are run up to the wanted
 * address, and the row is kept when it has the simple shape almost all code has:
 *
 *   CFA = sp + n  or  fp + n      return address at CFA - 8      fp unchanged or saved at CFA + m
 *
 * Anything else is RULE_COMPLEX. Formats: the LSB's "Exception Frames", DWARF 5 section 6.4. Reads stay
 * within [low, high), the object's mapping; what does not fit is RULE_NONE.
 */
#include <string.h>

#include "shim.h"

enum { PE_ABSPTR = 0x00, PE_UDATA2 = 0x02, PE_UDATA4 = 0x03, PE_UDATA8 = 0x04, PE_SDATA2 = 0x0a, PE_SDATA4 = 0x0b,
       PE_SDATA8 = 0x0c, PE_PCREL = 0x10, PE_DATAREL = 0x30, PE_OMIT = 0xff };

struct bytes {
	const uint8_t *at, *end;
	bool bad;
};

enum reg_rule { REG_SAME, REG_AT_CFA, REG_AT_FRAME, REG_UNDEFINED, REG_OTHER };

struct row {
	bool cfa_other, cfa_at_frame; /* an expression; the one of realigned stacks: *(fp + cfa_offset) */
	uint64_t cfa_reg;
	int64_t cfa_offset;
	enum reg_rule fp, ra;
	int64_t fp_offset, ra_offset;
};

struct unit { /* a CIE, and the FDE under it */
	uint64_t code_align;
	int64_t data_align;
	uint8_t fde_encoding;
	bool augmented, signal_frame;
	struct bytes cie_program, fde_program;
	uintptr_t begin, range;
};

static uint64_t take(struct bytes *b, size_t size)
{
	uint64_t value = 0;
	if (b->bad || (size_t)(b->end - b->at) < size) {
		b->bad = true;
		return 0;
	}
	memcpy(&value, b->at, size);
	b->at += size;
	return value;
}

static uint64_t take_uleb(struct bytes *b)
{
	uint64_t value = 0;
	for (unsigned shift = 0;; shift += 7) {
		uint64_t byte = take(b, 1);
		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		if (b->bad || !(byte & 0x80))
			return value;
	}
}

static int64_t take_sleb(struct bytes *b)
{
	uint64_t value = 0;
	for (unsigned shift = 0;;) {
		uint64_t byte = take(b, 1);
		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		shift += 7;
		if (b->bad || !(byte & 0x80)) {
			if (shift < 64 && byte & 0x40)
				value |= ~0ull << shift;
			return (int64_t)value;
		}
	}
}

static uint64_t take_encoded(struct bytes *b, uint8_t encoding)
{
	uintptr_t from = (uintptr_t)b->at;
	uint64_t value;
	switch (encoding & 0x0f) {
	case PE_ABSPTR: case PE_UDATA8: case PE_SDATA8: value = take(b, 8); break;
	case PE_UDATA4: value = take(b, 4); break;
	case PE_SDATA4: value = (uint64_t)(int64_t)(int32_t)take(b, 4); break;
	case PE_UDATA2: value = take(b, 2); break;
	case PE_SDATA2: value = (uint64_t)(int64_t)(int16_t)take(b, 2); break;
	case 0x01: value = take_uleb(b); break;
	case 0x09: value = (uint64_t)take_sleb(b); break;
	default: b->bad = true; return 0;
	}
	if ((encoding & 0x70) == PE_PCREL)
		value += from;
	else if ((encoding & 0x70) != 0)
		b->bad = true;
	return value;
}

static void skip(struct bytes *b, uint64_t n)
{
	if (b->bad || (uint64_t)(b->end - b->at) < n)
		b->bad = true;
	else
		b->at += n;
}

/* The record at `at`: its body after the length; *b is bad when it does not fit. */
static struct bytes record(const uint8_t *at, uintptr_t low, uintptr_t high)
{
	struct bytes b = {.at = at, .end = (const uint8_t *)high};
	if ((uintptr_t)at < low || (uintptr_t)at >= high) {
		b.bad = true;
		return b;
	}
	uint64_t length = take(&b, 4);
	if (length == 0xffffffffu)
		length = take(&b, 8);
	if (b.bad || length == 0 || length > (uint64_t)(b.end - b.at))
		b.bad = true;
	else
		b.end = b.at + length;
	return b;
}

static bool parse_cie(const uint8_t *at, uintptr_t low, uintptr_t high, struct unit *u)
{
	struct bytes b = record(at, low, high);
	if (take(&b, 4) != 0) /* the id of a CIE */
		return false;
	uint64_t version = take(&b, 1);
	const char *augmentation = (const char *)b.at;
	while (!b.bad && take(&b, 1) != 0)
		;
	if (b.bad || (version != 1 && version != 3))
		return false;
	u->code_align = take_uleb(&b);
	u->data_align = take_sleb(&b);
	uint64_t return_register = version == 1 ? take(&b, 1) : take_uleb(&b);
	u->fde_encoding = PE_ABSPTR;
	u->augmented = *augmentation == 'z';
	if (u->augmented) {
		uint64_t length = take_uleb(&b);
		struct bytes data = b;
		skip(&b, length);
		for (const char *c = augmentation + 1; *c; c++) {
			if (*c == 'R')
				u->fde_encoding = (uint8_t)take(&data, 1);
			else if (*c == 'L')
				take(&data, 1);
			else if (*c == 'P')
				take_encoded(&data, (uint8_t)take(&data, 1) & 0x0f);
			else if (*c == 'S')
				u->signal_frame = true;
		}
	} else if (*augmentation != '\0') {
		return false;
	}
	u->cie_program = b;
	return !b.bad && return_register == ARCH_DWARF_RETURN;
}

static bool parse_fde(const uint8_t *at, uintptr_t low, uintptr_t high, struct unit *u)
{
	struct bytes b = record(at, low, high);
	const uint8_t *here = b.at;
	uint64_t back = take(&b, 4);
	if (b.bad || back == 0 || !parse_cie(here - back, low, high, u))
		return false;
	u->begin = take_encoded(&b, u->fde_encoding);
	u->range = take_encoded(&b, u->fde_encoding & 0x0f);
	if (u->augmented)
		skip(&b, take_uleb(&b));
	u->fde_program = b;
	return !b.bad;
}

static void set_register(struct row *row, uint64_t reg, enum reg_rule rule, int64_t offset)
{
	if (reg == ARCH_DWARF_FRAME) {
		row->fp = rule;
		row->fp_offset = offset;
	} else if (reg == ARCH_DWARF_RETURN) {
		row->ra = rule;
		row->ra_offset = offset;
	}
}

static void restore_register(struct row *row, const struct row *initial, uint64_t reg)
{
	if (reg == ARCH_DWARF_FRAME) {
		row->fp = initial->fp;
		row->fp_offset = initial->fp_offset;
	} else if (reg == ARCH_DWARF_RETURN) {
		row->ra = initial->ra;
		row->ra_offset = initial->ra_offset;
	}
}

/*
 * Functions that realign their stack save where the caller's was: GCC writes
 *	CFA = *(fp + n)    DW_OP_breg6 n, DW_OP_deref        fp saved at fp + m    DW_OP_breg6 m
 * True when the expression is such a one; any other is left to libunwind.
 */
static bool frame_expression(struct bytes *b, bool deref, int64_t *offset)
{
	uint64_t length = take_uleb(b);
	struct bytes e = *b;
	skip(b, length);
	if (b->bad)
		return false;
	e.end = b->at;
	if (take(&e, 1) != 0x70 + ARCH_DWARF_FRAME)
		return false;
	*offset = take_sleb(&e);
	if (deref && take(&e, 1) != 0x06)
		return false;
	return !e.bad && e.at == e.end;
}

static void cfa_expression(struct row *row, struct bytes *b)
{
	row->cfa_at_frame = frame_expression(b, true, &row->cfa_offset);
	row->cfa_other = !row->cfa_at_frame;
}

static void register_expression(struct row *row, struct bytes *b, uint64_t reg)
{
	int64_t offset = 0;
	bool simple = frame_expression(b, false, &offset);
	set_register(row, reg, simple && reg == ARCH_DWARF_FRAME ? REG_AT_FRAME : REG_OTHER, offset);
}

/* In unsigned numbers: a damaged object's product may overflow, and rule_of refuses what is out of range. */
static int64_t scaled(const struct unit *u, uint64_t factored)
{
	return (int64_t)(factored * (uint64_t)u->data_align);
}

#define REMEMBER 8

/* Runs a program until its location passes pc. false: an instruction not known. */
static bool run(struct bytes b, const struct unit *u, uintptr_t location, uintptr_t pc, const struct row *initial, struct row *row)
{
	struct row remembered[REMEMBER];
	int depth = 0;
	while (!b.bad && b.at < b.end) {
		uint8_t op = (uint8_t)take(&b, 1);
		uint64_t reg, low6 = op & 0x3f, advance = 0;
		switch (op & 0xc0 ? op & 0xc0 : op) {
		case 0x40: advance = low6; break;
		case 0x02: advance = take(&b, 1); break;
		case 0x03: advance = take(&b, 2); break;
		case 0x04: advance = take(&b, 4); break;
		case 0x80: set_register(row, low6, REG_AT_CFA, scaled(u, take_uleb(&b))); continue;
		case 0xc0: restore_register(row, initial, low6); continue;
		case 0x00: continue;
		case 0x01: /* set_loc */
			location = take_encoded(&b, u->fde_encoding);
			if (location > pc)
				return !b.bad;
			continue;
		case 0x05: reg = take_uleb(&b); set_register(row, reg, REG_AT_CFA, scaled(u, take_uleb(&b))); continue;
		case 0x06: restore_register(row, initial, take_uleb(&b)); continue;
		case 0x07: set_register(row, take_uleb(&b), REG_UNDEFINED, 0); continue;
		case 0x08: set_register(row, take_uleb(&b), REG_SAME, 0); continue;
		case 0x09: reg = take_uleb(&b); take_uleb(&b); set_register(row, reg, REG_OTHER, 0); continue;
		case 0x0a:
			if (depth == REMEMBER)
				return false;
			remembered[depth++] = *row;
			continue;
		case 0x0b:
			if (depth == 0)
				return false;
			*row = remembered[--depth];
			continue;
		case 0x0c:
			row->cfa_other = row->cfa_at_frame = false;
			row->cfa_reg = take_uleb(&b);
			row->cfa_offset = (int64_t)take_uleb(&b);
			continue;
		case 0x0d: row->cfa_reg = take_uleb(&b); continue;
		case 0x0e: row->cfa_offset = (int64_t)take_uleb(&b); continue;
		case 0x0f: cfa_expression(row, &b); continue;
		case 0x10: register_expression(row, &b, take_uleb(&b)); continue;
		case 0x16: reg = take_uleb(&b); set_register(row, reg, REG_OTHER, 0); skip(&b, take_uleb(&b)); continue;
		case 0x11: reg = take_uleb(&b); set_register(row, reg, REG_AT_CFA, scaled(u, (uint64_t)take_sleb(&b))); continue;
		case 0x12:
			row->cfa_other = row->cfa_at_frame = false;
			row->cfa_reg = take_uleb(&b);
			row->cfa_offset = scaled(u, (uint64_t)take_sleb(&b));
			continue;
		case 0x13: row->cfa_offset = scaled(u, (uint64_t)take_sleb(&b)); continue;
		case 0x14: reg = take_uleb(&b); take_uleb(&b); set_register(row, reg, REG_OTHER, 0); continue;
		case 0x15: reg = take_uleb(&b); take_sleb(&b); set_register(row, reg, REG_OTHER, 0); continue;
		case 0x2e: take_uleb(&b); continue; /* GNU_args_size */
		case 0x2f: reg = take_uleb(&b); set_register(row, reg, REG_AT_CFA, scaled(u, -take_uleb(&b))); continue;
		default: return false;
		}
		location += advance * u->code_align;
		if (location > pc)
			break;
	}
	return !b.bad;
}

static struct rule rule_of(const struct row *row)
{
	struct rule complex = {.kind = RULE_COMPLEX};
	if (row->ra == REG_UNDEFINED)
		return (struct rule){.kind = RULE_END};
	if (row->ra != REG_AT_CFA || row->ra_offset != -8 || row->cfa_other || row->cfa_offset & 7)
		return complex;
	struct rule rule = {.cfa_offset = (int32_t)row->cfa_offset, .fp_offset = RULE_FP_SAME};
	if (row->cfa_at_frame)
		rule.kind = RULE_SAVED;
	else if (row->cfa_reg == ARCH_DWARF_STACK)
		rule.kind = RULE_STACK;
	else if (row->cfa_reg == ARCH_DWARF_FRAME)
		rule.kind = RULE_FRAME;
	else
		return complex;
	if (row->cfa_offset > (1 << 29) || row->cfa_offset < -(1 << 29))
		return complex;
	if (row->fp == (row->cfa_at_frame ? REG_AT_FRAME : REG_AT_CFA)) {
		int64_t words = row->fp_offset / 8;
		if (row->fp_offset & 7 || words <= INT16_MIN || words > INT16_MAX)
			return complex;
		rule.fp_offset = (int16_t)words;
	} else if (row->fp != REG_SAME) {
		return complex;
	}
	return rule;
}

/* The FDE's place for pc in the sorted table {int32 address, int32 FDE}, both relative to the header. */
static const uint8_t *find_fde(const uint8_t *hdr, uintptr_t high, uintptr_t pc)
{
	struct bytes b = {.at = hdr, .end = (const uint8_t *)high};
	uint64_t version = take(&b, 1), pointer_encoding = take(&b, 1), count_encoding = take(&b, 1), table_encoding = take(&b, 1);
	if (b.bad || version != 1 || table_encoding != (PE_DATAREL | PE_SDATA4) || count_encoding == PE_OMIT)
		return NULL;
	take_encoded(&b, (uint8_t)pointer_encoding);
	uint64_t count = take_encoded(&b, (uint8_t)count_encoding);
	if (b.bad || count == 0 || count > (uint64_t)(b.end - b.at) / 8 || (uintptr_t)b.at % sizeof(int32_t) != 0)
		return NULL;
	const int32_t *table = (const void *)b.at;
	intptr_t wanted = (intptr_t)(pc - (uintptr_t)hdr);
	if (wanted < table[0])
		return NULL;
	uint64_t low = 0, high_index = count;
	while (high_index - low > 1) {
		uint64_t middle = (low + high_index) / 2;
		if (table[2 * middle] <= wanted)
			low = middle;
		else
			high_index = middle;
	}
	return hdr + table[2 * low + 1];
}

struct rule hr_rule_compile(const uint8_t *eh_frame_hdr, uintptr_t low, uintptr_t high, uintptr_t pc)
{
	struct rule none = {.kind = RULE_NONE};
	if ((uintptr_t)eh_frame_hdr < low || (uintptr_t)eh_frame_hdr >= high)
		return none;
	const uint8_t *fde = find_fde(eh_frame_hdr, high, pc);
	struct unit u = {0};
	if (fde == NULL || !parse_fde(fde, low, high, &u) || pc < u.begin || pc - u.begin >= u.range)
		return none;
	struct row row = {0}, initial;
	if (!run(u.cie_program, &u, 0, UINTPTR_MAX, &row, &row))
		return (struct rule){.kind = RULE_COMPLEX};
	initial = row;
	if (u.signal_frame)
		return (struct rule){.kind = RULE_SIGNAL};
	if (!run(u.fde_program, &u, u.begin, pc, &initial, &row))
		return (struct rule){.kind = RULE_COMPLEX};
	return rule_of(&row);
}
