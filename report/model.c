/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.c - merges the segments of a family into one table of rows.
 *
 * Each segment's nodes are mapped, in their order, onto paths of the merged trie (a parent comes
 * before its children, so one pass is enough), its domains onto names. Every step is a hash look-up:
 * the work is linear in nodes and sites. No symbol is looked up here.
 */
#include "model_private.h"

#include "text.h"
#include "xalloc.h"

/* One member's part of a row. */
struct part {
	uint32_t row, member;
	uint32_t next; /* of the same row, 0: none */
	int64_t live_bytes, live_count, inherited_bytes, inherited_count;
};

struct builder {
	struct model *model;
	struct pair_index rows; /* {path, domain} */
	size_t row_capacity;
	struct part *parts; /* parts[0] is none */
	size_t part_count, part_capacity;
	uint32_t *last_part; /* by row */
	size_t last_capacity;
};

/* ---- interning ----------------------------------------------------------------------------- */

uint32_t model_name(struct model *model, const char *text)
{
	return text ? texts_number(&model->private->names, text) : 0;
}

const char *model_text(const struct model *model, uint32_t name)
{
	return name ? model->private->names.list[name] : NULL;
}

uint32_t model_place(struct model *model, struct place_key key)
{
	struct model_private *p = model->private;
	bool is_new;
	uint64_t *index = table_at(&p->places, &key, sizeof(key), &is_new);

	if (is_new) {
		*index = p->place_count;
		xgrow(p->place_list, p->place_count, p->place_capacity);
		p->place_list[p->place_count] = xcalloc(1, sizeof(struct place));
		p->place_list[p->place_count++]->key = key;
	}
	return *index;
}

/* Modules are few: a search from the front. */
static uint32_t merge_module(struct model *model, const struct process *process, const struct hr_module *from)
{
	struct model_private *p = model->private;
	const char *path = model_text(model, model_name(model, segment_string(process->segment, from->path)));

	if (!path)
		path = "[none]";
	for (size_t i = 1; i < p->module_count; i++) {
		const struct module *m = &p->modules[i];
		if (strcmp(m->path, path) == 0 && m->id_length == from->build_id_length && memcmp(m->build_id, from->build_id, m->id_length) == 0)
			return i;
	}
	xgrow(p->modules, p->module_count, p->module_capacity);
	struct module *m = &p->modules[p->module_count];
	*m = (struct module){.path = path, .id_length = from->build_id_length, .pid = process->alive ? process->pid : 0};
	memcpy(m->build_id, from->build_id, m->id_length);
	return p->module_count++;
}

static uint32_t merge_domain(struct model *model, const char *name)
{
	for (size_t i = 0; i < model->domain_count; i++) {
		if (strcmp(model->domains[i], name) == 0)
			return i;
	}
	model->domains = xreallocarray(model->domains, model->domain_count + 1, sizeof(*model->domains));
	model->domains[model->domain_count] = xstrdup(name);
	return model->domain_count++;
}

/* ---- one member ---------------------------------------------------------------------------- */

static struct place_key place_of(struct model *model, const struct segment *s, const struct hr_node *node, const uint32_t *modules)
{
	if (node->kind == HR_NODE_LUA) {
		const uint32_t chunk = model_name(model, segment_string_at(s, node->value >> 32));
		const uint32_t function = model_name(model, segment_string_at(s, node->extra));
		return (struct place_key){.kind = FRAME_LUA, .module = chunk, .function = function, .offset = (uint32_t)node->value, .flags = node->flags};
	}
	const uint64_t bias = node->module ? s->modules[node->module].bias : 0;
	return (struct place_key){.kind = FRAME_NATIVE, .module = node->module ? modules[node->module] : 0, .offset = node->value - bias};
}

/* Node i's path, for all nodes: the caller's to free. */
static uint32_t *map_nodes(struct model *model, const struct process *process)
{
	const struct segment *s = process->segment;
	uint32_t *paths = xcalloc(s->node_count, sizeof(*paths)), *modules = xcalloc(s->module_count, sizeof(*modules));
	struct pair_index *index = &model->private->paths;

	for (size_t i = 1; i < s->module_count; i++)
		modules[i] = merge_module(model, process, &s->modules[i]);
	for (size_t i = 0; i < s->node_count; i++) {
		const struct hr_node *node = &s->nodes[i];
		if (node->kind != HR_NODE_ROOT)
			paths[i] = pair_number(index, paths[node->parent], model_place(model, place_of(model, s, node, modules)));
		else if (node->value != HR_ROOT_STACK)
			paths[i] = pair_number(index, 0, model_place(model, (struct place_key){.kind = FRAME_NOTE, .offset = node->value}));
	}
	free(modules);
	return paths;
}

static struct row *find_row(struct builder *b, uint32_t path, uint32_t domain)
{
	struct model *model = b->model;
	const uint32_t number = pair_number(&b->rows, path, domain);
	const size_t capacity = b->row_capacity;

