/* SPDX-License-Identifier: BSD-2-Clause */
/* top_view.h - draws what `heapray top` shows. */
#ifndef HEAPRAY_TOP_VIEW_H
#define HEAPRAY_TOP_VIEW_H

#include "top_rows.h"

struct top_state {
	bool paused, asking;   /* asking: the filter is being typed */
	bool frames;           /* the frames of the selected row instead of the rows */
	size_t selected, scroll;
};

/* Fits any size; the screen is shown at the end. Keeps selected and scroll within the rows. */
void top_draw(const struct top *top, struct top_state *state);
/* Rows that fit on the screen now. */
size_t top_page(const struct top *top);

#endif
