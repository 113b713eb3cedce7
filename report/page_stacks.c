/* SPDX-License-Identifier: BSD-2-Clause */
/* page_stacks.c - who holds the memory: the controls and the data that page.js draws from, and one picture alone. */
#include "page.h"

#include "markup.h"
#include "page_pack.h"
#include "trie.h"
#include "svg.h"
#include "text.h"
#include "xalloc.h"

#include <inttypes.h>

/* ---- the flame, alone ------------------------------------------------------------------------ */

#define ROW 18.0
#define THIN 0.05 /* percent: narrower is left out */
#define WIDTH 960.0
#define LETTER 6.6

struct flame {
	const struct page *page;
	FILE *out;
	struct trie trie;
	uint32_t *frame; /* by identity: one of its frames */
	double *at;      /* by node: where the next child begins, percent */
	uint64_t total;
	unsigned deepest;
};

static void collect(struct flame *flame)
{
	const struct model *model = flame->page->model;
	const uint32_t *frames;

	for (size_t i = 0; i < model->row_count; i++) {
		const uint64_t live = model_measure(&model->rows[i].figures, BY_LIVE);
		const size_t count = model_frames(model, &model->rows[i], &frames);
		uint32_t at = 0;
		if (live == 0)
			continue;
		flame->trie.nodes[0].value += live;
		for (size_t k = count; k-- > 0;) {
			at = trie_child(&flame->trie, at, model->frames[frames[k]].identity);
			flame->trie.nodes[at].value += live;
		}
		if (count > flame->deepest)
			flame->deepest = (unsigned)count;
	}
	flame->frame = xcalloc(model->frame_count, sizeof(*flame->frame));
	for (size_t i = model->frame_count; i-- > 0;)
		flame->frame[model->frames[i].identity] = (uint32_t)i;
}

static void draw(void *context, struct trie_node *node, unsigned depth)
{
	struct flame *flame = context;
	const struct frame *frame = depth ? &flame->page->model->frames[flame->frame[node->key]] : NULL;
	const double width = flame->total ? 100.0 * (double)node->value / (double)flame->total : 0, x = flame->at[node->parent];
	const size_t letters = (size_t)(width / 100 * WIDTH / LETTER);

	flame->at[node - flame->trie.nodes] = x;
	if (depth)
		flame->at[node->parent] += width;
	if (width < THIN)
		return;
	const char *name = !depth ? "all" : frame->function ? frame->function : frame->file ? frame->file : "?";
	fprintf(flame->out, "<rect class=\"f%u\" x=\"%.3f%%\" y=\"%.0f\" width=\"%.3f%%\" height=\"%.0f\"><title>",
		!depth || frame->kind == FRAME_NOTE ? 9 : frame->kind == FRAME_LUA ? 8 : frame->module_index % 6, x, ROW * depth, width, ROW - 1);
	markup_text(flame->out, name);
	fprintf(flame->out, ": %s, %.1f %%</title></rect>\n", text_bytes(node->value), width);
	if (letters >= 4) {
		fprintf(flame->out, "<text class=\"f\" x=\"%.3f%%\" y=\"%.0f\">", x + 0.3, ROW * depth + 12);
		markup_short(flame->out, name, letters - 1);
		fputs("</text>\n", flame->out);
	}
}

bool picture_flame(const struct page *page, FILE *out, bool alone)
{
	struct flame flame = {.page = page, .out = out};

	if (!page->model || page->model->row_count == 0)
		return false;
	trie_open(&flame.trie);
	collect(&flame);
	flame.total = flame.trie.nodes[0].value;
	flame.at = xcalloc(flame.trie.count, sizeof(*flame.at));
	svg_open(out, alone, "Live bytes by call path", ROW * (flame.deepest + 1));
	trie_walk(&flame.trie, draw, &flame);
	svg_close(out, alone);
	trie_close(&flame.trie);
	free(flame.frame);
	free(flame.at);
	return true;
}

/* ---- the section --------------------------------------------------------------------------- */

static const char controls[] =
	"<div class=\"controls\" id=\"controls\" hidden>\n"
	"<label>Size by <select id=\"by\"><option value=\"live\">live bytes<option value=\"peak\">at the peak"
	"<option value=\"allocated\">allocated bytes<option value=\"count\">live blocks<option value=\"temporary\">temporary blocks"
	"<option value=\"grown\">growth</select></label>\n"
	"<label>as <select id=\"view\"><option value=\"stack\">call paths<option value=\"owner\">owners and who calls them"
	"<option value=\"module\">modules<option value=\"lua\">Lua lines</select></label>\n"
	"<label><input type=\"checkbox\" id=\"invert\"> innermost first</label>\n"
	"<label class=\"search\">Search <input type=\"search\" id=\"search\" size=\"18\" spellcheck=\"false\"></label>\n"
	"<button type=\"button\" id=\"reset\">Whole picture</button>\n</div>\n"
	"<noscript><p>This picture is drawn by a script, which is switched off. <code>heapray stacks</code> prints the same.</p></noscript>\n"
	"<div id=\"flame\" class=\"flame\" tabindex=\"0\" role=\"application\" aria-label=\"Call paths by size; arrow keys move, Enter looks closer, Escape goes back\"></div>\n"
	"<p id=\"detail\" class=\"detail\" aria-live=\"polite\"></p>\n"
	"<h3 id=\"table-heading\">The same as a table</h3>\n<div class=\"scroll\" id=\"table\"></div>\n";

static void totals(const struct page *page, FILE *out)
{
	const struct figures *t = &page->model->total;

	fprintf(out, "<p>Live <data value=\"%" PRId64 "\" data-json=\"stacks .total.live_bytes\">%s</data> in "
		"<data value=\"%" PRId64 "\" data-json=\"stacks .total.live_count\">%s</data> blocks; at the peak "
		"<data value=\"%" PRIu64 "\" data-json=\"stacks .total.peak_bytes\">%s</data>; allocated "
		"<data value=\"%" PRIu64 "\" data-json=\"stacks .total.allocated_bytes\">%s</data> in "
		"<data value=\"%" PRIu64 "\" data-json=\"stacks .total.allocated_count\">%s</data>.</p>\n",
		t->live_bytes > 0 ? t->live_bytes : 0, text_bytes(t->live_bytes > 0 ? (uint64_t)t->live_bytes : 0),
		t->live_count > 0 ? t->live_count : 0, text_count(t->live_count > 0 ? (uint64_t)t->live_count : 0), t->peak_bytes,
		text_bytes(t->peak_bytes), t->allocated_bytes, text_bytes(t->allocated_bytes), t->allocated_count, text_count(t->allocated_count));
}

void section_stacks(const struct page *page, FILE *out)
{
	if (!page->model)
		return;
	section_open(out, "stacks", "Who holds it", "A bar is a function, below it what it calls, as wide as the bytes are many. Click one to look closer; Escape goes back.");
	totals(page, out);
	fputs(controls, out);
	fputs("<script type=\"application/json\" id=\"packed\">\n", out);
	pack_stacks(page, out);
	fputs("</script>\n", out);
	section_close(out);
}
