/* SPDX-License-Identifier: BSD-2-Clause */
/* page_assets.h - the files of report/page/, as text in the program; svg_style of svg.h is one of them. */
#ifndef HEAPRAY_PAGE_ASSETS_H
#define HEAPRAY_PAGE_ASSETS_H

extern const char page_style[];  /* page/page.css */
extern const char page_script[]; /* page/page.js */

#endif
