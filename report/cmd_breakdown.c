/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_breakdown.c - `heapray breakdown TARGET`: where a process's memory is, and that it adds up.
 */
#include "breakdown.h"
#include "callers.h"
#include "command.h"
#include "options.h"
#include "snapshot.h"
#include "text.h"
#include "xalloc.h"

#define FIRST_SCREEN 12

static const char doc[] = "Shows where the memory of a process or family is: the system's figures and, for "
			  "each component, what it has "
			  "of them. Works for any process; one under the shim tells more."
			  "\vEXAMPLES\n"
			  "  heapray breakdown $(cat /run/nginx.pid)     master, workers and their sum\n"
			  "  heapray breakdown --one 4711                that process alone\n"
			  "  heapray breakdown --json 4711 | jq '.total'\n";

/* The parts that only a segment and the process's own structures can tell. */
void breakdown_gather(struct breakdown *breakdown)
{
	const struct ledger_family *ledgers = &breakdown->ledgers;
	struct callers *callers = callers_open();
	breakdown->members = xcalloc(ledgers->count, sizeof *breakdown->members);
	for (size_t i = 0; i < ledgers->count; i++) {
		const struct ledger *ledger = &ledgers->members[i];
		const struct process *process = ledger->process;
		struct breakdown_member *member = &breakdown->members[i];
		if (!ledger->books)
			continue;
		struct stacks_of *stacks =
			callers_stacks(callers, ledger->books, process->alive ? process->pid : 0);
		if (ledger->books == process->segment) {
			subsystems_add(stacks, ledger->books, false, &member->subsystems);
			subsystems_add(stacks, ledger->books, ledger->parent_counts, &breakdown->subsystems);
		}
		if (process->alive && ledger->program.nginx) {
			struct peek peek;
			peek_open(&peek, process->pid);
			pools_read(stacks, ledger->books, &process->segment->header, &peek, &member->pools);
			peek_close(&peek);
		}
		subsystems_sort(&member->subsystems);
		callers_stacks_free(stacks);
	}
	subsystems_sort(&breakdown->subsystems);
	callers_close(callers);
}

int cmd_breakdown(int argc, char **argv)
{
	struct options options = {0};
	struct argp_child children[] = {{.argp = &options_argp}, {0}};
	struct argp argp = {.args_doc = "[TARGET]", .doc = doc, .children = children};
	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return 2;

	struct family family;
	if (family_open(&options, &family))
		return 2;
	if (family.snapshot)
		return snapshot_show_breakdown(family.snapshot, options.json);
	struct breakdown breakdown = {.family = &family};
	quality_of(&family, &breakdown.quality);
	if (ledger_family_build(&breakdown.ledgers, &family, &breakdown.quality))
		return 2;
	breakdown_gather(&breakdown);
	if (options.json)
		json_print(breakdown_json(&breakdown), stdout);
	else
		breakdown_print(&breakdown, !options.limit_given ? FIRST_SCREEN
					    : options.limit      ? options.limit
								 : SIZE_MAX);
	return 0;
}
