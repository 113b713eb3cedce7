/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_text_more.c - `breakdown` for people, below the first screen: inside the allocator, the VMs, nginx's
 * pools, the allocator by owner, direct mmaps by caller, what is unexplained, threads.
 */
#include <stdio.h>

#include "ledger_books.h"
#include "ledger_text.h"
#include "text.h"
#include "xalloc.h"

struct waterfall_line {
	const char *name, *what;
	uint64_t bytes;
};
#define WATERFALL_LINES 8

static void waterfall_lines(const struct waterfall *w, struct waterfall_line *lines)
{
	const struct waterfall_line all[WATERFALL_LINES] = {
		{"requested", "what the program asked for", w->requested},
		{"usable",
			w->usable_estimated ? "as malloc_usable_size says, from samples"
					    : "as malloc_usable_size says",
			w->usable},
		{"in use", "as the allocator counts", w->in_use},
		{"free, held", "free but held: fragmentation and caches", w->free_held},
		{"top", "of that, at the end of the heap", w->top},
		{"mapped", "blocks with a mapping of their own", w->mapped},
		{"held", "what it has from the kernel", w->held},
		{"resident", "of that in memory", w->resident},
	};
	memcpy(lines, all, sizeof all);
}

/* One process: from top to bottom, each with what it means. */
static void print_waterfall(const struct ledger *ledger)
{
	struct waterfall w;
	struct waterfall_line lines[WATERFALL_LINES];
	if (!books_waterfall(ledger, &w))
		return;
	waterfall_lines(&w, lines);
	printf("\n%sInside %s%s", text_bold(), text_safe(w.name, 60), text_reset());
	if (w.age_ns != JSON_UNKNOWN)
		printf("%s, whose own figures are %s old%s", text_dim(), text_duration(w.age_ns),
			text_reset());
	putchar('\n');
	uint64_t most = w.held > w.requested || w.requested == JSON_UNKNOWN ? w.held : w.requested;
	for (size_t i = 0; i < WATERFALL_LINES; i++) {
		printf("  %-*s", LABEL - 2, lines[i].name);
		breakdown_cell(text_bytes(lines[i].bytes));
		if (lines[i].bytes != JSON_UNKNOWN)
			breakdown_bar(lines[i].bytes, most);
		printf("  %s%s%s\n", text_dim(), lines[i].what, text_reset());
	}
}

/* A family: a line a member. */
static void print_waterfalls(const struct ledger_family *ledgers, size_t limit)
{
	struct waterfall w;
	struct waterfall_line lines[WATERFALL_LINES];
	bool head = false;
	for (size_t i = 0; i < ledgers->count && i < limit; i++) {
		if (!books_waterfall(&ledgers->members[i], &w))
			continue;
		waterfall_lines(&w, lines);
		if (!head) {
			char title[64];
			snprintf(title, sizeof title, "Inside %s", text_safe(w.name, 40));
			printf("\n%s%-*s", text_bold(), LABEL, title);
			for (size_t k = 0; k < WATERFALL_LINES; k++)
				breakdown_cell(lines[k].name);
			printf("%s\n", text_reset());
			head = true;
		}
		printf("%-*s", LABEL, breakdown_member_name(ledgers->members[i].process));
		for (size_t k = 0; k < WATERFALL_LINES; k++)
			breakdown_cell(lines[k].bytes == JSON_UNKNOWN ? "?" : text_bytes(lines[k].bytes));
		putchar('\n');
	}
}

static void print_vms(const struct ledger *ledger, size_t *left)
{
	for (size_t i = 0; ledger->books && i < ledger->books->domain_count && *left; i++) {
		const struct hr_domain *domain = &ledger->books->domains[i];
		if ((domain->kind != HR_DOMAIN_LUAJIT && domain->kind != HR_DOMAIN_LUA) ||
			domain->flags & HR_DOMAIN_CLOSED)
			continue;
		printf("  %-7d%-*s", (int)ledger->process->pid, LABEL - 9,
			text_safe(segment_domain_name(ledger->books, i), LABEL - 10));
		breakdown_cell(text_bytes(domain->live_bytes));
		breakdown_cell(text_bytes(domain->arena_bytes + domain->direct_bytes));
		breakdown_cell(text_bytes(domain->free_held_bytes));
		breakdown_cell(text_bytes(domain->machine_code_bytes));
		breakdown_cell(text_bytes(domain->peak_bytes));
		putchar('\n');
		(*left)--;
	}
}

