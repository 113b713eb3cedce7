/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - a table of commands. Each is one cmd_*.c, and says what it takes with --help. */
#include "command.h"
#include "text.h"
#include "xalloc.h"

#include "heapray_segment.h"

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{"run", cmd_run, "start a command with its memory watched"},
	{"ps", cmd_ps, "the watched processes, as a tree"},
	{"breakdown", cmd_breakdown, "where the memory is: the allocator, LuaJIT, shared zones, code, stacks"},
	{"stacks", cmd_stacks, "who holds it: call paths by bytes"},
	{"zones", cmd_zones, "nginx shared-memory zones and their slabs"},
	{"growth", cmd_growth, "what grows, how fast, and is it a leak"},
	{"top", cmd_top, "the live screen"},
	{"snapshot", cmd_snapshot, "keep it all in a file that opens anywhere"},
	{"diff", cmd_diff, "what changed between two of them"},
	{"mark", cmd_mark, "name a moment that reports can start at"},
	{"compare", cmd_compare, "run a command under several allocators, and say which differ"},
	{"report", cmd_report, "one page with the pictures"},
	{"export", cmd_export, "for flame graphs, pprof, Prometheus"},
	{"clean", cmd_clean, "remove what ended processes left"},
};

static void usage(FILE *out)
{
	fputs("Usage: heapray COMMAND [OPTION...] [TARGET]\n"
	      "An X-ray of a process's memory.\n\n", out);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].what);
	fputs("\nTARGET is a pid (with all it forked), a segment file, a snapshot, or left out: the newest watched process.\n"
	      "\nExamples:\n"
	      "  heapray run -- nginx -c /etc/nginx/nginx.conf   start nginx watched\n"
	      "  heapray ps                                      find the master's pid\n"
	      "  heapray breakdown 1234                          where its memory is\n"
	      "  heapray stacks 1234 --group owner               who holds it\n"
	      "  heapray growth 1234 --for 60s                   is it a leak, and whose\n"
	      "\n`heapray COMMAND --help' says what a command takes; heapray(1) says the rest.\n", out);
}

static void version(void)
{
	printf("heapray %s (segment version %u)\n", HEAPRAY_VERSION, HR_VERSION);
}

int main(int argc, char **argv)
{
	argp_err_exit_status = 2;

	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		version();
		return 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		argv[1] = xasprintf("heapray %s", commands[i].name); /* argp prints it before each message */
		const int status = commands[i].run(argc - 1, argv + 1);
		if (fflush(stdout) != 0 || ferror(stdout)) {
			text_error("Is the file system full, or the reader gone?", "standard output: write failed");
			return 2;
		}
		return status;
	}
	text_error("Try `heapray --help'.", "%s: no such command", text_safe(argv[1], 60));
	return 2;
}
