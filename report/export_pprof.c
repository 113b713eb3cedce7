/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export_pprof.c - the stacks as a pprof profile (github.com/google/pprof, profile.proto).
 *
 *   sample    location ids innermost first, four values, the heap as a label
 *   location  one address; a line for each function inlined there, innermost first
 *   mapping   an object with its build-id, where it was in the process
 *
 * Ids are 1 and up: of a location the number of its first frame, of a function the number of its name and file.
 */
#include "export.h"

#include "gzip.h"
#include "protobuf.h"
#include "trie.h"
#include "xalloc.h"

#include <inttypes.h>

/* Field numbers of profile.proto. */
enum { P_SAMPLE_TYPE = 1, P_SAMPLE, P_MAPPING, P_LOCATION, P_FUNCTION, P_STRING, P_TIME = 9, P_DURATION, P_PERIOD_TYPE, P_PERIOD, P_DEFAULT = 14 };
enum { S_LOCATIONS = 1, S_VALUES, S_LABEL };
enum { M_ID = 1, M_START, M_LIMIT, M_OFFSET, M_FILE, M_BUILD_ID, M_FUNCTIONS, M_FILENAMES, M_LINES, M_INLINES };
enum { L_ID = 1, L_MAPPING, L_ADDRESS, L_LINE };
enum { F_ID = 1, F_NAME, F_SYSTEM_NAME, F_FILE };

struct mapping {
	const char *path;
	uint64_t bias;
	uint32_t id;
};

struct profile {
	const struct model *model;
	struct protobuf bytes, part, packed;
	struct trie strings, functions; /* a string by its letters; a function by the strings of its name and file */
	uint32_t string_count, function_count;
	struct mapping *mappings;
	size_t mapping_count, mapping_room;
	bool *located; /* by frame: its location is written; the last is that of stacks without a frame */
};

static uint32_t string(struct profile *p, const char *text)
{
	uint32_t at = 0;

	for (const char *c = text; *c; c++)
		at = trie_child(&p->strings, at, (unsigned char)*c);
	at = trie_child(&p->strings, at, 256); /* the end */
	if (!p->strings.nodes[at].value) {
		p->strings.nodes[at].value = ++p->string_count;
		protobuf_bytes(&p->bytes, P_STRING, text, strlen(text));
	}
	return (uint32_t)p->strings.nodes[at].value - 1;
}

static void value_type(struct profile *p, unsigned field, const char *type, const char *unit)
{
	const uint32_t t = string(p, type), u = string(p, unit);

	protobuf_integer(&p->part, 1, t);
	protobuf_integer(&p->part, 2, u);
	protobuf_message(&p->bytes, field, &p->part);
}

/* ---- mappings ------------------------------------------------------------------------------ */

static void add_mapping(struct profile *p, const struct segment *segment, const struct hr_module *m)
{
	const char *path = segment_string(segment, m->path);
	char id[2 * sizeof(m->build_id) + 1] = "";

	if (!path)
		return;
	for (size_t i = 0; i < p->mapping_count; i++) {
		if (strcmp(p->mappings[i].path, path) == 0)
			return;
	}
	xgrow(p->mappings, p->mapping_count, p->mapping_room);
	p->mappings[p->mapping_count] = (struct mapping){path, m->bias, (uint32_t)p->mapping_count + 1};
	p->mapping_count++;
	for (size_t i = 0; i < m->build_id_length && i < sizeof(m->build_id); i++)
		snprintf(id + 2 * i, 3, "%02x", m->build_id[i]);
	const uint32_t file = string(p, path), build_id = string(p, id);
	protobuf_integer(&p->part, M_ID, p->mapping_count);
	protobuf_integer(&p->part, M_START, m->start);
	protobuf_integer(&p->part, M_LIMIT, m->end);
	protobuf_integer(&p->part, M_FILE, file);
	protobuf_integer(&p->part, M_BUILD_ID, build_id);
	for (unsigned field = M_FUNCTIONS; field <= M_INLINES; field++)
		protobuf_integer(&p->part, field, 1); /* names are ours: no reader needs to look for them */
	protobuf_message(&p->bytes, P_MAPPING, &p->part);
}

