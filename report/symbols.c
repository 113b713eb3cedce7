/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols.c - symbol tables and debug information by libdw, the only file that knows elfutils.
 *
 * Three sources, best first: DWARF (in the file or in its separate debug file, found by build-id),
 * the symbol tables, the unwind table (.eh_frame_hdr), which even a stripped file has. Each becomes
 * a sorted table once; a look-up is binary searches. DWARF is read one unit at a time, when an
 * address first falls into it.
 */
#include "symbols.h"

#include "code.h"
#include "readable.h"
#include "table.h"
#include "xalloc.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <unistd.h>

#define MOST_INLINED 64
#define LOCAL 2000 /* preference of a symbol that is not exported, and worse */

struct range { /* a function */
	uint64_t start, end;
	const char *name;    /* of a symbol, mangled; NULL: an unwind table entry's */
	unsigned preference; /* among symbols of one address: lower wins */
	const char *shown;   /* the name for people, made when first asked for */
};

struct ranges {
	struct range *ranges;
	size_t count, capacity;
};

struct unit { /* of DWARF: where its functions are */
	struct piece {
		uint64_t start, end;
		Dwarf_Off function;
	} *pieces;
	size_t count, capacity;
};

struct symbols {
	enum symbols_state state;
	char *basename;
	Dwfl *dwfl;
	Dwfl_Module *module;
	struct code code;
	Elf *elf;
	bool has_dwarf;
	Dwarf_Addr dwarf_bias; /* what libdw calls an address + bias = ours */
	struct ranges named, unwind;
	struct table *unit_index; /* by the unit's offset: its number */
	struct unit *units;       /* those read so far */
	size_t unit_count, unit_capacity;
	struct symbol found[MOST_INLINED];
};

/* ---- opening ------------------------------------------------------------------------------- */

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

static bool same_build(Elf *elf, const uint8_t *build_id, size_t length)
{
	const void *id;
	const ssize_t have = length ? dwelf_elf_gnu_build_id(elf, &id) : 0;

	return length == 0 || (have == (ssize_t)length && memcmp(id, build_id, length) == 0);
}

/* Takes the file if it is the right one. The base is 0: what libdwfl calls addresses are link-time ones. */
static bool try_open(struct symbols *s, const char *path, const uint8_t *build_id, size_t id_length)
{
	GElf_Addr bias;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return false;
	Dwfl *dwfl = dwfl_begin(&callbacks);
	/* The descriptor is libdwfl's when it succeeds. */
	Dwfl_Module *module = dwfl ? dwfl_report_elf(dwfl, path, path, fd, 0, true) : NULL;
	Elf *elf = module ? dwfl_module_getelf(module, &bias) : NULL;
	if (!module)
		close(fd);
	if (elf && same_build(elf, build_id, id_length)) {
		dwfl_report_end(dwfl, NULL, NULL);
		s->dwfl = dwfl;
		s->module = module;
		s->elf = elf;
		s->state = SYMBOLS_FINE;
		return true;
	}
	if (elf)
		s->state = SYMBOLS_REPLACED;
	if (dwfl)
		dwfl_end(dwfl);
	return false;
}

/* ---- the symbol tables --------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	return x->name && y->name ? strcmp(x->name, y->name) : 0;
}

/* Of malloc, __libc_malloc and __malloc at one address the first is the one people know. */
static unsigned preference(const GElf_Sym *symbol, const char *name)
{
	const unsigned binding = GELF_ST_BIND(symbol->st_info);
	unsigned worse = binding == STB_GLOBAL || binding == STB_GNU_UNIQUE ? 0 : binding == STB_WEAK ? 20 : LOCAL;

	worse += symbol->st_size == 0 ? 4000 : 0;
	worse += 100 * (strspn(name, "_") > 9 ? 9 : strspn(name, "_"));
	return worse + (strlen(name) > 99 ? 99 : strlen(name));
}

