/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page_pack.h - all stacks of a model in few bytes of JSON, which page.js unpacks.
 *
 *   {"strings":[...], "domains":[...], "frames":"...", "nodes":"...", "rows":"...", "total":{...}}
 *
 * The three in quotes are numbers, each as digits of 5 bits with the lowest first, a sixth bit saying that more
 * follow, written as one of 64 characters (A-Z a-z 0-9 - _). Signed ones have their sign in the lowest bit.
 *
 *   frames  label, module, file: strings; line; flags: kind of model.h | wrapper << 2
 *   nodes   the trie, depth first, all of it below node 0: levels to go up from the one before, frame
 *   rows    node, domain: signed differences to the row before; live bytes and count, peak, allocated bytes and
 *           count, temporary, kind (1: an estimate, 2: the sum of smaller stacks), grown (signed)
 *
 * 20,000 stacks take about half a megabyte this way, a tenth of what an object a frame would.
 */
#ifndef HEAPRAY_PAGE_PACK_H
#define HEAPRAY_PAGE_PACK_H

#include "page.h"

/* Rows beyond these become one a domain, <smaller stacks>: the smallest by every measure. */
#define PACK_MOST_ROWS 30000

/* Writes it, safe inside <script>. */
void pack_stacks(const struct page *page, FILE *out);

#endif
