/* SPDX-License-Identifier: BSD-2-Clause */
/* growth_limit.h - the memory limit of a process's cgroup, v1 or v2. */
#ifndef HEAPRAY_GROWTH_LIMIT_H
#define HEAPRAY_GROWTH_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The tightest limit on the way from the process's cgroup to the root, and what that cgroup counts now.
 * False when there is none, or it cannot be read. `root` is where cgroups are mounted (/sys/fs/cgroup),
 * `membership` a file like /proc/PID/cgroup: tests have their own.
 */
bool cgroup_limit(const char *root, const char *membership, uint64_t *limit, uint64_t *usage);
bool cgroup_limit_of(pid_t pid, uint64_t *limit, uint64_t *usage);

#endif
