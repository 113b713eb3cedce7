/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subsystem.h - whose the allocator's blocks are, in words an nginx user knows: nginx core, each module
 * (ngx_http_proxy, ngx_http_lua, ...), OpenSSL, PCRE, zlib, and any other library by its file's name.
 */
#ifndef HEAPRAY_SUBSYSTEM_H
#define HEAPRAY_SUBSYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "segment.h"

struct subsystem {
	char name[64];
	uint64_t live_bytes, live_count;
};

struct subsystems {
	struct subsystem *list; /* by live bytes downwards, then name */
	size_t count, room;
};

/*
 * The name for a function (NULL: not known) in a file (its base name). For nginx functions the module that
 * defines them, after nginx's own naming: ngx_http_proxy_handler is of ngx_http_proxy. Writes at most `size`
 * bytes.
 */
void subsystem_name(const char *function, const char *file, char *name, size_t size);

/*
 * Adds the live blocks of the allocator (domain 0) by the owner of their stacks. `shared`: without what the
 * process inherited, for the sum of a family that its parent is in.
 */
struct stacks_of;
void subsystems_add(
	struct stacks_of *stacks, const struct segment *segment, bool shared, struct subsystems *subsystems);
void subsystems_sort(struct subsystems *subsystems);
struct json *subsystems_json(const struct subsystems *subsystems);
void subsystems_print(const struct subsystems *subsystems, size_t limit);
void subsystems_free(struct subsystems *subsystems);

#endif