static void read_symbols(struct symbols *s)
{
	const int count = dwfl_module_getsymtab(s->module);
	struct ranges *t = &s->named;

	for (int i = 1; i < count; i++) {
		GElf_Sym symbol;
		GElf_Addr address;
		const char *name = dwfl_module_getsym_info(s->module, i, &symbol, &address, NULL, NULL, NULL);
		const unsigned type = GELF_ST_TYPE(symbol.st_info);
		if (!name || !*name || symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS)
			continue;
		if (type != STT_FUNC && type != STT_GNU_IFUNC && !(type == STT_NOTYPE && GELF_ST_BIND(symbol.st_info) == STB_GLOBAL))
			continue;
		xgrow(t->ranges, t->count, t->capacity);
		t->ranges[t->count++] = (struct range){address, address + symbol.st_size, name, preference(&symbol, name), NULL};
	}
	if (t->count > 0)
		qsort(t->ranges, t->count, sizeof(*t->ranges), by_start);
	size_t kept = 0;
	for (size_t i = 0; i < t->count; i++) {
		if (kept == 0 || t->ranges[kept - 1].start != t->ranges[i].start)
			t->ranges[kept++] = t->ranges[i];
	}
	t->count = kept;
}

/* ---- the unwind table ---------------------------------------------------------------------- */

static void read_unwind_table(struct symbols *s)
{
	struct code_function *functions;
	struct ranges *t = &s->unwind;

	s->code.file = (const uint8_t *)elf_rawfile(s->elf, &s->code.size);
	t->count = code_functions(&s->code, &functions);
	t->ranges = xcalloc(t->count, sizeof(*t->ranges));
	for (size_t i = 0; i < t->count; i++)
		t->ranges[i] = (struct range){.start = functions[i].start, .end = functions[i].end};
	free(functions);
}

/* ---- names --------------------------------------------------------------------------------- */

/* The last range that starts at or before the address; NULL. */
static struct range *at_or_before(const struct ranges *t, uint64_t address)
{
	size_t low = 0, high = t->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (t->ranges[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? &t->ranges[low - 1] : NULL;
}

/* The symbol whose range holds the address: a few back, because small ones lie within larger ones. */
static struct range *named_at(const struct symbols *s, uint64_t address)
{
	struct range *r = at_or_before(&s->named, address);

	for (int i = 0; r && i < 16; i++) {
		if (address < r->end)
			return r;
		r = r > s->named.ranges ? r - 1 : NULL;
	}
	return NULL;
}

static struct range *function_at(const struct symbols *s, uint64_t address)
{
	struct range *named = named_at(s, address);
	struct range *unwind = at_or_before(&s->unwind, address);

	if (named)
		return named;
	if (!unwind || address >= unwind->end)
		return NULL;
	/* A symbol without a size, as assembly has, names the function it starts. */
	named = at_or_before(&s->named, unwind->start);
	return named && named->start == unwind->start ? named : unwind;
}

static const char *shown_name(const struct symbols *s, struct range *r)
{
	if (r->shown)
		return r->shown;
	if (r->name) {
		char *plain = xasprintf("%.*s", (int)strcspn(r->name, "@"), r->name); /* without its version */
		r->shown = readable_name(plain);
		free(plain);
	} else {
		r->shown = xasprintf("%s!fn@0x%" PRIx64, s->basename, r->start);
	}
	return r->shown;
}

/* ---- DWARF --------------------------------------------------------------------------------- */

static void add_pieces(struct unit *unit, Dwarf_Die *function)
{
	Dwarf_Addr base, start, end;

	for (ptrdiff_t at = 0; (at = dwarf_ranges(function, at, &base, &start, &end)) > 0;) {
		xgrow(unit->pieces, unit->count, unit->capacity);
		unit->pieces[unit->count++] = (struct piece){start, end, dwarf_dieoffset(function)};
	}
}

static void add_functions(struct unit *unit, Dwarf_Die *parent, unsigned depth)
{
	Dwarf_Die die;

	if (depth > 32 || dwarf_child(parent, &die) != 0)
		return;
	do {
		switch (dwarf_tag(&die)) {
		case DW_TAG_subprogram:
			add_pieces(unit, &die);
			break;
		case DW_TAG_namespace:
		case DW_TAG_class_type:
		case DW_TAG_structure_type:
		case DW_TAG_module:
			add_functions(unit, &die, depth + 1);
		}
	} while (dwarf_siblingof(&die, &die) == 0);
}

static int by_piece(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->function > y->function) - (x->function < y->function);
}

static struct unit *unit_of(struct symbols *s, Dwarf_Die *cu)
{
	const Dwarf_Off offset = dwarf_dieoffset(cu);
	bool is_new;
	uint64_t *number = table_at(&s->unit_index, &offset, sizeof(offset), &is_new);

