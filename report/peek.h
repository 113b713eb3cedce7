/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peek.h - reading another process's memory by address, without stopping it.
 *
 * What is read may change under the reader and may be anything: callers validate every word.
 */
#ifndef HEAPRAY_PEEK_H
#define HEAPRAY_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies [address, address + length) of the process. False when not all of it could be read. */
bool peek(int pid, uint64_t address, void *to, size_t length);

/* Like peek, but tells how much from the front could be read. */
size_t peek_some(int pid, uint64_t address, void *to, size_t length);

#endif
