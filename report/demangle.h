/* SPDX-License-Identifier: BSD-2-Clause */
/* demangle.h - C++ and Rust names for people. */
#ifndef HEAPRAY_DEMANGLE_H
#define HEAPRAY_DEMANGLE_H

/* The readable name, or a copy of `name` when it is not mangled. The caller's to free. */
char *demangle(const char *name);

#endif
