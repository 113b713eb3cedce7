/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - what every command takes: TARGET, --json, --dir, --one, --limit, --color, --bytes.
 *
 * A command declares its own options in an argp_option table and adds options_argp as a child, whose
 * input is its struct options (set child_inputs[0] at ARGP_KEY_INIT). Usage errors exit with 2.
 * options_argp takes the first word as TARGET. argp asks the command before its child: one that takes
 * a second word returns ARGP_ERR_UNKNOWN to ARGP_KEY_ARG as long as target is NULL.
 */
#ifndef HEAPRAY_OPTIONS_H
#define HEAPRAY_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options {
	const char *target;  /* NULL: the newest live family */
	const char *dir;     /* --dir: where segments are; NULL: $HEAPRAY_DIR, else /dev/shm/heapray.<uid> */
	bool json, one, exact_bytes;
	bool limit_given;
	size_t limit;        /* rows; text output has a first screenful unless given, 0 = all */
};

extern const struct argp options_argp;

/* Reads "64K", "1.5M", "2GiB", "4096" into bytes. Returns 0, or -1 when the text is no size. */
int options_parse_bytes(const char *text, uint64_t *bytes);
/* Reads "30", "30s", "5m", "2h", "500ms" into ns. Returns 0, or -1 when the text is no duration. */
int options_parse_duration(const char *text, uint64_t *ns);

#endif
