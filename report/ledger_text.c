/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_text.c - `breakdown` for people.
 *
 * The first screen is two tables: the system's view (who has how much) and the application's (what it is),
 * and the line that says that the second sums to the first. What is below is ledger_text_more.c.
 */
#include <stdio.h>
#include <string.h>

#include "ledger_text.h"
#include "process.h"
#include "text.h"
#include "xalloc.h"

#define BAR 20
#define MEMBER_COLUMNS 6

const char *breakdown_member_name(const struct process *process)
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

void breakdown_cell(const char *text)
{
	printf("%*s", COLUMN, text);
}

void breakdown_bar(uint64_t part, uint64_t whole)
{
	char cells[BAR + 1];
	uint64_t filled = whole ? (uint64_t)((unsigned __int128)part * BAR / whole) : 0;
	if (!filled && part)
		filled = 1; /* there is something */
	memset(cells, '.', BAR);
	memset(cells, '#', filled < BAR ? filled : BAR);
	cells[BAR] = 0;
	printf("  %s%.*s%s%s%s%s %5.1f %%", text_cyan(), (int)(filled < BAR ? filled : BAR), cells,
		text_reset(), text_dim(), cells + (filled < BAR ? filled : BAR), text_reset(),
		whole ? 100.0 * (double)part / (double)whole : 0.0);
}

static void print_title(const struct breakdown *breakdown)
{
	const struct process *first = breakdown->ledgers.members[0].process;
	size_t count = breakdown->ledgers.count, preloaded = 0;
	for (size_t i = 0; i < count; i++)
		preloaded += breakdown->ledgers.members[i].process->segment != NULL;
	printf("%s%s%s, pid %d", text_bold(), text_safe(first->exe[0] ? first->exe : "?", 200), text_reset(),
		(int)first->pid);
	if (count > 1)
		printf(" and %zu more of its family", count - 1);
	puts(preloaded == count ? "" : preloaded ? ", partly preloaded" : ", not preloaded");
	if (breakdown->ledgers.members[0].published)
		printf("The process has ended; this is the last ledger it published.\n");
}

static void print_system(const struct breakdown *breakdown)
{
	const struct ledger_family *ledgers = &breakdown->ledgers;
	printf("\n%s%-*s%*s%*s%*s%s\n", text_bold(), LABEL, "System", COLUMN, "virtual", COLUMN, "resident",
		COLUMN, "swap", text_reset());
	for (size_t i = 0; i < ledgers->count; i++) {
		const struct usage *f = &ledgers->members[i].system;
		printf("%-*s", LABEL, breakdown_member_name(ledgers->members[i].process));
		breakdown_cell(text_bytes(f->virtual_bytes));
		breakdown_cell(text_bytes(f->resident_bytes));
		breakdown_cell(text_bytes(f->swap_bytes));
		if (ledgers->count == 1)
			breakdown_bar(f->resident_bytes, f->virtual_bytes);
		puts(ledgers->count == 1 ? " of virtual is resident" : "");
	}
	if (ledgers->count == 1)
		return;
	printf("%-*s", LABEL, "family, shared once");
	breakdown_cell(text_bytes(ledgers->system.virtual_bytes));
	breakdown_cell(text_bytes(ledgers->system.resident_bytes));
	breakdown_cell(text_bytes(ledgers->system.swap_bytes));
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
	const struct component_row *row =
		ledgers->count == 1 ? &ledgers->members[0].rows[c] : &ledgers->total[c];
	const struct usage *system = ledgers->count == 1 ? &ledgers->members[0].system : &ledgers->system;
	const char *label = c == C_ALLOCATOR ? ledgers->members[0].allocator : component_label(c);
	if (!row->present && c != C_UNEXPLAINED)
		return;
	printf("%-*s", LABEL, text_safe(label, LABEL - 1));
	breakdown_cell(text_bytes(row->figures.virtual_bytes));
	breakdown_cell(text_bytes(row->figures.resident_bytes));
	if (ledgers->count == 1) {
		breakdown_cell(text_bytes(row->figures.swap_bytes));
		breakdown_cell(row->used_bytes == JSON_UNKNOWN ? "-" : text_bytes(row->used_bytes));
		breakdown_bar(row->figures.resident_bytes, system->resident_bytes);
	} else {
		breakdown_cell(row->used_bytes == JSON_UNKNOWN ? "-" : text_bytes(row->used_bytes));
		for (size_t i = 0; i < member_columns(ledgers->count); i++)
			breakdown_cell(text_bytes(ledgers->members[i].rows[c].figures.resident_bytes));
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
		struct usage sum = {0};
		for (int c = 0; c < C_COUNT; c++)
			usage_add(&sum, &ledger->rows[c].figures);
		exact += sum.resident_bytes == ledger->system.resident_bytes &&
			 sum.virtual_bytes == ledger->system.virtual_bytes;
		if (ledger->rows[C_UNEXPLAINED].figures.resident_bytes >= worst) {
			worst = ledger->rows[C_UNEXPLAINED].figures.resident_bytes;
			worst_of = ledger->system.resident_bytes;
		}
	}
	printf("%scomponents + unexplained = resident (%s)%s; unexplained %.1f %%%s\n", text_dim(),
		exact == ledgers->count ? "exact" : "NOT EXACT: a fault of heapray",
		ledgers->count > 1 ? " in each process" : "",
		worst_of ? 100.0 * (double)worst / (double)worst_of : 0.0, text_reset());
	if (ledgers->count > 1)
		printf("%sfamily: %s; columns: each member's own resident bytes%s\n", text_dim(),
			LEDGER_FAMILY_RULE, text_reset());
	if (member_columns(ledgers->count) < ledgers->count)
		printf("%s%zu more members are in --json, or one by one with --one PID%s\n", text_dim(),
			ledgers->count - member_columns(ledgers->count), text_reset());
}

static void print_zone_loaded(const struct breakdown *breakdown)
{
	const struct component_row *row = &breakdown->ledgers.total[C_NGINX_SHM];
	if (row->present)
		printf("Zones: %s of %s loaded, whoever touched it. `heapray zones` shows each.\n",
			text_bytes(row->loaded_bytes), text_bytes(row->figures.virtual_bytes));
}

void breakdown_print(const struct breakdown *breakdown, size_t limit)
{
	print_title(breakdown);
	print_system(breakdown);
	print_application_head(breakdown);
	for (int c = 0; c < C_COUNT; c++)
		print_row(breakdown, c);
	print_closes(breakdown);
	print_zone_loaded(breakdown);
	breakdown_print_more(breakdown, limit);
	if (!breakdown->ledgers.members[0].process->segment)
		printf("\nStarted with `heapray run -- CMD` it would also say who holds the allocator's "
		       "memory, what each Lua VM\n"
		       "uses, and how much of the allocator's memory is free but held.\n");
	quality_print(&breakdown->quality, stdout);
}
