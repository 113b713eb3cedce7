/* SPDX-License-Identifier: BSD-2-Clause */
/* segment_private.h - between segment.c and segment_reap.c. */
#ifndef HEAPRAY_SEGMENT_PRIVATE_H
#define HEAPRAY_SEGMENT_PRIVATE_H

#include <stdint.h>

#define REAP_ONE_IN 16u /* creations of a segment */

/* Writes a decimal number, without an end. Returns what follows it. */
char *hr_segment_number(char *at, uint64_t n);

/* Removes the files of ended processes of this pid namespace, but for the newest 64. */
void hr_segment_reap(void);

#endif
