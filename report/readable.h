/* SPDX-License-Identifier: BSD-2-Clause */
/* readable.h - C++ and Rust names for people. */
#ifndef HEAPRAY_READABLE_H
#define HEAPRAY_READABLE_H

/* The readable name, or a copy of `name` when it is not mangled. The caller's to free. */
char *readable_name(const char *name);

#endif
