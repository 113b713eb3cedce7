/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model_frames.c - places become frames: symbols are looked up when a place is first shown, once each.
 */
#include "model_private.h"

#include "owners.h"
#include "snapshot.h"
#include "snapshot_symbols.h"
#include "symbols.h"
#include "xalloc.h"

/* A function in a module: frames of one identity are one function. */
struct identity {
	uint64_t offset; /* of one whose name is not known: its own place */
	uint32_t module, function;
};

static const char *const notes[HR_ROOT_COUNT] = {
	[HR_ROOT_JIT] = "<jit>",
	[HR_ROOT_NO_INFO] = "<no unwind info>",
	[HR_ROOT_TRUNCATED] = "<truncated>",
	[HR_ROOT_NOT_SAMPLED] = "<not sampled>",
	[HR_ROOT_FULL] = "<tables full>",
};

/* ---- symbols of a module ------------------------------------------------------------------- */

static struct symbols *symbols_of(struct model *model, uint32_t index)
{
	struct module *m = &model->private->modules[index];
	const char *ways[4] = {m->path}, **way = ways;
	char *root = NULL, *exe = NULL;

	if (m->symbols)
		return m->symbols;
	if (m->pid) {
		/* In its own mount namespace; and its executable, even when that was removed. */
		*way++ = root = xasprintf("/proc/%d/root%s", (int)m->pid, m->path);
		*way++ = m->path;
		if (m->id_length)
			*way++ = exe = xasprintf("/proc/%d/exe", (int)m->pid);
	}
	m->symbols = symbols_open(ways, m->build_id, m->id_length);
	if (m->path[0] == '/' && symbols_state(m->symbols) == SYMBOLS_REPLACED)
		quality_approximate(model->private->quality, "%s: the file is not the one that was loaded: addresses without names", m->path);
	else if (m->path[0] == '/' && symbols_state(m->symbols) == SYMBOLS_MISSING)
		quality_approximate(model->private->quality, "%s: the file cannot be read: addresses without names", m->path);
	free(root);
	free(exe);
	return m->symbols;
}

/* ---- frames -------------------------------------------------------------------------------- */

static uint32_t identity_of(struct model_private *p, struct identity identity)
{
	bool is_new;
	uint64_t *number = table_at(&p->identities, &identity, sizeof(identity), &is_new);

	if (is_new)
		*number = p->identity_count++;
	return *number;
}

static void add_frame(struct model *model, struct frame frame)
{
	struct model_private *p = model->private;
	struct identity key = {.module = frame.module_index, .function = model_name(model, frame.function)};

	if (!frame.function)
		key.offset = frame.kind == FRAME_LUA ? (uint64_t)model_name(model, frame.file) << 32 | frame.line : frame.offset;
	else if (frame.kind == FRAME_LUA)
		key.offset = model_name(model, frame.file);
	frame.identity = identity_of(p, key);
	xgrow(model->frames, model->frame_count, p->frame_capacity);
	model->frames[model->frame_count++] = frame;
}

/* What a snapshot kept, or what the files say. */
static size_t look_up(struct model *model, const struct place_key *key, const struct symbol **found)
{
	const struct module *m = &model->private->modules[key->module];

	if (model->private->stored)
		return snapshot_symbols_lookup(snapshot_symbols_of(model->private->stored), m->path, m->build_id, m->id_length, key->offset, found);
	/* It is where the call returns to: the call itself ends one byte before. */
	return symbols_lookup(symbols_of(model, key->module), key->offset - 1, found);
}

static void resolve_native(struct model *model, const struct place_key *key)
{
	const struct symbol *found;
	const char *path = model->private->modules[key->module].path;
	struct frame frame = {.kind = FRAME_NATIVE, .module = path, .offset = key->offset, .module_index = key->module};

	if (key->module == 0) {
		add_frame(model, frame);
		return;
	}
	const size_t count = look_up(model, key, &found);
	if (count == 0)
		add_frame(model, frame);
	for (size_t i = 0; i < count; i++) {
		frame.function = found[i].function;
		frame.file = found[i].file;
		frame.line = found[i].line;
		add_frame(model, frame);
	}
}

/* Lua marks what a chunk's name is: '@' a file, '=' a name as it stands. */
static const char *chunk_name(const char *chunk)
{
	return chunk && (*chunk == '@' || *chunk == '=') ? chunk + 1 : chunk;
}

#define LUA_MODULE (UINT32_MAX - 1)
#define NOTE_MODULE UINT32_MAX

