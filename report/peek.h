/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peek.h - reading another process's memory by address, without stopping it and without changing it.
 *
 * A page of anonymous memory that was never touched is allocated when it is read from outside, and counted
 * in the process's Rss (seen on Linux 6.18: 100 such reads, 400 KiB). So only pages that are resident are
 * read. What is read may change under the reader and may be anything: callers validate every word.
 */
#ifndef HEAPRAY_PEEK_H
#define HEAPRAY_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pagemap.h"

#define PEEK_WINDOW 512u /* pages asked about at a time */

struct peek {
	int pid;
	struct pagemap pagemap;
	uint64_t window; /* address from which `resident` tells, when `known` */
	bool known;
	uint8_t resident[PEEK_WINDOW]; /* of the pages there, when they were last asked about */
};

/* Never fails: without the right to read, every read does. */
void peek_open(struct peek *peek, int pid);
void peek_close(struct peek *peek);

/* Copies [address, address + length) of the process. False when a page of it is not resident or cannot be
 * read. */
bool peek_at(struct peek *peek, uint64_t address, void *to, size_t length);

/* The same for large ranges, where pages that are not resident read as zeros. False when it cannot be read.
 */
bool peek_range(struct peek *peek, uint64_t address, void *to, size_t length);

#endif
