/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_breakdown.c - `heapray breakdown TARGET`: where a process's memory is, and that it adds up.
 */
#include "breakdown.h"
#include "command.h"
#include "options.h"
#include "text.h"
#include "xalloc.h"

#define FIRST_SCREEN 12

static const char doc[] =
        "Shows where the memory of a process or family is: the system's figures and, for each component, what it has "
        "of them. Works for any process; one under the shim tells more."
        "\vEXAMPLES\n"
        "  heapray breakdown $(cat /run/nginx.pid)     master, workers and their sum\n"
        "  heapray breakdown --one 4711                that process alone\n"
        "  heapray breakdown --json 4711 | jq '.total'\n";

/* The parts that only a segment and the process's own structures can tell. */
static void gather_members(struct breakdown *breakdown)
{
	breakdown->members = xcalloc(breakdown->ledgers.count, sizeof *breakdown->members);
	for (size_t i = 0; i < breakdown->ledgers.count; i++) {
		const struct ledger *ledger = &breakdown->ledgers.members[i];
		struct breakdown_member *member = &breakdown->members[i];
		if (!ledger->books)
			continue;
		int pid = ledger->published ? 0 : ledger->process->pid;
		subsystems_of(ledger->books, pid, &member->subsystems);
		if (pid && ledger->program.nginx)
			pools_read(ledger->process->segment, pid, &member->pools);
	}
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
	struct breakdown breakdown = {.family = &family};
	quality_of(&family, &breakdown.quality);
	if (ledger_family_build(&breakdown.ledgers, &family, &breakdown.quality))
		return 2;
	gather_members(&breakdown);
	if (options.json)
		json_print(breakdown_json(&breakdown), stdout);
	else
		breakdown_print(&breakdown, !options.limit_given ? FIRST_SCREEN : options.limit ? options.limit : SIZE_MAX);
	return 0;
}
