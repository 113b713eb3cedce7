/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_text.c - `breakdown` for people.
 *
 * The first screen is two tables: the system's view (who has how much) and the application's (what it is),
 * and the line that says that the second sums to the first. Below: inside the allocator, VMs, and what
 * breakdown.h's other parts tell.
 */
#include <stdio.h>
#include <string.h>

#include "breakdown.h"
#include "ledger_books.h"
#include "process.h"
#include "text.h"
#include "xalloc.h"

#define LABEL 26
#define COLUMN 12
#define BAR 20
#define MEMBER_COLUMNS 6

static const char *member_name(const struct process *process)
{
	static char name[128];
	char generation[32] = "";
	if (process->generation)
		snprintf(generation, sizeof generation, ", gen %u", process->generation);
	snprintf(name, sizeof name, "%d %s%s%s", (int)process->pid, role_name(process->role), generation,
	         !process->alive     ? ", ended"
	         : process->draining ? ", draining"
	                             : "");
	return name;
}

static void cell(const char *text)
{
	printf("%*s", COLUMN, text);
}

static void bar(uint64_t part, uint64_t whole)
{
	char cells[BAR + 1];
	uint64_t filled = whole ? (uint64_t)((unsigned __int128)part * BAR / whole) : 0;
	if (!filled && part)
		filled = 1; /* there is something */
	memset(cells, '.', BAR);
	memset(cells, '#', filled < BAR ? filled : BAR);
	cells[BAR] = 0;
	printf("  %s%.*s%s%s%s%s %5.1f %%", text_cyan(), (int)(filled < BAR ? filled : BAR), cells, text_reset(), text_dim(),
	       cells + (filled < BAR ? filled : BAR), text_reset(), whole ? 100.0 * (double)part / (double)whole : 0.0);
}

static void print_title(const struct breakdown *breakdown)
{
	const struct process *first = breakdown->ledgers.members[0].process;
	size_t count = breakdown->ledgers.count, preloaded = 0;
	for (size_t i = 0; i < count; i++)
		preloaded += breakdown->ledgers.members[i].process->segment != NULL;
	printf("%s%s%s, pid %d", text_bold(), text_safe(first->exe[0] ? first->exe : "?", 200), text_reset(), (int)first->pid);
	if (count > 1)
		printf(" and %zu more of its family", count - 1);
	puts(preloaded == count ? "" : preloaded ? ", partly preloaded" : ", not preloaded");
	if (breakdown->ledgers.members[0].published)
		printf("The process has ended; this is the last ledger it published.\n");
}

static void print_system(const struct breakdown *breakdown)
{
	const struct ledger_family *ledgers = &breakdown->ledgers;
	printf("\n%s%-*s%*s%*s%*s%s\n", text_bold(), LABEL, "System", COLUMN, "virtual", COLUMN, "resident", COLUMN, "swap",
	       text_reset());
	for (size_t i = 0; i < ledgers->count; i++) {
		const struct figures *f = &ledgers->members[i].system;
		printf("%-*s", LABEL, member_name(ledgers->members[i].process));
		cell(text_bytes(f->virtual_bytes));
		cell(text_bytes(f->resident_bytes));
		cell(text_bytes(f->swap_bytes));
		if (ledgers->count == 1)
			bar(f->resident_bytes, f->virtual_bytes);
		puts(ledgers->count == 1 ? " of virtual is resident" : "");
	}
	if (ledgers->count == 1)
		return;
	printf("%-*s", LABEL, "family, shared once");
	cell(text_bytes(ledgers->system.virtual_bytes));
	cell(text_bytes(ledgers->system.resident_bytes));
	cell(text_bytes(ledgers->system.swap_bytes));
	putchar('\n');
}

/* How many members' columns fit beside the family's. */
static size_t member_columns(size_t count)
{
	int room = (text_width() - LABEL - 3 * COLUMN) / COLUMN;
	size_t fit = room < 1 ? 1 : (size_t)room;
	if (fit > MEMBER_COLUMNS)
		fit = MEMBER_COLUMNS;
	return count < fit ? count : fit;
}

