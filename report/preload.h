/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * preload.h - what LD_PRELOAD needs: our library, the allocator's library, and a program that a loader
 * will preload into.
 */
#ifndef HEAPRAY_PRELOAD_H
#define HEAPRAY_PRELOAD_H

#include <stdbool.h>

/* The path of libheapray.so: beside our executable, else in ../lib/heapray. NULL with the error printed. */
char *preload_library(void);

/*
 * The library of glibc (NULL in *path: nothing to preload), jemalloc, tcmalloc, mimalloc, or of a path.
 * Returns 0, or -1 with the error printed.
 */
int preload_allocator(const char *name, char **path);

/*
 * Looks for a command as execvp does. The path, or NULL with *status the shell's: 127 not found, 126
 * not executable.
 */
char *preload_find_command(const char *name, int *status);

/*
 * Why the program at `path` (of a script its interpreter) will not be preloaded: "statically linked",
 * ...; NULL when it will. *stumbles: its loader would refuse to start it with our LD_PRELOAD, where
 * others just ignore it.
 */
const char *preload_obstacle(const char *path, bool *stumbles);

/* Just before the exec: with HEAPRAY_FOLLOW_EXEC=0, names this process as the one to be watched. */
void preload_mark_root(void);

#endif
