/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - a hash table from any bytes to a number, and a set of numbered texts.
 *
 * Keys are copied. A struct table pointer starts as NULL, which is the empty table.
 */
#ifndef HEAPRAY_TABLE_H
#define HEAPRAY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;

/* The number kept for a key; NULL when it has none. */
uint64_t *table_find(const struct table *table, const void *key, size_t length);
/* The same, made (0) when it was not there. Stays where it is until table_free. */
uint64_t *table_at(struct table **table, const void *key, size_t length, bool *is_new);
void table_free(struct table **table);

/* Texts, numbered from 0 in the order they came; starts as {0}. */
struct texts {
	char **list;
	size_t count, capacity;
	struct table *index;
};

uint32_t texts_number(struct texts *texts, const char *text); /* added when it is new */
bool texts_have(const struct texts *texts, const char *text);
void texts_free(struct texts *texts);

#endif