static bool has_vms(const struct ledger_family *ledgers)
{
	for (size_t i = 0; i < ledgers->count; i++)
		for (int c = C_LUAJIT_HTTP; c <= C_LUAJIT_OTHER; c++)
			if (ledgers->members[i].rows[c].used_bytes != JSON_UNKNOWN)
				return true;
	return false;
}

static void print_details(const struct ledger *ledger, enum component component, size_t limit)
{
	size_t shown = 0;
	for (size_t i = 0; i < ledger->detail_count && shown < limit; i++) {
		const struct detail *detail = &ledger->details[i];
		if (detail->component != component)
			continue;
		if (!shown++)
			printf("\n%s%-*s%*s%*s%s\n", text_bold(), LABEL + 14, component_label(component),
				COLUMN, "virtual", COLUMN, "resident", text_reset());
		printf("  %-*s", LABEL + 12, text_safe(detail->label, LABEL + 10));
		breakdown_cell(text_bytes(detail->figures.virtual_bytes));
		breakdown_cell(text_bytes(detail->figures.resident_bytes));
		if (detail->ranges > 1)
			printf("  %sin %s ranges%s", text_dim(), text_count(detail->ranges), text_reset());
		putchar('\n');
	}
}

static int by_resident(const void *left, const void *right)
{
	const struct thread *a = *(const struct thread *const *)left,
			    *b = *(const struct thread *const *)right;
	if (a->figures.resident_bytes != b->figures.resident_bytes)
		return a->figures.resident_bytes > b->figures.resident_bytes ? -1 : 1;
	return a->tid - b->tid;
}

static void print_threads(const struct ledger *ledger, size_t limit)
{
	size_t count = ledger->threads.count;
	if (count < 2)
		return;
	const struct thread **order = xcalloc(count, sizeof *order);
	for (size_t i = 0; i < count; i++)
		order[i] = &ledger->threads.list[i];
	qsort(order, count, sizeof *order, by_resident);
	printf("\n%s%-*s%*s%*s%s\n", text_bold(), LABEL, "Threads' stacks", COLUMN, "virtual", COLUMN,
		"resident", text_reset());
	for (size_t i = 0; i < count && i < limit; i++) {
		char name[64];
		snprintf(name, sizeof name, "%d %s", order[i]->tid, text_safe(order[i]->name, 16));
		printf("  %-*s", LABEL - 2, name);
		breakdown_cell(order[i]->end ? text_bytes(order[i]->figures.virtual_bytes) : "not found");
		breakdown_cell(text_bytes(order[i]->figures.resident_bytes));
		putchar('\n');
	}
	if (count > limit)
		printf("  %s%zu more with --limit 0%s\n", text_dim(), count - limit, text_reset());
	free(order);
}

static void print_all_vms(const struct ledger_family *ledgers, size_t limit)
{
	if (!has_vms(ledgers))
		return;
	printf("\n%s%-*s%*s%*s%*s%*s%*s%s\n", text_bold(), LABEL, "VMs", COLUMN, "used", COLUMN, "held",
		COLUMN, "free, held", COLUMN, "JIT code", COLUMN, "peak", text_reset());
	for (size_t i = 0; i < ledgers->count; i++)
		print_vms(&ledgers->members[i], &limit);
}

static void print_pools(const struct breakdown *breakdown, size_t limit)
{
	const struct ledger_family *ledgers = &breakdown->ledgers;
	bool any = false;
	for (size_t i = 0; i < ledgers->count; i++)
		any |= breakdown->members[i].pools.count != 0;
	if (!any)
		return;
	printf("\n%s%-*s%*s%*s%*s%*s%*s  created by%s\n", text_bold(), LABEL, "nginx pools", COLUMN, "pools",
		COLUMN, "size", COLUMN, "used", COLUMN, "unused", COLUMN, "large", text_reset());
	for (size_t i = 0; i < ledgers->count && limit; i++)
		limit -= pools_print(&breakdown->members[i].pools, ledgers->members[i].process->pid, limit);
}

void breakdown_print_more(const struct breakdown *breakdown, size_t limit)
{
	const struct ledger_family *ledgers = &breakdown->ledgers;
	if (ledgers->count > 1)
		print_waterfalls(ledgers, limit);
	else
		print_waterfall(&ledgers->members[0]);
	print_all_vms(ledgers, limit);
	print_pools(breakdown, limit);
	subsystems_print(&breakdown->subsystems, limit);
	if (ledgers->count > 1) {
		printf("\n%sMaps and threads of one member: heapray breakdown --one PID%s\n", text_dim(),
			text_reset());
		return;
	}
	print_details(&ledgers->members[0], C_MMAP, limit);
	print_details(&ledgers->members[0], C_UNEXPLAINED, limit);
	print_threads(&ledgers->members[0], limit);
}
