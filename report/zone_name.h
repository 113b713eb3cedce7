/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_name.h - whose a zone is: its kind and its name, both hostile text from the target.
 */
#ifndef HEAPRAY_ZONE_NAME_H
#define HEAPRAY_ZONE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ZONE_NAME 256
#define ZONE_KIND 64

struct zone_name {
	char name[ZONE_NAME]; /* "" = not known */
	char kind[ZONE_KIND]; /* lua_shared_dict, limit_req, ..., "other" */
};

/* From what nginx adds to its log lines: ` in limit_req zone "one"`. Returns false when it is not of that
 * form. */
bool zone_name_parse(const char *log_context, struct zone_name *name);

/* True when pid runs an nginx: its executable exports ngx_cycle. */
bool zone_process_is_nginx(pid_t pid);

/*
 * From the list of zones in pid's ngx_cycle, for zones that keep no name in their pool; also
 * recognises the zone of nginx's own counters. Needs the right to read pid's memory. Returns false
 * when the zone [start, end) was not found.
 */
bool zone_name_from_cycle(pid_t pid, uint64_t start, uint64_t end, struct zone_name *name);

#endif