static void print_row(const struct breakdown *breakdown, int c)
{
	const struct ledger_family *ledgers = &breakdown->ledgers;
	const struct component_row *row = ledgers->count == 1 ? &ledgers->members[0].rows[c] : &ledgers->total[c];
	const struct figures *system = ledgers->count == 1 ? &ledgers->members[0].system : &ledgers->system;
	const char *label = c == C_ALLOCATOR ? ledgers->members[0].allocator : component_label(c);
	if (!row->present && c != C_UNEXPLAINED)
		return;
	printf("%-*s", LABEL, text_safe(label, LABEL - 1));
	cell(text_bytes(row->figures.virtual_bytes));
	cell(text_bytes(row->figures.resident_bytes));
	if (ledgers->count == 1) {
		cell(text_bytes(row->figures.swap_bytes));
		cell(row->used_bytes == JSON_UNKNOWN ? "-" : text_bytes(row->used_bytes));
		bar(row->figures.resident_bytes, system->resident_bytes);
	} else {
		cell(row->used_bytes == JSON_UNKNOWN ? "-" : text_bytes(row->used_bytes));
		for (size_t i = 0; i < member_columns(ledgers->count); i++)
			cell(text_bytes(ledgers->members[i].rows[c].figures.resident_bytes));
	}
	putchar('\n');
}

static void print_application_head(const struct breakdown *breakdown)
{
	const struct ledger_family *ledgers = &breakdown->ledgers;
	printf("\n%s%-*s%*s%*s", text_bold(), LABEL, "Application", COLUMN, "virtual", COLUMN, "resident");
	if (ledgers->count == 1) {
		printf("%*s%*s  of resident", COLUMN, "swap", COLUMN, "used");
	} else {
		printf("%*s", COLUMN, "used");
		for (size_t i = 0; i < member_columns(ledgers->count); i++)
			printf("%*d", COLUMN, (int)ledgers->members[i].process->pid);
	}
	printf("%s\n", text_reset());
}

/* The books close by construction; what is printed is computed here, not assumed. */
static void print_closes(const struct breakdown *breakdown)
{
	const struct ledger_family *ledgers = &breakdown->ledgers;
	size_t exact = 0;
	uint64_t worst = 0, worst_of = 0;
	for (size_t i = 0; i < ledgers->count; i++) {
		const struct ledger *ledger = &ledgers->members[i];
		struct figures sum = {0};
		for (int c = 0; c < C_COUNT; c++)
			figures_add(&sum, &ledger->rows[c].figures);
		exact += sum.resident_bytes == ledger->system.resident_bytes && sum.virtual_bytes == ledger->system.virtual_bytes;
		if (ledger->rows[C_UNEXPLAINED].figures.resident_bytes >= worst) {
			worst = ledger->rows[C_UNEXPLAINED].figures.resident_bytes;
			worst_of = ledger->system.resident_bytes;
		}
	}
	printf("%scomponents + unexplained = resident (%s)%s; unexplained %.1f %%%s\n", text_dim(),
	       exact == ledgers->count ? "exact" : "NOT EXACT: a fault of heapray", ledgers->count > 1 ? " in each process" : "",
	       worst_of ? 100.0 * (double)worst / (double)worst_of : 0.0, text_reset());
	if (ledgers->count > 1)
		printf("%sfamily: %s; columns: each member's own resident bytes%s\n", text_dim(), LEDGER_FAMILY_RULE, text_reset());
	if (member_columns(ledgers->count) < ledgers->count)
		printf("%s%zu more members are in --json, or one by one with --one PID%s\n", text_dim(),
		       ledgers->count - member_columns(ledgers->count), text_reset());
}

static void print_zone_loaded(const struct breakdown *breakdown)
{
	const struct component_row *row = &breakdown->ledgers.total[C_NGINX_SHM];
	if (row->present)
		printf("Zones: %s of %s loaded, whoever touched it. `heapray zones` shows each.\n", text_bytes(row->loaded_bytes),
		       text_bytes(row->figures.virtual_bytes));
}

static void print_waterfall(const struct ledger *ledger, bool many)
{
	struct waterfall w;
	if (!books_waterfall(ledger, &w))
		return;
	const struct {
		const char *name, *what;
		uint64_t bytes;
	} lines[] = {
	        {"requested", "what the program asked for", w.requested},
	        {"usable", w.usable_estimated ? "as malloc_usable_size says, estimated from samples" : "as malloc_usable_size says",
	         w.usable},
	        {"in use", "as the allocator counts", w.in_use},
	        {"free but held", "fragmentation and caches", w.free_held},
	        {"top", "of that, at the end of the heap", w.top},
	        {"mapped", "blocks with a mapping of their own", w.mapped},
	        {"held", "what it has from the kernel", w.held},
	        {"resident", "of that in memory", w.resident},
	};
	printf("\n%sInside %s%s", text_bold(), text_safe(w.name, 60), text_reset());
	if (many)
		printf(", %s", member_name(ledger->process));
	if (w.age_ns != JSON_UNKNOWN)
		printf("%s (its own figures are %s old)%s", text_dim(), text_duration(w.age_ns), text_reset());
	putchar('\n');
	uint64_t most = w.held > w.requested || w.requested == JSON_UNKNOWN ? w.held : w.requested;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		printf("  %-*s", LABEL - 2, lines[i].name);
		cell(text_bytes(lines[i].bytes));
		if (lines[i].bytes != JSON_UNKNOWN)
			bar(lines[i].bytes, most);
		printf("  %s%s%s\n", text_dim(), lines[i].what, text_reset());
	}
}

