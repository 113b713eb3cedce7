/* SPDX-License-Identifier: BSD-2-Clause */
/* stacks.h - the report of `heapray stacks`, which `heapray run --report` writes too. */
#ifndef HEAPRAY_STACKS_H
#define HEAPRAY_STACKS_H

#include "family.h"
#include "model.h"
#include "options.h"

#include <stdio.h>

struct stacks_options {
	struct options common;
	enum measure by;
	enum group group;
	const char *domain; /* --domain; NULL: all */
};

/* Writes the report of a family, text or JSON as asked. Returns the exit status, errors printed. */
int stacks_report(const struct family *family, const struct stacks_options *options, FILE *out);

#endif
