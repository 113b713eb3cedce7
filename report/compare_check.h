/* SPDX-License-Identifier: BSD-2-Clause */
/* compare_check.h - whether the allocator that served a run is the one the arm names. */
#ifndef HEAPRAY_COMPARE_CHECK_H
#define HEAPRAY_COMPARE_CHECK_H

#include "compare_run.h"

/* Sets run->served_by, and run->self_check where it is not. */
void check_run(const struct compare *compare, const struct arm *arm, const struct running *running, struct run *run);
/* The check of one process, from its segment's header and strings: a sentence, or NULL. *only_new: malloc is right. */
char *check_segment(const struct segment *segment, const char *library, bool *only_new);

#endif
