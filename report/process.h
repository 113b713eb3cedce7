/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * process.h - facts of a live process from /proc/PID. Nothing is cached; a process may end between
 * two calls, which is then an ordinary "not known".
 */
#ifndef HEAPRAY_PROCESS_H
#define HEAPRAY_PROCESS_H

#include "heapray_segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

bool process_exists(pid_t pid); /* and is no zombie */
/* The results are the caller's. NULL when not known (a kernel thread, no permission, gone). */
char *process_exe(pid_t pid);     /* without " (deleted)" */
char *process_cmdline(pid_t pid); /* arguments joined by spaces; nginx's title */
/* From /proc/PID/status. Return 0, or -1 when gone. */
int process_parent(pid_t pid, pid_t *parent);
int process_uids(pid_t pid, uid_t uids[4]); /* real, effective, saved, file system */
/* Whether `inner` is this process's number in one of its pid namespaces. */
bool process_is_known_as(pid_t pid, pid_t inner);
uint64_t process_resident_bytes(pid_t pid); /* UINT64_MAX: not known */
/* CLOCK_BOOTTIME ns at which it started; 0 when gone. */
uint64_t process_start_ns(pid_t pid);
/* All pids in ascending order; the array is the caller's. */
size_t process_list(pid_t **pids);

/* enum hr_role from an nginx title; HR_ROLE_PROCESS for all others. */
uint32_t role_from_title(const char *title);
bool title_is_draining(const char *title); /* "... is shutting down" */
/* master, worker, cache manager, cache loader, process */
const char *role_name(uint32_t role);

#endif
