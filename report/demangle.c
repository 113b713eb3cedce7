/* SPDX-License-Identifier: BSD-2-Clause */
/* demangle.c - the only file that knows libiberty. */
#include "demangle.h"

#include "xalloc.h"

#include <libiberty/demangle.h>

#define MOST_LENGTH 4096 /* the demangler recurses and its output can be exponential: such a name is shown as it is */

char *demangle(const char *name)
{
	char *readable = NULL;

	if (strncmp(name, "_Z", 2) == 0 || strncmp(name, "_R", 2) == 0) {
		if (strlen(name) < MOST_LENGTH)
			readable = cplus_demangle_v3(name, DMGL_PARAMS | DMGL_ANSI);
		if (!readable && strlen(name) < MOST_LENGTH)
			readable = rust_demangle(name, 0);
	}
	return readable ? readable : xstrdup(name);
}
