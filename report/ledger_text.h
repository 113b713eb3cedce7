/* SPDX-License-Identifier: BSD-2-Clause */
/* ledger_text.h - what the two files that print `breakdown` for people share. */
#ifndef HEAPRAY_LEDGER_TEXT_H
#define HEAPRAY_LEDGER_TEXT_H

#include "breakdown.h"

#define LABEL 26  /* width of the first column */
#define COLUMN 12 /* width of the others */

/* "4711 worker, gen 2, draining"; a static buffer. */
const char *breakdown_member_name(const struct process *process);
/* One right-aligned column. */
void breakdown_cell(const char *text);
/* A bar of part in whole, and the percentage. */
void breakdown_bar(uint64_t part, uint64_t whole);

/* All below the first screen: inside the allocator, VMs, pools, owners, mmaps, threads. */
void breakdown_print_more(const struct breakdown *breakdown, size_t limit);

#endif
