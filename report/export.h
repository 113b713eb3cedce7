/* SPDX-License-Identifier: BSD-2-Clause */
/* export.h - the formats of `heapray export`. Each writes to `out`; the caller looks at its errors. */
#ifndef HEAPRAY_EXPORT_H
#define HEAPRAY_EXPORT_H

#include "json.h"
#include "model.h"

#include <stdio.h>

/*
 * A line a stack: "heap;outermost;...;innermost VALUE", as flamegraph.pl and speedscope read it. In names ';' is ':'
 * and control characters are '?'. Stacks with 0 are left out.
 */
void export_folded(const struct model *model, enum measure by, FILE *out);

/*
 * profile.proto, gzipped: alloc_objects, alloc_space, inuse_objects, inuse_space, with mappings and build-ids, names
 * and lines, inlined functions, and the heap as a label "domain". taken_ns: realtime.
 */
void export_pprof(const struct family *family, const struct model *model, uint64_t taken_ns, uint64_t duration_ns, FILE *out);

/*
 * Prometheus' text format 0.0.4, from what `breakdown` and `zones` print as JSON; NULL: heapray_up 0. Labels are
 * bounded: processes by role and place among those of their role, the largest owners, zones.
 */
void export_prometheus(const struct json *breakdown, const struct json *zones, double seconds, FILE *out);

/*
 * Serves what `make` writes at http://ADDRESS:PORT/metrics until SIGINT or SIGTERM. `address` as 127.0.0.1:9464 or
 * [::1]:9464; an empty host is 127.0.0.1. Each answer is made by a child, which may fail: 503. Returns the exit status.
 */
int export_listen(const char *address, int (*make)(void *context, FILE *out), void *context);

#endif
