/* SPDX-License-Identifier: BSD-2-Clause */
/* compare_figures.h - from what was seen of a run to its figures. */
#ifndef HEAPRAY_COMPARE_FIGURES_H
#define HEAPRAY_COMPARE_FIGURES_H

#include "compare_run.h"

/* After observe_finish. Fills value, samples, sizes, processes; takes the samples over. */
void figures_fill(const struct compare *compare, const struct arm *arm, struct running *running, struct run *run);

#endif
