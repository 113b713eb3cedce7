/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page_memory.c - where the memory is: two rings that add up, each with its table, the processes of the family side
 * by side, and the way from what was asked for to what is resident.
 */
#include "page.h"

#include "markup.h"
#include "svg.h"
#include "text.h"
#include "xalloc.h"

#include <inttypes.h>

#define MOST_PROCESSES 64

static const char *const ids[] = {"allocator", "luajit_http", "luajit_stream", "luajit_other", "nginx_shm", "mmap", "text", "stacks",
	"file", "heapray", "kernel", "reserved", "unexplained"};

const char *page_component_css(const char *id)
{
	static const char *const css[] = {"c-allocator", "c-luajit_http", "c-luajit_stream", "c-luajit_other", "c-nginx_shm", "c-mmap",
		"c-text", "c-stacks", "c-file", "c-heapray", "c-kernel", "c-reserved", "c-unexplained"};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		if (strcmp(ids[i], id) == 0)
			return css[i];
	}
	return "p9";
}

const struct json *page_ledger(const struct page *page, const char **path)
{
	const struct json *processes = json_get(page->breakdown, "processes");
	const bool one = json_length(processes) == 1;

	*path = one ? "breakdown .processes[0]" : "breakdown .total";
	return one ? json_at(processes, 0) : json_get(page->breakdown, "total");
}

