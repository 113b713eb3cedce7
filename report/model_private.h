/* SPDX-License-Identifier: BSD-2-Clause */
/* model_private.h - what model.c, model_frames.c and model_group.c share: places, paths and names. */
#ifndef HEAPRAY_MODEL_PRIVATE_H
#define HEAPRAY_MODEL_PRIVATE_H

#include "model.h"
#include "pair_index.h"
#include "table.h"

struct place_key {
	uint64_t offset; /* native: link-time address; Lua: line; note: enum hr_root */
	uint32_t kind;   /* enum frame_kind */
	uint32_t module; /* native: index of modules; Lua: name of the chunk */
	uint32_t function, flags; /* Lua: name of the function, those of the node */
};

struct place {
	struct place_key key;
	uint32_t first_frame, frame_count; /* frame_count 0: not resolved yet */
};

struct module {
	const char *path;
	uint8_t build_id[32];
	size_t id_length;
	pid_t pid;               /* a live process that has it loaded, 0: none */
	struct symbols *symbols; /* NULL: not opened yet */
	bool callees_known;
	struct texts callees;    /* unnamed functions that wrappers call */
};

/* All arrays are by index; index 0 of places, paths and names is "none". */
struct model_private {
	struct quality *quality;
	const struct snapshot *stored; /* symbols come from there; NULL: from the files */
	struct texts names;
	struct place **place_list;
	struct table *places, *identities;
	struct pair_index paths; /* {parent, place} */
	struct module *modules;
	size_t place_count, place_capacity, module_count, module_capacity,
		frame_capacity, identity_count;
	uint8_t *wrapper; /* by identity: 0 not known, 1 no, 2 yes */
	size_t wrapper_capacity;
	uint32_t *buffer; /* of model_frames */
	size_t buffer_capacity;
};

uint32_t model_name(struct model *model, const char *text); /* interned; 0 for NULL */
uint32_t model_place(struct model *model, struct place_key key);
const char *model_text(const struct model *model, uint32_t name);
/* The frames of a place, resolved now if need be. */
const struct place *model_resolve(const struct model *model, uint32_t place);
void model_free_frames(struct model *model);
/* Remainders of sampling that are below zero are taken off their domain's estimates. */
void model_settle_remainders(struct model *model);

#endif