	if (number < model->row_count)
		return &model->rows[number];
	xgrow(model->rows, model->row_count, b->row_capacity);
	if (capacity != b->row_capacity)
		b->last_part = xreallocarray(b->last_part, b->row_capacity, sizeof(*b->last_part));
	b->last_part[number] = 0;
	model->rows[number] = (struct row){.path = path, .domain = domain};
	model->row_count++;
	return &model->rows[number];
}

/* Members come one after the other, so the last part of a row is this member's if it has one. */
static struct part *find_part(struct builder *b, uint32_t row, uint32_t member)
{
	const uint32_t last = b->last_part[row];

	if (last && b->parts[last].member == member)
		return &b->parts[last];
	xgrow(b->parts, b->part_count, b->part_capacity);
	b->parts[b->part_count] = (struct part){.row = row, .member = member, .next = last};
	b->last_part[row] = b->part_count;
	return &b->parts[b->part_count++];
}

static int64_t live_of(const struct hr_site *s)
{
	return (int64_t)(s->allocated_bytes - s->freed_bytes);
}

static bool is_empty(const struct hr_site *s)
{
	return s->allocated_bytes == 0 && s->allocated_count == 0 && s->freed_bytes == 0 && s->freed_count == 0; /* a stripe may only free */
}

static void add_site(struct builder *b, const struct hr_site *s, struct row *row, uint32_t member, bool root, uint64_t peak)
{
	struct part *part = find_part(b, row - b->model->rows, member);
	struct figures *f = &row->figures;

	part->live_bytes += live_of(s);
	part->live_count += (int64_t)(s->allocated_count - s->freed_count);
	part->inherited_bytes += (int64_t)(s->inherited_bytes - s->inherited_freed_bytes);
	part->inherited_count += (int64_t)(s->inherited_count - s->inherited_freed_count);
	/* What was inherited was allocated by the parent: it counts there, when the parent is among us. */
	f->allocated_bytes += s->allocated_bytes - (root ? 0 : s->inherited_bytes);
	f->allocated_count += s->allocated_count - (root ? 0 : s->inherited_count);
	f->inherited_bytes += root ? (int64_t)s->inherited_bytes : 0;
	f->temporary_count += s->temporary_count;
	f->peak_bytes += peak;
	f->live_variance += s->variance_live;
	row->estimated |= s->flags & HR_SITE_ESTIMATED;
}

static void add_member(struct builder *b, const struct process *process, uint32_t member)
{
	const struct segment *s = process->segment;
	const uint64_t *hot = s->header.hot;
	uint32_t *paths = map_nodes(b->model, process), *domains = xcalloc(s->domain_count, sizeof(*domains));
	int64_t live = 0;

	for (size_t i = 0; i < s->domain_count; i++)
		domains[i] = merge_domain(b->model, segment_domain_name(s, i));
	for (size_t i = 0; i < s->site_count; i++)
		live += is_empty(&s->sites[i]) ? 0 : live_of(&s->sites[i]);
	/* The peak is recorded when the total falls from it: while it still rises, the peak is now. */
	const bool peak_is_now = live >= 0 && (uint64_t)live >= hot[HR_HOT_PEAK_LIVE];
	for (size_t i = 0; i < s->site_count; i++) {
		const struct hr_site *site = &s->sites[i];
		if (is_empty(site))
			continue;
		const int64_t now = live_of(site); /* below zero in a stripe that frees what others allocate, and in a remainder */
		const uint64_t peak = !peak_is_now && site->peak_epoch == hot[HR_HOT_PEAK_EPOCH] ? site->live_at_peak : (uint64_t)now;
		add_site(b, site, find_row(b, paths[site->node], domains[site->domain]), member, process->parent == SIZE_MAX, peak);
	}
	free(paths);
	free(domains);
}

void model_sites(struct model *model, const struct process *process, uint32_t **paths, uint32_t **domains)
{
	const struct segment *s = process->segment;
	uint32_t *by_node = map_nodes(model, process);

	*paths = xcalloc(s->site_count, sizeof(**paths));
	*domains = xcalloc(s->site_count, sizeof(**domains));
	for (size_t i = 0; i < s->site_count; i++) {
		if (is_empty(&s->sites[i]))
			continue;
		(*paths)[i] = by_node[s->sites[i].node];
		(*domains)[i] = merge_domain(model, segment_domain_name(s, s->sites[i].domain));
	}
	free(by_node);
}

/* ---- the family ---------------------------------------------------------------------------- */

int64_t family_live(struct share *shares, const size_t *parents, size_t count, int64_t *inherited)
{
	int64_t live = 0;

	for (size_t i = count; i-- > 0;) {
		live += shares[i].own;
		if (parents[i] == SIZE_MAX) {
			*inherited += shares[i].inherited;
			live += shares[i].inherited;
			continue;
		}
		/* What the child still has and the parent may have had from its own parent: children come
		 * after parents, so shares[parent] is read only after this. */
		struct share *parent = &shares[parents[i]];
		const int64_t more = shares[i].inherited - (parent->own > 0 ? parent->own : 0);
		if (more > parent->inherited)
			parent->inherited = more;
	}
	return live;
}

