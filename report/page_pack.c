/* SPDX-License-Identifier: BSD-2-Clause */
/* page_pack.c - frames, the trie and the rows as numbers in 64 characters. */
#include "page_pack.h"

#include "trie.h"
#include "text.h"
#include "xalloc.h"

#include <inttypes.h>

#define MOST_NAME 240 /* bytes of a name: C++ has longer ones, nobody reads them */

static void put(FILE *out, uint64_t value)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	do {
		const uint64_t low = value & 31;
		value >>= 5;
		putc_unlocked(digits[low | (value ? 32 : 0)], out);
	} while (value);
}

static void put_signed(FILE *out, int64_t value)
{
	put(out, value < 0 ? (-(uint64_t)value << 1) - 1 : (uint64_t)value << 1);
}

static uint64_t not_below_zero(int64_t value)
{
	return value > 0 ? (uint64_t)value : 0;
}

/* ---- strings ------------------------------------------------------------------------------- */

/* Each is written when it is first seen; open addressing by its hash. */
struct strings {
	char **list;
	uint32_t *table; /* number + 1; 0 = empty */
	size_t count, capacity, slots;
	FILE *out;
};

/* For a JSON string inside <script>: nothing that could end either. Bytes that are no UTF-8 the browser replaces. */
static void put_quoted(FILE *out, const char *text, size_t most)
{
	const size_t length = strlen(text);
	size_t end = at_most(length, most);

	while (end < length && end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
		end--;
	putc('"', out);
	for (size_t i = 0; i < end; i++) {
		const unsigned char c = (unsigned char)text[i];
		if (c < 0x20 || c == 0x7f || strchr("\"\\<>&", c))
			fprintf(out, "\\u%04x", c);
		else
			putc_unlocked(c, out);
	}
	fputs(end < length ? "...\"" : "\"", out);
}

static size_t hash(const char *text)
{
	uint64_t mixed = 0xcbf29ce484222325ull; /* FNV-1a */

	while (*text)
		mixed = (mixed ^ (unsigned char)*text++) * 0x100000001b3ull;
	return (size_t)(mixed ^ mixed >> 32);
}

static size_t slot_of(const struct strings *strings, const char *text)
{
	size_t at = hash(text) & (strings->slots - 1);

	while (strings->table[at] && strcmp(strings->list[strings->table[at] - 1], text) != 0)
		at = (at + 1) & (strings->slots - 1);
	return at;
}

static void make_room(struct strings *strings)
{
	strings->slots = strings->slots ? strings->slots * 2 : 1024;
	free(strings->table);
	strings->table = xcalloc(strings->slots, sizeof(*strings->table));
	for (size_t i = 0; i < strings->count; i++)
		strings->table[slot_of(strings, strings->list[i])] = (uint32_t)i + 1;
}

static uint32_t string(struct strings *strings, const char *text)
{
	if (strings->count * 2 >= strings->slots)
		make_room(strings);
	const size_t at = slot_of(strings, text);
	if (!strings->table[at]) {
		if (strings->count)
			fputs(",\n", strings->out);
		put_quoted(strings->out, text, MOST_NAME);
		xgrow(strings->list, strings->count, strings->capacity);
		strings->list[strings->count++] = xstrdup(text);
		strings->table[at] = (uint32_t)strings->count;
	}
	return strings->table[at] - 1;
}

static void strings_close(struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->list[i]);
	free(strings->list);
	free(strings->table);
}

/* ---- rows ---------------------------------------------------------------------------------- */

struct scored {
	double score;
	uint32_t row;
};

static int by_score(const void *a, const void *b)
{
	const struct scored *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->row < y->row ? -1 : 1;
}

/* The larger of its shares of the totals. */
static double score(const struct model *model, const struct row *row, int64_t grown)
{
	double best = grown ? 1 : 0;

	for (int by = BY_LIVE; by <= BY_TEMPORARY; by++) {
		const uint64_t total = model_measure(&model->total, by);
		const double share = total ? (double)model_measure(&row->figures, by) / (double)total : 0;
		if (share > best)
			best = share;
	}
	return best;
}

/* kept[i]: row i has a row of its own in the page. */
static bool *choose(const struct page *page)
{
	const struct model *model = page->model;
	bool *kept = xcalloc(model->row_count, sizeof(*kept));

	if (model->row_count <= PACK_MOST_ROWS) {
		memset(kept, true, model->row_count);
		return kept;
	}
	struct scored *scored = xcalloc(model->row_count, sizeof(*scored));
	for (size_t i = 0; i < model->row_count; i++)
		scored[i] = (struct scored){score(model, &model->rows[i], page->grown ? page->grown[i] : 0), (uint32_t)i};
	qsort(scored, model->row_count, sizeof(*scored), by_score);
	for (size_t i = 0; i < PACK_MOST_ROWS; i++)
		kept[scored[i].row] = true;
	free(scored);
	return kept;
}

enum kind { EXACT, ESTIMATED, SMALLER };