const struct place *model_resolve(const struct model *const_model, uint32_t index)
{
	struct model *model = (struct model *)const_model; /* resolving is a cache, no change anyone sees */
	struct place *place = model->private->place_list[index];
	const struct place_key *key = &place->key;

	if (place->frame_count)
		return place;
	place->first_frame = model->frame_count;
	if (key->kind == FRAME_LUA)
		add_frame(model, (struct frame){
			.kind = FRAME_LUA,
			.function = model_text(model, key->function),
			.module = "lua",
			.file = chunk_name(model_text(model, key->module)),
			.line = key->offset,
			.module_index = LUA_MODULE,
			.on_trace = key->flags & HR_NODE_ON_TRACE,
		});
	else if (key->kind == FRAME_NOTE)
		add_frame(model, (struct frame){
			.kind = FRAME_NOTE,
			.function = key->offset < HR_ROOT_COUNT ? notes[key->offset] : NULL,
			.module = "[none]",
			.module_index = NOTE_MODULE,
		});
	else
		resolve_native(model, key);
	place->frame_count = model->frame_count - place->first_frame;
	return place;
}

size_t model_frames(const struct model *model, const struct row *row, const uint32_t **frames)
{
	struct model_private *p = model->private;
	size_t count = 0;

	if (row->frames || row->path == UINT32_MAX) {
		*frames = row->frames;
		return row->frame_count;
	}
	for (uint32_t at = row->path; at; at = p->paths.pairs[at].first) {
		const struct place *place = model_resolve(model, p->paths.pairs[at].second);
		for (uint32_t i = 0; i < place->frame_count; i++) {
			xgrow(p->buffer, count, p->buffer_capacity);
			p->buffer[count++] = place->first_frame + i;
		}
	}
	*frames = p->buffer;
	return count;
}

/* ---- wrappers ------------------------------------------------------------------------------ */

static bool is_wrapper_name(const char *function, void *context)
{
	(void)context;
	return owners_is_wrapper(function);
}

static void add_callee(const char *function, void *context)
{
	texts_number(context, function);
}

/* A function without a symbol that a wrapper calls or jumps to is a wrapper: nginx's ngx_palloc ends
 * in a jump to a static function, which on a stripped nginx has no name. */
static bool is_unnamed_wrapper(struct model *model, const struct frame *frame)
{
	struct module *m = &model->private->modules[frame->module_index];

	if (!strstr(frame->function, "!fn@"))
		return false;
	if (model->private->stored)
		return snapshot_symbols_is_callee(snapshot_symbols_of(model->private->stored), m->path, frame->function);
	if (!m->symbols)
		return false;
	if (!m->callees_known)
		symbols_unnamed_callees(m->symbols, is_wrapper_name, add_callee, &m->callees);
	m->callees_known = true;
	return texts_have(&m->callees, frame->function);
}

bool model_is_wrapper(const struct model *const_model, uint32_t index)
{
	struct model *model = (struct model *)const_model;
	struct model_private *p = model->private;
	const struct frame *frame = &model->frames[index];

	if (frame->kind != FRAME_NATIVE || !frame->function)
		return false;
	if (p->wrapper_capacity < p->identity_count) {
		const size_t capacity = p->identity_count * 2;
		p->wrapper = xreallocarray(p->wrapper, capacity, 1);
		memset(p->wrapper + p->wrapper_capacity, 0, capacity - p->wrapper_capacity);
		p->wrapper_capacity = capacity;
	}
	uint8_t *known = &p->wrapper[frame->identity];
	if (*known == 0)
		*known = owners_is_wrapper(frame->function) || is_unnamed_wrapper(model, frame) ? 2 : 1;
	return *known == 2;
}

/* ---- the end ------------------------------------------------------------------------------- */

void model_free_frames(struct model *model)
{
	struct model_private *p = model->private;

	table_free(&p->identities);
	for (size_t i = 1; i < p->module_count; i++) {
		texts_free(&p->modules[i].callees);
		if (p->modules[i].symbols)
			symbols_close(p->modules[i].symbols);
	}
	table_free(&p->places);
	pair_index_free(&p->paths);
	for (size_t i = 1; i < p->place_count; i++)
		free(p->place_list[i]);
	texts_free(&p->names);
	free(p->place_list);
	free(p->modules);
	free(p->wrapper);
	free(p->buffer);
	free(model->frames);
	free(p);
}