	if (!is_new)
		return &s->units[*number];
	*number = s->unit_count;
	xgrow(s->units, s->unit_count, s->unit_capacity);
	struct unit *unit = &s->units[s->unit_count++];
	*unit = (struct unit){0};
	add_functions(unit, cu, 0);
	if (unit->count > 0)
		qsort(unit->pieces, unit->count, sizeof(*unit->pieces), by_piece);
	return unit;
}

/* The function's DIE; false when no function of the unit holds the address. */
static bool find_function(struct symbols *s, Dwarf_Die *cu, uint64_t address, Dwarf_Die *function)
{
	const struct unit *unit = unit_of(s, cu);
	size_t low = 0, high = unit->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		if (unit->pieces[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || address >= unit->pieces[low - 1].end)
		return false;
	Dwarf_Addr bias;
	Dwarf *dwarf = dwfl_module_getdwarf(s->module, &bias);
	return dwarf_offdie(dwarf, unit->pieces[low - 1].function, function) != NULL;
}

/* From the function inwards: path[0] is the function, then what was inlined in it around the address. */
static size_t inline_path(Dwarf_Die *function, uint64_t address, Dwarf_Die *path)
{
	size_t count = 1;
	Dwarf_Die scope = *function, die;

	path[0] = *function;
	while (count < MOST_INLINED && dwarf_child(&scope, &die) == 0) {
		bool inside = false;
		do {
			const int tag = dwarf_tag(&die);
			if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block)
				continue;
			inside = dwarf_haspc(&die, address) == 1;
			if (inside && tag == DW_TAG_inlined_subroutine)
				path[count++] = die;
		} while (!inside && dwarf_siblingof(&die, &die) == 0);
		if (!inside)
			break;
		scope = die;
	}
	return count;
}

static const char *die_name(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) || dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute) ||
		dwarf_attr_integrate(die, DW_AT_name, &attribute)) {
		const char *name = dwarf_formstring(&attribute);
		return name ? readable_name(name) : NULL;
	}
	return NULL;
}

/* Where an inlined function was called. */
static void call_site(Dwarf_Die *cu, Dwarf_Die *inlined, struct symbol *caller)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;
	Dwarf_Files *files;
	size_t count;

	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &value) == 0 &&
		dwarf_getsrcfiles(cu, &files, &count) == 0 && value < count)
		caller->file = dwarf_filesrc(files, value, NULL, NULL);
	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &value) == 0)
		caller->line = value;
}

/* Fills s->found from debug information; 0 when it has none for the address. */
static size_t from_dwarf(struct symbols *s, uint64_t address)
{
	Dwarf_Addr bias;
	Dwarf_Die *cu = s->has_dwarf ? dwfl_module_addrdie(s->module, address, &bias) : NULL, function, path[MOST_INLINED];
	int line = 0;

	if (!cu || !find_function(s, cu, address - bias, &function))
		return 0;
	const size_t count = inline_path(&function, address - bias, path);
	Dwarf_Line *source = dwarf_getsrc_die(cu, address - bias);
	for (size_t i = 0; i < count; i++) { /* innermost first */
		Dwarf_Die *die = &path[count - 1 - i];
		s->found[i] = (struct symbol){.function = die_name(die)};
		if (i > 0)
			call_site(cu, &path[count - i], &s->found[i]);
	}
	if (source && dwarf_lineno(source, &line) == 0) {
		s->found[0].file = dwarf_linesrc(source, NULL, NULL);
		s->found[0].line = line;
	}
	return count;
}

