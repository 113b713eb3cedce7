/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth_exit.h - leaks at exit: of what was still live when a program ended, what had been there since the
 * first half of its run (made once, kept by design) and what grew until the end.
 *
 * Counters at exit cannot tell the two apart, so the parent of the program reads them while it runs.
 */
#ifndef HEAPRAY_GROWTH_EXIT_H
#define HEAPRAY_GROWTH_EXIT_H

#include "family.h"
#include "options.h"

#include <stdio.h>

struct exit_watch; /* of one run */

struct exit_watch *exit_watch_new(pid_t program, const struct options *options);
/* Reads the family, if it is time to. Returns in how many milliseconds it wants to be called again. */
int exit_watch_tick(struct exit_watch *watch);
/* Says which stacks grew and how much did not, of the family as it ended. */
void exit_watch_print(struct exit_watch *watch, const struct family *ended, FILE *out);
void exit_watch_free(struct exit_watch *watch);

#endif
