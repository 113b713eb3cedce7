/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command_json.h - what another command prints with --json, as a value: the page and the exports show the same
 * figures because they are made from the same words.
 *
 * The command runs in a child of ours: several at a time, and what it leaves in memory goes with it.
 */
#ifndef HEAPRAY_COMMAND_JSON_H
#define HEAPRAY_COMMAND_JSON_H

#include "json.h"
#include "options.h"

#include <sys/types.h>

struct command_json {
	pid_t pid;
	int fd;
};

/*
 * Starts `heapray NAME TARGET --json` with --dir and --one of the options; `more` are further words, ending with
 * NULL, or NULL. `run` is of command.h.
 */
struct command_json command_json_start(int (*run)(int argc, char **argv), const char *name, const struct options *options, const char *target,
	const char *const *more);
/* Waits for it. NULL when it failed: it has said why. The value is the caller's. */
struct json *command_json_finish(struct command_json *command);

#endif