/* The program's own comes first: readers take that for the name of the whole. */
static void add_mappings(struct profile *p, const struct family *family, bool program)
{
	for (size_t i = 0; i < family->count; i++) {
		const struct segment *segment = family->members[i].segment;
		const char *exe = segment ? segment_string(segment, segment->header.exe) : NULL;
		for (size_t k = 1; segment && k < segment->module_count; k++) {
			const char *path = segment_string(segment, segment->modules[k].path);
			if (!program || (exe && path && strcmp(exe, path) == 0))
				add_mapping(p, segment, &segment->modules[k]);
		}
	}
}

static const struct mapping *mapping_of(const struct profile *p, const struct frame *frame)
{
	for (size_t i = 0; frame->kind == FRAME_NATIVE && i < p->mapping_count; i++) {
		if (strcmp(p->mappings[i].path, frame->module) == 0)
			return &p->mappings[i];
	}
	return NULL;
}

/* ---- functions and locations ---------------------------------------------------------------- */

static uint32_t function(struct profile *p, const struct frame *frame)
{
	char place[64], *lua = NULL;
	const char *name = frame->function;

	snprintf(place, sizeof(place), "0x%" PRIx64, frame->offset);
	if (frame->kind == FRAME_NOTE && name && name[0] == '<') { /* pprof takes <...> for a template's arguments, and drops it */
		snprintf(place, sizeof(place), "[%.*s]", (int)strlen(name) - 2, name + 1);
		name = place;
	}
	if (frame->kind == FRAME_LUA)
		name = lua = xasprintf("%s%s%s:%u", name ? name : "", name ? " " : "", frame->file ? frame->file : "?", frame->line);
	const uint32_t text = string(p, name ? name : place), file = string(p, frame->file ? frame->file : "");
	free(lua);
	const uint32_t at = trie_child(&p->functions, trie_child(&p->functions, 0, text), file);
	if (!p->functions.nodes[at].value) {
		p->functions.nodes[at].value = ++p->function_count;
		protobuf_integer(&p->part, F_ID, p->function_count);
		protobuf_integer(&p->part, F_NAME, text);
		protobuf_integer(&p->part, F_SYSTEM_NAME, text);
		protobuf_integer(&p->part, F_FILE, file);
		protobuf_message(&p->bytes, P_FUNCTION, &p->part);
	}
	return (uint32_t)p->functions.nodes[at].value;
}

/* Writes the location of `count` frames from `first` on: one address, the outer ones had the inner ones inlined. */
static void location(struct profile *p, uint32_t first, size_t count)
{
	const struct frame *frames = &p->model->frames[first];
	const struct mapping *mapping = mapping_of(p, frames);
	struct protobuf body = {0}, line = {0};

	if (p->located[first])
		return;
	p->located[first] = true;
	protobuf_integer(&body, L_ID, first + 1);
	protobuf_integer(&body, L_MAPPING, mapping ? mapping->id : 0);
	protobuf_integer(&body, L_ADDRESS, frames->kind != FRAME_NATIVE ? 0 : frames->offset - 1 + (mapping ? mapping->bias : 0));
	for (size_t i = 0; i < count; i++) {
		protobuf_integer(&line, 1, function(p, &frames[i]));
		protobuf_integer(&line, 2, frames[i].line);
		protobuf_message(&body, L_LINE, &line);
	}
	protobuf_message(&p->bytes, P_LOCATION, &body);
	protobuf_free(&body);
	protobuf_free(&line);
}

/* A sample without a location would be in no node of a reader's: its bytes would be missing from the sum. */
static void no_stack(struct profile *p)
{
	const struct frame nothing = {.kind = FRAME_NOTE, .function = "<no stack>"};
	struct protobuf body = {0}, line = {0};
	const size_t id = p->model->frame_count + 1;

	protobuf_number(&p->packed, id);
	if (p->located[id - 1])
		return;
	p->located[id - 1] = true;
	protobuf_integer(&body, L_ID, id);
	protobuf_integer(&line, 1, function(p, &nothing));
	protobuf_message(&body, L_LINE, &line);
	protobuf_message(&p->bytes, P_LOCATION, &body);
	protobuf_free(&body);
	protobuf_free(&line);
}

