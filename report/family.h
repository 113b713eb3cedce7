/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * family.h - from TARGET to the processes it names.
 *
 * A family is a process and all it forked, each a member until it execs. Members are in the order of
 * their birth, the target first. Of a live target the live members are named, of an ended one the
 * ended ones.
 */
#ifndef HEAPRAY_FAMILY_H
#define HEAPRAY_FAMILY_H

#include "options.h"
#include "segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct process {
	pid_t pid, parent_pid;   /* as the reporter sees them; of an ended process as it saw them itself */
	uint32_t role;           /* enum hr_role; role_name() of process.h prints it */
	uint32_t generation;     /* of nginx's reloads, as the segment says; 0 without one */
	bool alive;
	bool draining;           /* an nginx worker that is shutting down */
	char *exe;               /* "" when not known */
	struct segment *segment; /* NULL: not preloaded */
	size_t parent;           /* index in members of the one that forked it; SIZE_MAX: none of them */
};

struct family {
	struct process *members;
	size_t count;
	struct snapshot *snapshot; /* it was read from there, with all that was kept (snapshot.h); NULL: processes, segments */
};

/*
 * Resolves options->target: a pid, a segment's path, a snapshot, a folder of snapshots (the newest), or
 * left out (the newest live family, named on stderr). A live pid without a segment is a process that is not preloaded, with the descendants
 * that run the same executable. Returns 0, or -1 with the error printed.
 */
int family_open(const struct options *options, struct family *family);
/*
 * Every watched process, ended ones too if asked for, and what they forked that runs their executable
 * without being watched (segment NULL). `parent` is whose child it is shown as. Returns 0 or -1.
 */
int family_all(const struct options *options, bool ended, struct family *family);
void family_close(struct family *family);

#endif
