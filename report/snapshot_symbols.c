/* SPDX-License-Identifier: BSD-2-Clause */
/* snapshot_symbols.c - writes and reads the symbols part of a snapshot; look-ups are binary searches. */
#include "snapshot_symbols.h"

#include "model_private.h"
#include "xalloc.h"

#include <ctype.h>
#include <inttypes.h>

struct address {
	uint64_t offset;
	size_t first, count; /* of symbols */
};

struct stored_module {
	const char *path, *build_id; /* hexadecimal, or "-" */
	struct address *addresses;   /* ascending */
	size_t address_count, address_capacity;
	struct symbol *symbols;
	size_t symbol_count, symbol_capacity;
	const char **callees;
	size_t callee_count, callee_capacity;
};

struct snapshot_symbols {
	struct stored_module *modules;
	size_t count, capacity;
	char **texts; /* what all strings point into */
	size_t text_count, text_capacity;
};

/* ---- writing ------------------------------------------------------------------------------- */

static void hex(const uint8_t *bytes, size_t length, char text[65])
{
	strcpy(text, "-");
	for (size_t i = 0; i < length && i < 32; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

/* A field: no tabs, no line ends, never empty. */
static void put(const char *text, FILE *out)
{
	if (!text || !*text)
		text = "-";
	for (; *text; text++)
		putc(iscntrl((unsigned char)*text) ? '?' : *text, out);
}

static void write_place(const struct model *model, const struct place *place, FILE *out)
{
	fprintf(out, "A\t%" PRIx64 "\n", place->key.offset);
	for (uint32_t i = 0; i < place->frame_count; i++) {
		const struct frame *frame = &model->frames[place->first_frame + i];
		fprintf(out, "F\t%u\t", frame->line);
		put(frame->file, out);
		putc('\t', out);
		put(frame->function, out);
		putc('\n', out);
	}
}

static void write_module(struct model *model, uint32_t index, FILE *out)
{
	const struct model_private *p = model->private;
	const struct module *m = &p->modules[index];
	char id[65];

	hex(m->build_id, m->id_length, id);
	fprintf(out, "M\t%s\t", id);
	put(m->path, out);
	putc('\n', out);
	for (size_t i = 1; i < p->place_count; i++) {
		const struct place *place = p->place_list[i];
		if (place->key.kind != FRAME_NATIVE || place->key.module != index)
			continue;
		model_resolve(model, i);
		for (uint32_t f = 0; f < place->frame_count; f++)
			model_is_wrapper(model, place->first_frame + f); /* finds the callees */
		write_place(model, place, out);
	}
	for (size_t i = 0; i < m->callees.count; i++) {
		fputs("C\t", out);
		put(m->callees.list[i], out);
		putc('\n', out);
	}
}

void snapshot_symbols_write(struct model *model, FILE *out)
{
	for (size_t i = 1; i < model->private->module_count; i++)
		write_module(model, i, out);
}

/* ---- reading ------------------------------------------------------------------------------- */

static const char *known(const char *field)
{
	return strcmp(field, "-") == 0 ? NULL : field;
}

/* Cuts the line at its tabs into at most `most` fields; the last keeps what is left. */
static size_t cut(char *line, char **fields, size_t most)
{
	size_t count = 0;

	while (count < most && line) {
		fields[count++] = line;
		line = count < most ? strchr(line, '\t') : NULL;
		if (line)
			*line++ = '\0';
	}
	return count;
}

static void add_module(struct snapshot_symbols *s, const char *build_id, const char *path)
{
	xgrow(s->modules, s->count, s->capacity);
	s->modules[s->count++] = (struct stored_module){.path = path, .build_id = build_id};
}

static void read_line(struct snapshot_symbols *s, char *line)
{
	struct stored_module *m = s->count ? &s->modules[s->count - 1] : NULL;
	char *field[4];

	if (line[0] == 'M' && cut(line, field, 3) == 3) {
		add_module(s, field[1], field[2]);
	} else if (m && line[0] == 'C' && cut(line, field, 2) == 2) {
		xgrow(m->callees, m->callee_count, m->callee_capacity);
		m->callees[m->callee_count++] = field[1];
	} else if (m && line[0] == 'A' && cut(line, field, 2) == 2) {
		xgrow(m->addresses, m->address_count, m->address_capacity);
		m->addresses[m->address_count++] = (struct address){strtoull(field[1], NULL, 16), m->symbol_count, 0};
	} else if (m && m->address_count && line[0] == 'F' && cut(line, field, 4) == 4) {
		xgrow(m->symbols, m->symbol_count, m->symbol_capacity);
		m->symbols[m->symbol_count++] = (struct symbol){known(field[3]), known(field[2]), (unsigned)strtoul(field[1], NULL, 10)};
		m->addresses[m->address_count - 1].count++;
	}
}

static int by_offset(const void *a, const void *b)
{
	const uint64_t x = ((const struct address *)a)->offset, y = ((const struct address *)b)->offset;

	return (x > y) - (x < y);
}

struct snapshot_symbols *snapshot_symbols_parse(char *text)
{
	struct snapshot_symbols *s = xcalloc(1, sizeof(*s));

	xgrow(s->texts, s->text_count, s->text_capacity);
	s->texts[s->text_count++] = text;
	for (char *line = text, *end; line && *line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		read_line(s, line);
	}
	for (size_t i = 0; i < s->count; i++) {
		if (s->modules[i].address_count > 0)
			qsort(s->modules[i].addresses, s->modules[i].address_count, sizeof(struct address), by_offset);
	}
	return s;
}

static void free_module(struct stored_module *m)
{
	free(m->addresses);
	free(m->symbols);
	free(m->callees);
}

/* The modules of both: a look-up asks all of one path. Those that say nothing new are not kept. */
void snapshot_symbols_merge(struct snapshot_symbols *into, struct snapshot_symbols *from)
{
	for (size_t i = 0; i < from->count; i++) {
		xgrow(into->modules, into->count, into->capacity);
		into->modules[into->count++] = from->modules[i];
	}
	for (size_t i = 0; i < from->text_count; i++) {
		xgrow(into->texts, into->text_count, into->text_capacity);
		into->texts[into->text_count++] = from->texts[i];
	}
	free(from->modules);
	free(from->texts);
	free(from);
}

void snapshot_symbols_free(struct snapshot_symbols *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++)
		free_module(&s->modules[i]);
	for (size_t i = 0; i < s->text_count; i++)
		free(s->texts[i]);
	free(s->modules);
	free(s->texts);
	free(s);
}

size_t snapshot_symbols_lookup(const struct snapshot_symbols *s, const char *path, const uint8_t *build_id, size_t id_length,
	uint64_t offset, const struct symbol **found)
{
	const struct address key = {.offset = offset};
	char id[65];

	hex(build_id, id_length, id);
	for (size_t i = 0; s && i < s->count; i++) {
		const struct stored_module *m = &s->modules[i];
		if (strcmp(m->path, path) != 0 || strcmp(m->build_id, id) != 0 || m->address_count == 0)
			continue;
		const struct address *at = bsearch(&key, m->addresses, m->address_count, sizeof(key), by_offset);
		if (!at || at->count == 0)
			continue;
		*found = m->symbols + at->first;
		return at->count;
	}
	return 0;
}

bool snapshot_symbols_is_callee(const struct snapshot_symbols *s, const char *path, const char *function)
{
	for (size_t i = 0; s && i < s->count; i++) {
		const struct stored_module *m = &s->modules[i];
		for (size_t c = 0; c < m->callee_count && strcmp(m->path, path) == 0; c++) {
			if (strcmp(m->callees[c], function) == 0)
				return true;
		}
	}
	return false;
}