/* How many frames from `at` on are of one address: the frames of a place follow each other in the model. */
static size_t one_address(const struct model *model, const uint32_t *frames, size_t count)
{
	const struct frame *first = &model->frames[frames[0]];
	size_t length = 1;

	while (first->kind == FRAME_NATIVE && length < count && frames[length] == frames[0] + length &&
		model->frames[frames[length]].module_index == first->module_index && model->frames[frames[length]].offset == first->offset)
		length++;
	return length;
}

/* ---- samples ------------------------------------------------------------------------------- */

static void sample(struct profile *p, const struct row *row, uint32_t key)
{
	const struct figures *f = &row->figures;
	const uint32_t *frames;
	const size_t count = model_frames(p->model, row, &frames);
	struct protobuf body = {0}, label = {0};

	for (size_t i = 0, length; i < count; i += length) {
		length = one_address(p->model, frames + i, count - i);
		location(p, frames[i], length);
		protobuf_number(&p->packed, frames[i] + 1);
	}
	if (count == 0)
		no_stack(p);
	protobuf_message(&body, S_LOCATIONS, &p->packed);
	protobuf_number(&p->packed, f->allocated_count);
	protobuf_number(&p->packed, f->allocated_bytes);
	protobuf_number(&p->packed, f->live_count > 0 ? (uint64_t)f->live_count : 0);
	protobuf_number(&p->packed, f->live_bytes > 0 ? (uint64_t)f->live_bytes : 0);
	protobuf_message(&body, S_VALUES, &p->packed);
	const uint32_t domain = string(p, p->model->domains[row->domain]);
	protobuf_integer(&label, 1, key);
	protobuf_integer(&label, 2, domain);
	protobuf_message(&body, S_LABEL, &label);
	protobuf_message(&p->bytes, P_SAMPLE, &body);
	protobuf_free(&body);
	protobuf_free(&label);
}

void export_pprof(const struct family *family, const struct model *model, uint64_t taken_ns, uint64_t duration_ns, FILE *out)
{
	struct profile p = {.model = model};
	size_t packed_length;

	for (size_t i = 0; i < model->row_count; i++) { /* resolves: the frames are all there afterwards */
		const uint32_t *frames;
		model_frames(model, &model->rows[i], &frames);
	}
	p.located = xcalloc(model->frame_count + 1, sizeof(*p.located));
	trie_open(&p.strings);
	trie_open(&p.functions);
	string(&p, ""); /* number 0 */
	value_type(&p, P_SAMPLE_TYPE, "alloc_objects", "count");
	value_type(&p, P_SAMPLE_TYPE, "alloc_space", "bytes");
	value_type(&p, P_SAMPLE_TYPE, "inuse_objects", "count");
	value_type(&p, P_SAMPLE_TYPE, "inuse_space", "bytes");
	value_type(&p, P_PERIOD_TYPE, "space", "bytes");
	add_mappings(&p, family, true);
	add_mappings(&p, family, false);
	const uint32_t key = string(&p, "domain"), standard = string(&p, "inuse_space");
	for (size_t i = 0; i < model->row_count; i++)
		sample(&p, &model->rows[i], key);
	protobuf_integer(&p.bytes, P_TIME, taken_ns);
	protobuf_integer(&p.bytes, P_DURATION, duration_ns);
	protobuf_integer(&p.bytes, P_PERIOD, 1);
	protobuf_integer(&p.bytes, P_DEFAULT, standard);
	void *packed = gzip_pack(p.bytes.bytes, p.bytes.length, &packed_length);
	fwrite(packed, 1, packed_length, out);
	free(packed);
	protobuf_free(&p.bytes);
	protobuf_free(&p.part);
	protobuf_free(&p.packed);
	trie_close(&p.strings);
	trie_close(&p.functions);
	free(p.mappings);
	free(p.located);
}