static void put_figures(FILE *out, const struct figures *f, enum kind kind, int64_t grown)
{
	put(out, not_below_zero(f->live_bytes));
	put(out, not_below_zero(f->live_count));
	put(out, f->peak_bytes);
	put(out, f->allocated_bytes);
	put(out, f->allocated_count);
	put(out, f->temporary_count);
	put(out, kind);
	put_signed(out, grown);
}

static void add(struct figures *sum, const struct figures *f)
{
	sum->live_bytes += (int64_t)not_below_zero(f->live_bytes); /* as the rows would show it */
	sum->live_count += (int64_t)not_below_zero(f->live_count);
	sum->peak_bytes += f->peak_bytes;
	sum->allocated_bytes += f->allocated_bytes;
	sum->allocated_count += f->allocated_count;
	sum->temporary_count += f->temporary_count;
}

struct packer {
	const struct page *page;
	FILE *out;
	struct trie trie;
	bool *kept;
	uint32_t *nodes; /* by row */
	unsigned depth;  /* of the node before */
};

static void put_node(void *context, struct trie_node *node, unsigned depth)
{
	struct packer *packer = context;

	if (depth == 0)
		return;
	put(packer->out, packer->depth + 1 - depth);
	put(packer->out, node->key);
	packer->depth = depth;
}

static void put_rows(struct packer *packer)
{
	const struct model *model = packer->page->model;
	struct figures *rest = xcalloc(model->domain_count, sizeof(*rest));
	int64_t node = 0, domain = 0;

	for (size_t i = 0; i < model->row_count; i++) {
		const struct row *row = &model->rows[i];
		if (!packer->kept[i]) {
			add(&rest[row->domain], &row->figures);
			continue;
		}
		const int64_t place = packer->trie.nodes[packer->nodes[i]].place;
		put_signed(packer->out, place - node);
		put_signed(packer->out, (int64_t)row->domain - domain);
		put_figures(packer->out, &row->figures, row->estimated ? ESTIMATED : EXACT, packer->page->grown ? packer->page->grown[i] : 0);
		node = place;
		domain = row->domain;
	}
	/* On the empty path. */
	for (size_t i = 0; i < model->domain_count; i++) {
		if (rest[i].allocated_count == 0)
			continue;
		put_signed(packer->out, -node);
		put_signed(packer->out, (int64_t)i - domain);
		put_figures(packer->out, &rest[i], SMALLER, 0);
		node = 0;
		domain = (int64_t)i;
	}
	free(rest);
}

/* Puts each kept row's frames into the trie, outermost first. Resolves symbols: the frames are known afterwards. */
static void collect(struct packer *packer)
{
	const struct model *model = packer->page->model;
	const uint32_t *frames;

	packer->nodes = xcalloc(model->row_count, sizeof(*packer->nodes));
	for (size_t i = 0; i < model->row_count; i++) {
		if (!packer->kept[i])
			continue;
		uint32_t at = 0;
		for (size_t k = model_frames(model, &model->rows[i], &frames); k-- > 0;)
			at = trie_child(&packer->trie, at, frames[k]);
		packer->nodes[i] = at;
	}
}

/* ---- frames -------------------------------------------------------------------------------- */

/* What people call it: the function, else where it is. */
static char *label_of(const struct frame *frame)
{
	if (frame->function)
		return xstrdup(frame->function);
	if (frame->kind == FRAME_LUA)
		return xasprintf("%s:%u", frame->file ? frame->file : "?", frame->line);
	return xasprintf("0x%" PRIx64, frame->offset);
}

static void put_frames(const struct model *model, struct strings *strings, FILE *out)
{
	for (size_t i = 0; i < model->frame_count; i++) {
		const struct frame *frame = &model->frames[i];
		char *label = label_of(frame);
		put(out, string(strings, label));
		put(out, string(strings, frame->module));
		put(out, string(strings, frame->file ? frame->file : ""));
		put(out, frame->line);
		put(out, (unsigned)frame->kind | (model_is_wrapper(model, (uint32_t)i) ? 4 : 0));
		free(label);
	}
}

void pack_stacks(const struct page *page, FILE *out)
{
	struct packer packer = {.page = page, .out = out, .kept = choose(page)};
	struct strings strings = {.out = out};
	char *frames;
	size_t length;

	trie_open(&packer.trie);
	collect(&packer);
	fputs("{\"strings\":[", out);
	FILE *memory = open_memstream(&frames, &length);
	put_frames(page->model, &strings, xalloc_check(memory));
	fclose(memory);
	fprintf(out, "],\n\"frames\":\"%s\",\n\"nodes\":\"", frames);
	free(frames);
	trie_walk(&packer.trie, put_node, &packer);
	fputs("\",\n\"rows\":\"", out);
	put_rows(&packer);
	fputs("\",\n\"domains\":[", out);
	for (size_t i = 0; i < page->model->domain_count; i++) {
		fputs(i ? "," : "", out);
		put_quoted(out, page->model->domains[i], MOST_NAME);
	}
	fprintf(out, "],\n\"grown_seconds\":%.3f}\n", page->grown ? (double)page->grown_ns / 1e9 : 0.0);
	strings_close(&strings);
	trie_close(&packer.trie);
	free(packer.nodes);
	free(packer.kept);
}
