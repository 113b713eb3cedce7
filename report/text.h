/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h - what reports for people share: units, colour, errors. Data goes to stdout, notes to stderr.
 */
#ifndef HEAPRAY_TEXT_H
#define HEAPRAY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --color=auto|always|never; auto is a terminal, TERM not dumb, NO_COLOR unset. Returns -1 on another word. */
int text_set_color(const char *mode);
bool text_color(void);
void text_set_exact_bytes(bool exact); /* --bytes */

/* "1.5 MiB", "640 B"; "unknown" for UINT64_MAX; exact digits under --bytes. A ring of static buffers:
 * eight results may be alive in one printf. */
const char *text_bytes(uint64_t bytes);
const char *text_signed_bytes(int64_t bytes); /* with its sign */
const char *text_count(uint64_t count);       /* 1,234,567 */
const char *text_duration(uint64_t ns);       /* 3.2 s, 5 min, 2 h 10 min */
/* Copies a string from outside for printing: control characters become '?'; longer than max is cut with "...". */
const char *text_safe(const char *hostile, size_t max);

/* SGR sequences, empty strings without colour. */
const char *text_bold(void), *text_dim(void), *text_red(void), *text_green(void), *text_yellow(void), *text_cyan(void),
	*text_reset(void);

/* The terminal's width, COLUMNS, or 100. */
int text_width(void);

/* `heapray: thing: reason`, then one line on what to try (may be NULL). Does not exit. */
void text_error(const char *try_this, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A figure as an integer: 0 for what is below or no number, the largest for what is above. Files may say anything. */
static inline uint64_t text_whole(double value)
{
	return !(value > 0) ? 0 : value >= 18446744073709551615.0 ? UINT64_MAX : (uint64_t)value;
}

#endif
