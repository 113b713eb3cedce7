/* SPDX-License-Identifier: BSD-2-Clause */
/* readable.c - the only file that knows libiberty (whose header has its own xcalloc and friends: no xalloc.h here). */
#include "readable.h"

#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

#define MOST_LENGTH 4096 /* the demangler recurses, and its output may be far longer: such a name is shown as it is */

char *readable_name(const char *name)
{
	char *readable = NULL;

	if (name[0] == '_' && (name[1] == 'Z' || name[1] == 'R') && strlen(name) < MOST_LENGTH) {
		readable = rust_demangle(name, 0);
		if (!readable)
			readable = cplus_demangle_v3(name, DMGL_PARAMS | DMGL_ANSI);
	}
	return readable ? readable : strdup(name);
}