static uint64_t bytes_of(const struct json *object, const char *key)
{
	const int64_t value = json_to_integer(json_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

static uint64_t resident_of(const struct json *ledger)
{
	return bytes_of(json_get(ledger, "system"), "resident_bytes");
}

/* The components, and what is unexplained as the last; the array is the caller's. */
static struct svg_part *parts_of(const struct json *ledger, size_t *count)
{
	const struct json *components = json_get(ledger, "components");
	const size_t known = json_length(components);
	struct svg_part *parts = xcalloc(known + 1, sizeof(*parts));

	for (size_t i = 0; i < known; i++) {
		const struct json *c = json_at(components, i);
		parts[i] = (struct svg_part){json_to_string(json_get(c, "label")), page_component_css(json_to_string(json_get(c, "id"))),
			bytes_of(c, "resident_bytes")};
	}
	parts[known] = (struct svg_part){"unexplained", "c-unexplained", bytes_of(json_get(ledger, "unexplained"), "resident_bytes")};
	*count = known + 1;
	return parts;
}

/* ---- rings --------------------------------------------------------------------------------- */

bool picture_application(const struct page *page, FILE *out, bool alone)
{
	const char *path;
	size_t count;

	if (!page->breakdown)
		return false;
	struct svg_part *parts = parts_of(page_ledger(page, &path), &count);
	svg_ring(out, alone, "What the resident memory is", parts, count);
	free(parts);
	return true;
}

bool picture_system(const struct page *page, FILE *out, bool alone)
{
	const char *path;

	if (!page->breakdown)
		return false;
	const struct json *system = json_get(page_ledger(page, &path), "system");
	const uint64_t whole = bytes_of(system, "virtual_bytes"), resident = bytes_of(system, "resident_bytes"), swap = bytes_of(system, "swap_bytes");
	const uint64_t rest = whole > resident + swap ? whole - resident - swap : 0;
	const struct svg_part parts[] = {{"resident", "s-resident", resident}, {"swap", "s-swap", swap}, {"not in memory", "s-rest", rest}};
	svg_ring(out, alone, "What of the address space is in memory", parts, 3);
	return true;
}

static void system_table(const struct page *page, FILE *out)
{
	const char *path;
	const struct json *system = json_get(page_ledger(page, &path), "system");
	const uint64_t whole = bytes_of(system, "virtual_bytes"), held = bytes_of(system, "resident_bytes") + bytes_of(system, "swap_bytes");
	char *place = xasprintf("%s.system", path);

	fputs("<table class=\"figures\"><thead><tr><th>System<th class=\"n\">bytes</thead><tbody>\n<tr><th><i class=\"key s-resident\"></i>resident<td class=\"n\">", out);
	markup_bytes(out, system, place, "resident_bytes");
	fputs("\n<tr><th><i class=\"key s-swap\"></i>swap<td class=\"n\">", out);
	markup_bytes(out, system, place, "swap_bytes");
	fprintf(out, "\n<tr><th><i class=\"key s-rest\"></i>not in memory<td class=\"n\"><data value=\"%" PRIu64 "\">%s</data>", whole > held ? whole - held : 0,
		text_bytes(whole > held ? whole - held : 0));
	fputs("\n</tbody><tfoot><tr><th>virtual, the sum<td class=\"n\">", out);
	markup_bytes(out, system, place, "virtual_bytes");
	fputs("\n</tfoot></table>\n", out);
	free(place);
}

static void component_row(const struct json *c, const char *place, const char *label, const char *css, uint64_t whole, FILE *out)
{
	const uint64_t resident = bytes_of(c, "resident_bytes");

	fprintf(out, "<tr><th><i class=\"key %s\"></i>", css);
	markup_text(out, label);
	fputs("<td class=\"n\">", out);
	markup_bytes(out, c, place, "resident_bytes");
	fprintf(out, "<td class=\"n soft\">%.1f&#8239;%%<td class=\"n\">", whole ? 100.0 * (double)resident / (double)whole : 0.0);
	markup_bytes(out, c, place, "virtual_bytes");
	fputs("<td class=\"n wide\">", out);
	if (json_is_unknown(json_get(c, "used_bytes")))
		fputs("<span class=\"soft\">&#8211;</span>", out);
	else
		markup_bytes(out, c, place, "used_bytes");
	fputc('\n', out);
}

/* What the books say about themselves is computed here, not assumed. */
static void closing(FILE *out, uint64_t sum, uint64_t whole)
{
	if (sum == whole)
		fputs("<p class=\"soft\">The parts sum to the system's figure to the byte.</p>\n", out);
	else
		fprintf(out, "<p class=\"soft\">The parts and the system's figure differ by %s.</p>\n", text_bytes(sum > whole ? sum - whole : whole - sum));
}

static void application_table(const struct page *page, FILE *out)
{
	const char *path;
	const struct json *ledger = page_ledger(page, &path), *components = json_get(ledger, "components");
	const uint64_t whole = resident_of(ledger);
	uint64_t sum = bytes_of(json_get(ledger, "unexplained"), "resident_bytes");

	fputs("<table class=\"figures\"><thead><tr><th>Application<th class=\"n\">resident<th class=\"n\">share<th class=\"n\">virtual<th class=\"n wide\">used</thead><tbody>\n", out);
	for (size_t i = 0; i < json_length(components); i++) {
		const struct json *c = json_at(components, i);
		char *place = xasprintf("%s.components[%zu]", path, i);
		component_row(c, place, json_to_string(json_get(c, "label")), page_component_css(json_to_string(json_get(c, "id"))), whole, out);
		sum += bytes_of(c, "resident_bytes");
		free(place);
	}
	char *place = xasprintf("%s.unexplained", path);
	component_row(json_get(ledger, "unexplained"), place, "unexplained", "c-unexplained", whole, out);
	free(place);
	place = xasprintf("%s.system", path);
	fprintf(out, "</tbody><tfoot><tr><th>the sum<td class=\"n\"><data value=\"%" PRIu64 "\" class=\"sum\">%s</data><td class=\"n soft\"><td class=\"n\">", sum, text_bytes(sum));
	markup_bytes(out, json_get(ledger, "system"), place, "virtual_bytes");
	fputs("<td class=\"wide\"></tfoot></table>\n", out);
	closing(out, sum, whole);
	free(place);
}

/* ---- the family ---------------------------------------------------------------------------- */

static char *process_name(const struct json *process)
{
	return xasprintf("%s %" PRId64 "%s%s", json_to_string(json_get(process, "role")), json_to_integer(json_get(process, "pid")),
		json_to_bool(json_get(process, "draining")) ? ", draining" : "", strcmp(json_to_string(json_get(process, "state")), "ended") == 0 ? ", ended" : "");
}

bool picture_family(const struct page *page, FILE *out, bool alone)
{
	const struct json *processes = json_get(page->breakdown, "processes");
	const size_t count = at_most(json_length(processes), MOST_PROCESSES);
	struct svg_bar bars[MOST_PROCESSES];
	struct svg_part *parts[MOST_PROCESSES];
	char *names[MOST_PROCESSES], *values[MOST_PROCESSES];

	if (count == 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct json *process = json_at(processes, i);
		size_t part_count;
		parts[i] = parts_of(process, &part_count);
		names[i] = process_name(process);
		values[i] = xasprintf("%s resident", text_bytes(resident_of(process)));
		bars[i] = (struct svg_bar){names[i], values[i], parts[i], part_count};
	}
	svg_bars(out, alone, "The family side by side: resident memory of each process", true, bars, count);
	for (size_t i = 0; i < count; i++) {
		free(parts[i]);
		free(names[i]);
		free(values[i]);
	}
	return true;
}

/* A row a process, a column a component that any of them has. */
static void family_table(const struct page *page, FILE *out)
{
	const struct json *processes = json_get(page->breakdown, "processes"), *all = json_get(json_get(page->breakdown, "total"), "components");

	fputs("<div class=\"scroll\"><table class=\"figures\"><thead><tr><th>Process<th class=\"n\">resident", out);
	for (size_t k = 0; k < json_length(all); k++) {
		fputs("<th class=\"n\">", out);
		markup_text(out, json_to_string(json_get(json_at(all, k), "label")));
	}
	fputs("<th class=\"n\">unexplained</thead><tbody>\n", out);
	for (size_t i = 0; i < at_most(json_length(processes), MOST_PROCESSES); i++) {
		const struct json *process = json_at(processes, i), *components = json_get(process, "components");
		char *name = process_name(process), *place = xasprintf("breakdown .processes[%zu].system", i);
		fputs("<tr><th>", out);
		markup_text(out, name);
		fputs("<td class=\"n\">", out);
		markup_bytes(out, json_get(process, "system"), place, "resident_bytes");
		free(place);
		free(name);
		for (size_t k = 0; k < json_length(all); k++) {
			const char *id = json_to_string(json_get(json_at(all, k), "id"));
			fputs("<td class=\"n\">", out);
			for (size_t c = 0; c < json_length(components); c++) {
				if (strcmp(json_to_string(json_get(json_at(components, c), "id")), id) != 0)
					continue;
				place = xasprintf("breakdown .processes[%zu].components[%zu]", i, c);
				markup_bytes(out, json_at(components, c), place, "resident_bytes");
				free(place);
			}
		}
		place = xasprintf("breakdown .processes[%zu].unexplained", i);
		fputs("<td class=\"n\">", out);
		markup_bytes(out, json_get(process, "unexplained"), place, "resident_bytes");
		fputc('\n', out);
		free(place);
	}
	fputs("</tbody></table></div>\n", out);
}

/* ---- inside the allocator ------------------------------------------------------------------- */

static const struct step {
	const char *key, *label, *what, *css;
} steps[] = {
	{"requested_bytes", "requested", "what the program asked for", "w-requested"},
	{"usable_bytes", "usable", "with the rounding up to the sizes the allocator has", "w-usable"},
	{"in_use_bytes", "in use", "as the allocator counts, its heads and pads included", "w-in_use"},
	{"held_bytes", "held", "what it has from the kernel", "w-held"},
	{"free_held_bytes", "free but held", "of that, free: fragmentation and caches", "w-free"},
	{"top_bytes", "top", "of that, at the end of the heap", "w-free"},
	{"mapped_bytes", "mapped", "blocks with a mapping of their own", "w-usable"},
	{"resident_bytes", "resident", "of what is held, in memory", "w-resident"},
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))
#define PICTURED 4 /* processes; the table has all */

/* The numbers of the processes whose allocator is told, the largest first: how many. */
static size_t told(const struct page *page, size_t *chosen, size_t most)
{
	const struct json *processes = json_get(page->breakdown, "processes");
	size_t count = 0;

	for (size_t i = 0; i < json_length(processes); i++) {
		const struct json *allocator = json_get(json_at(processes, i), "allocator");
		const uint64_t value = bytes_of(allocator, "requested_bytes");
		size_t at = count;
		if (json_is_unknown(allocator))
			continue;
		while (at > 0 && bytes_of(json_get(json_at(processes, chosen[at - 1]), "allocator"), "requested_bytes") < value) {
			if (at < most)
				chosen[at] = chosen[at - 1];
			at--;
		}
		if (at < most)
			chosen[at] = i;
		count += count < most;
	}
	return count;
}

static bool draw_waterfall(const struct json *process, FILE *out, bool alone)
{
	const struct json *allocator = json_get(process, "allocator");
	struct svg_part parts[STEPS];
	struct svg_bar bars[STEPS];
	char *values[STEPS], *name = process_name(process);
	char *title = xasprintf("Inside %s: %s", json_to_string(json_get(allocator, "name")), name);
	size_t count = 0;

	for (size_t i = 0; i < STEPS; i++) {
		const struct json *value = json_get(allocator, steps[i].key);
		if (json_is_unknown(value))
			continue;
		parts[count] = (struct svg_part){steps[i].what, steps[i].css, bytes_of(allocator, steps[i].key)};
		values[count] = xstrdup(text_bytes(parts[count].value));
		bars[count] = (struct svg_bar){steps[i].label, values[count], &parts[count], 1};
		count++;
	}
	if (!alone) {
		fputs("<h4>", out);
		markup_text(out, title);
		fputs("</h4>\n", out);
	}
	svg_bars(out, alone, title, false, bars, count);
	for (size_t i = 0; i < count; i++)
		free(values[i]);
	free(title);
	free(name);
	return true;
}

bool picture_waterfall(const struct page *page, FILE *out, bool alone)
{
	size_t chosen[PICTURED];
	const size_t count = page->breakdown ? told(page, chosen, PICTURED) : 0;

	for (size_t i = 0; i < (alone ? at_most(count, 1) : count); i++) {
		if (!alone)
			fputs("<div class=\"card\">\n", out);
		draw_waterfall(json_at(json_get(page->breakdown, "processes"), chosen[i]), out, alone);
		if (!alone)
			fputs("</div>\n", out);
	}
	return count > 0;
}

static void waterfall_table(const struct page *page, FILE *out)
{
	const struct json *processes = json_get(page->breakdown, "processes");

	fputs("<div class=\"scroll\"><table class=\"figures\"><thead><tr><th>Process", out);
	for (size_t k = 0; k < STEPS; k++)
		fprintf(out, "<th class=\"n\" title=\"%s\">%s", steps[k].what, steps[k].label);
	fputs("</thead><tbody>\n", out);
	for (size_t i = 0; i < at_most(json_length(processes), MOST_PROCESSES); i++) {
		const struct json *allocator = json_get(json_at(processes, i), "allocator");
		if (json_is_unknown(allocator))
			continue;
		char *place = xasprintf("breakdown .processes[%zu].allocator", i), *name = process_name(json_at(processes, i));
		fputs("<tr><th>", out);
		markup_text(out, name);
		for (size_t k = 0; k < STEPS; k++) {
			fputs("<td class=\"n\">", out);
			markup_bytes(out, allocator, place, steps[k].key);
		}
		fputc('\n', out);
		free(place);
		free(name);
	}
	fputs("</tbody></table></div>\n", out);
}

/* ---- the section --------------------------------------------------------------------------- */

static void modules_table(const struct page *page, FILE *out)
{
	const char *path;
	const struct json *ledger = page_ledger(page, &path), *modules = json_get(ledger, "modules");
	const size_t count = json_length(modules);

	if (count == 0)
		return;
	fputs("<h3>The allocator's blocks by whose they are</h3>\n<table class=\"figures\"><thead><tr><th>Owner<th class=\"n\">live<th class=\"n\">blocks</thead><tbody>\n", out);
	for (size_t i = 0; i < count; i++) {
		const struct json *module = json_at(modules, i);
		char *place = xasprintf("%s.modules[%zu]", path, i);
		fputs("<tr><th>", out);
		markup_text(out, json_to_string(json_get(module, "name")));
		fputs("<td class=\"n\">", out);
		markup_bytes(out, module, place, "live_bytes");
		fputs("<td class=\"n\">", out);
		markup_count(out, module, place, "live_count");
		fputc('\n', out);
		free(place);
	}
	fputs("</tbody></table>\n", out);
}

void section_memory(const struct page *page, FILE *out)
{
	size_t any[1];
	const bool family = json_length(json_get(page->breakdown, "processes")) > 1;

	if (!page->breakdown)
		return;
	section_open(out, "memory", "Where the memory is", family ? "The whole family: private and copy-on-write memory by each process's share, shared zones once." :
								      "From one read of the kernel's books, cut by who owns each range.");
	fputs("<div class=\"pair\">\n<div class=\"card\">", out);
	picture_system(page, out, false);
	system_table(page, out);
	fputs("</div>\n<div class=\"card\">", out);
	picture_application(page, out, false);
	application_table(page, out);
	fputs("</div>\n</div>\n", out);
	if (family) {
		fputs("<h3>The family side by side</h3>\n<div class=\"card\">", out);
		picture_family(page, out, false);
		fputs("</div>\n", out);
		family_table(page, out);
	}
	if (told(page, any, 1) > 0) {
		fputs("<h3>From what was asked for to what is resident</h3>\n<div class=\"pair\">\n", out);
		picture_waterfall(page, out, false);
		fputs("</div>\n", out);
		waterfall_table(page, out);
	}
	modules_table(page, out);
	section_close(out);
}
