/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * markup.h - writing HTML and SVG in which every name is hostile: a path, a symbol, a zone or a Lua chunk can be
 * called `</script><img onerror=...>` and stays text.
 *
 * Text from outside reaches the output through markup_text alone. Formats are ours, their arguments are numbers
 * or words of our own.
 */
#ifndef HEAPRAY_MARKUP_H
#define HEAPRAY_MARKUP_H

#include "json.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Writes text for a place between tags or between double quotes: the five characters of markup as references,
 * control characters as '?', what is no UTF-8 as U+FFFD, and nothing that turns the direction of writing.
 * NULL writes nothing.
 */
void markup_text(FILE *out, const char *hostile);
/* At most `most` bytes of it, then "...". */
void markup_short(FILE *out, const char *hostile, size_t most);

/*
 * A figure of bytes as people read it, with its exact value and where it is in the JSON:
 *   <data value="1536" data-json="PATH">1.5 KiB</data>
 * A value that is null prints as "unknown". path: a command and a jq path, as "breakdown .total.system"; the last
 * part is `key` of `object`.
 */
void markup_bytes(FILE *out, const struct json *object, const char *path, const char *key);
void markup_count(FILE *out, const struct json *object, const char *path, const char *key);

#endif
