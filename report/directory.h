/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * directory.h - finding segments: those live processes map, and those in the directories.
 *
 * A segment is live when a process maps its file, not when its pid exists. It is trusted when its
 * owner is the uid of the process it names, or our own.
 */
#ifndef HEAPRAY_DIRECTORY_H
#define HEAPRAY_DIRECTORY_H

#include "options.h"
#include "segment.h"

struct found {
	struct segment *segment; /* its header alone */
	char *open_path;         /* where it can be opened: its path, or through /proc */
	pid_t pid;               /* of the live process as we see it; 0: ended */
};

struct directory {
	struct found *found; /* in the order they were created */
	size_t count, capacity;
	bool quiet;
};

/*
 * All of them. With --dir or $HEAPRAY_DIR those of that directory; otherwise every live one that may
 * be read and the ended ones of /dev/shm/heapray.<uid> (as root: of every user). What cannot be read
 * is left out, with a note unless quiet. Returns 0, or -1 with the error printed.
 */
int directory_open(const struct options *options, bool quiet, struct directory *directory);
void directory_close(struct directory *directory);

/* The entry of a live process; NULL. */
struct found *directory_of_pid(const struct directory *directory, pid_t pid);
/* The entry of this very file, found or added; NULL with the error printed. */
struct found *directory_of_path(struct directory *directory, const char *path);
/* Reads the rows of an entry's segment. Returns 0, or -1 with the error printed. */
int directory_read_rows(struct found *found);
/* Why /proc/PID/maps of a live process cannot be read: an errno, 0 when it can. */
int directory_permission(pid_t pid);

#endif