static void print_vms(const struct ledger *ledger, size_t *left)
{
	for (size_t i = 0; ledger->books && i < ledger->books->domain_count && *left; i++) {
		const struct hr_domain *domain = &ledger->books->domains[i];
		if ((domain->kind != HR_DOMAIN_LUAJIT && domain->kind != HR_DOMAIN_LUA) || domain->flags & HR_DOMAIN_CLOSED)
			continue;
		printf("  %-7d%-*s", (int)ledger->process->pid, LABEL - 9, text_safe(segment_domain_name(ledger->books, i), LABEL - 10));
		cell(text_bytes(domain->live_bytes));
		cell(text_bytes(domain->arena_bytes + domain->direct_bytes));
		cell(text_bytes(domain->free_held_bytes));
		cell(text_bytes(domain->machine_code_bytes));
		cell(text_bytes(domain->peak_bytes));
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
			printf("\n%s%-*s%*s%*s%s\n", text_bold(), LABEL + 14, component_label(component), COLUMN, "virtual", COLUMN,
			       "resident", text_reset());
		printf("  %-*s", LABEL + 12, text_safe(detail->label, LABEL + 10));
		cell(text_bytes(detail->figures.virtual_bytes));
		cell(text_bytes(detail->figures.resident_bytes));
		if (detail->ranges > 1)
			printf("  %sin %s ranges%s", text_dim(), text_count(detail->ranges), text_reset());
		putchar('\n');
	}
}

static int by_resident(const void *left, const void *right)
{
	const struct thread *a = *(const struct thread *const *)left, *b = *(const struct thread *const *)right;
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
	printf("\n%s%-*s%*s%*s%s\n", text_bold(), LABEL, "Threads' stacks", COLUMN, "virtual", COLUMN, "resident", text_reset());
	for (size_t i = 0; i < count && i < limit; i++) {
		char name[64];
		snprintf(name, sizeof name, "%d %s", order[i]->tid, text_safe(order[i]->name, 16));
		printf("  %-*s", LABEL - 2, name);
		cell(order[i]->end ? text_bytes(order[i]->figures.virtual_bytes) : "not found");
		cell(text_bytes(order[i]->figures.resident_bytes));
		putchar('\n');
	}
	if (count > limit)
		printf("  %s%zu more with --limit 0%s\n", text_dim(), count - limit, text_reset());
	free(order);
}

void breakdown_print(const struct breakdown *breakdown, size_t limit)
{
	const struct ledger_family *ledgers = &breakdown->ledgers;
	bool many = ledgers->count > 1;
	print_title(breakdown);
	print_system(breakdown);
	print_application_head(breakdown);
	for (int c = 0; c < C_COUNT; c++)
		print_row(breakdown, c);
	print_closes(breakdown);
	print_zone_loaded(breakdown);
	for (size_t i = 0; i < ledgers->count && i < limit; i++)
		print_waterfall(&ledgers->members[i], many);
	if (has_vms(ledgers)) {
		size_t left = limit;
		printf("\n%s%-*s%*s%*s%*s%*s%*s%s\n", text_bold(), LABEL, "VMs", COLUMN, "used", COLUMN, "held", COLUMN, "free held",
		       COLUMN, "machine code", COLUMN, "peak", text_reset());
		for (size_t i = 0; i < ledgers->count; i++)
			print_vms(&ledgers->members[i], &left);
	}
	for (size_t i = 0; i < ledgers->count; i++) {
		pools_print(&breakdown->members[i].pools, ledgers->members[i].process->pid, limit);
		subsystems_print(&breakdown->members[i].subsystems, ledgers->members[i].process->pid, limit);
		if (many)
			continue;
		print_details(&ledgers->members[i], C_MMAP, limit);
		print_details(&ledgers->members[i], C_UNEXPLAINED, limit);
		print_threads(&ledgers->members[i], limit);
	}
	if (!breakdown->ledgers.members[0].process->segment)
		printf("\nStarted with `heapray run -- CMD` it would also say who holds the allocator's memory, what each Lua VM\n"
		       "uses, and how much of the allocator's memory is free but held.\n");
	quality_print(&breakdown->quality, stdout);
}
