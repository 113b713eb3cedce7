/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * owners.h - which functions only pass an allocation on. The owner of a block is the first function,
 * from the innermost outwards, that is not one of them.
 */
#ifndef HEAPRAY_OWNERS_H
#define HEAPRAY_OWNERS_H

#include <stdbool.h>

/* Adds a name; '*' stands for any text. The text must outlive the program's use of it. */
void owners_add(const char *pattern);
/* `function` as symbols_lookup gives it. */
bool owners_is_wrapper(const char *function);

#endif