static struct share share_of(int64_t live, int64_t inherited)
{
	const int64_t within = inherited < live ? inherited : live;
	const int64_t kept = within > 0 ? within : 0;

	return (struct share){.own = live - kept, .inherited = kept};
}

static void settle(struct builder *b, const struct family *family)
{
	struct model *model = b->model;
	struct share *bytes = xcalloc(family->count, sizeof(*bytes)), *counts = xcalloc(family->count, sizeof(*counts));
	size_t *parents = xcalloc(family->count, sizeof(*parents));
	int64_t ignored = 0;

	for (size_t i = 0; i < family->count; i++)
		parents[i] = family->members[i].parent;
	for (size_t r = 0; r < model->row_count; r++) {
		struct figures *f = &model->rows[r].figures;
		memset(bytes, 0, family->count * sizeof(*bytes));
		memset(counts, 0, family->count * sizeof(*counts));
		for (uint32_t i = b->last_part[r]; i; i = b->parts[i].next) {
			const struct part *part = &b->parts[i];
			bytes[part->member] = share_of(part->live_bytes, part->inherited_bytes);
			counts[part->member] = share_of(part->live_count, part->inherited_count);
		}
		f->live_bytes = family_live(bytes, parents, family->count, &ignored);
		f->live_count = family_live(counts, parents, family->count, &ignored);
	}
	free(bytes);
	free(counts);
	free(parents);
}

static void sum(struct model *model)
{
	struct figures *t = &model->total;

	*t = (struct figures){0};
	for (size_t i = 0; i < model->row_count; i++) {
		const struct figures *f = &model->rows[i].figures;
		t->live_bytes += f->live_bytes;
		t->live_count += f->live_count;
		t->inherited_bytes += f->inherited_bytes;
		t->peak_bytes += f->peak_bytes;
		t->allocated_bytes += f->allocated_bytes;
		t->allocated_count += f->allocated_count;
		t->temporary_count += f->temporary_count;
	}
}

static void note_what_is_approximate(const struct family *family, const struct model *model, struct quality *quality)
{
	size_t members = 0;

	for (size_t i = 0; i < family->count; i++)
		members += family->members[i].segment != NULL;
	if (members > 1)
		quality_approximate(quality, "peaks of %zu processes are added up, they were not at one time", members);
	for (size_t i = 0; i < model->row_count; i++) {
		if (model->rows[i].figures.live_bytes < 0)
			quality_approximate(quality, "a remainder of %s of %s is below zero by the sampling error and shown as 0",
				text_signed_bytes(model->rows[i].figures.live_bytes), model->domains[model->rows[i].domain]);
	}
}

static struct model *model_new(struct quality *quality)
{
	struct model *model = xcalloc(1, sizeof(*model));
	struct model_private *p = model->private = xcalloc(1, sizeof(*p));

	p->quality = quality;
	p->place_list = xcalloc(p->place_capacity = 64, sizeof(*p->place_list));
	p->modules = xcalloc(p->module_capacity = 16, sizeof(*p->modules));
	p->modules[0].path = "[none]";
	p->place_count = p->module_count = 1;
	texts_number(&p->names, "");
	pair_number(&p->paths, 0, 0);
	return model;
}

static void free_rows(struct model *model)
{
	for (size_t i = 0; i < model->row_count; i++)
		free(model->rows[i].frames);
	free(model->rows);
	model->rows = NULL;
	model->row_count = 0;
}

void model_refresh(struct model *model, const struct family *family)
{
	struct builder b = {.model = model};

	free_rows(model);
	model->private->stored = family->snapshot;
	b.parts = xcalloc(b.part_capacity = 64, sizeof(*b.parts));
	b.part_count = 1;
	for (size_t i = 0; i < family->count; i++) {
		if (family->members[i].segment)
			add_member(&b, &family->members[i], i);
	}
	settle(&b, family);
	model_settle_remainders(model);
	sum(model);
	pair_index_free(&b.rows);
	free(b.parts);
	free(b.last_part);
}

struct model *model_build(const struct family *family, struct quality *quality)
{
	struct model *model = model_new(quality);

	model_refresh(model, family);
	note_what_is_approximate(family, model, quality);
	return model;
}

size_t model_keep_domain(struct model *model, const char *name)
{
	const size_t length = strlen(name);
	size_t kept = 0;

	for (size_t i = 0; i < model->row_count; i++) {
		const char *domain = model->domains[model->rows[i].domain];
		if (strncmp(domain, name, length) == 0 && (domain[length] == '\0' || domain[length] == ':'))
			model->rows[kept++] = model->rows[i];
	}
	model->row_count = kept;
	sum(model);
	return kept;
}

void model_free(struct model *model)
{
	free_rows(model);
	for (size_t i = 0; i < model->domain_count; i++)
		free(model->domains[i]);
	free(model->domains);
	model_free_frames(model);
	free(model);
}