/* ---- the face ------------------------------------------------------------------------------ */

size_t symbols_lookup(struct symbols *s, uint64_t address, const struct symbol **found)
{
	size_t count = from_dwarf(s, address);
	struct range *range = function_at(s, address);

	*found = s->found;
	if (count == 0) {
		s->found[0] = (struct symbol){0};
		count = 1;
	}
	/* An exported name is what people know: puts, where debug information says __GI__IO_puts. */
	if (range && (!s->found[count - 1].function || (range->name && range->preference < LOCAL)))
		s->found[count - 1].function = shown_name(s, range);
	return count;
}

struct callees {
	struct symbols *symbols;
	struct range **list;
	size_t count;
};

/* Data that looks like a call hardly hits the very start of a function. */
static void add_callee(uint64_t target, void *context)
{
	struct callees *callees = context;
	struct range *callee = at_or_before(&callees->symbols->unwind, target);

	if (!callee || callee->start != target || function_at(callees->symbols, target) != callee)
		return;
	for (size_t i = 0; i < callees->count; i++) {
		if (callees->list[i] == callee)
			return;
	}
	callees->list[callees->count++] = callee; /* there is room: each unwind entry comes once */
}

void symbols_unnamed_callees(struct symbols *s, bool (*matches)(const char *function, void *context),
	void (*add)(const char *function, void *context), void *context)
{
	struct callees callees = {.symbols = s, .list = xcalloc(s->unwind.count, sizeof(*callees.list))};

	for (size_t i = 0; i < s->named.count; i++) {
		struct range *r = &s->named.ranges[i];
		/* Wrappers in C: no need to make a thousand C++ names readable. */
		if (r->name[0] != '_' && matches(shown_name(s, r), context))
			code_calls(&s->code, r->start, r->end, add_callee, &callees);
	}
	for (size_t i = 0; i < callees.count; i++)
		code_calls(&s->code, callees.list[i]->start, callees.list[i]->end, add_callee, &callees);
	for (size_t i = 0; i < callees.count; i++)
		add(shown_name(s, callees.list[i]), context);
	free(callees.list);
}

/* ---- opening and closing ------------------------------------------------------------------- */

struct symbols *symbols_open(const char *const *ways, const uint8_t *build_id, size_t id_length)
{
	struct symbols *s = xcalloc(1, sizeof(*s));
	const char *slash = *ways ? strrchr(*ways, '/') : NULL;

	/* elfutils would ask these servers, for minutes, without a word. */
	unsetenv("DEBUGINFOD_URLS");
	s->state = SYMBOLS_MISSING;
	s->basename = xstrdup(slash ? slash + 1 : *ways ? *ways : "");
	while (*ways && !try_open(s, *ways, build_id, id_length))
		ways++;
	if (s->state == SYMBOLS_FINE) {
		read_symbols(s);
		read_unwind_table(s);
		s->has_dwarf = dwfl_module_getdwarf(s->module, &s->dwarf_bias) != NULL;
	}
	return s;
}

enum symbols_state symbols_state(const struct symbols *symbols)
{
	return symbols->state;
}

void symbols_close(struct symbols *s)
{
	for (size_t i = 0; i < s->unit_count; i++)
		free(s->units[i].pieces);
	free(s->units);
	table_free(&s->unit_index);
	if (s->dwfl)
		dwfl_end(s->dwfl);
	free(s->named.ranges);
	free(s->unwind.ranges);
	free(s->basename);
	free(s);
}
