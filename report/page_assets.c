/* SPDX-License-Identifier: BSD-2-Clause */
/* page_assets.c - takes the files of report/page/ in; compiled from the checkout's top, as make does. */
#include "page_assets.h"

#include "svg.h"

#define ASSET(name, path)                                                                                         \
	__asm__(".pushsection .rodata\n.global " #name "\n" #name ":\n.incbin \"report/page/" path "\"\n.byte 0\n.popsection\n")

ASSET(svg_style, "picture.css");
ASSET(page_style, "page.css");
ASSET(page_script, "page.js");
