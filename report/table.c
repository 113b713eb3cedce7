/* SPDX-License-Identifier: BSD-2-Clause */
/* table.c - the only file that knows uthash. */
#include "table.h"

#include "xalloc.h"

#define uthash_fatal(message) xalloc_check(NULL)
#include <uthash.h>

struct table { /* one entry; uthash keeps the whole in the first one's head */
	uint64_t number;
	UT_hash_handle hh;
	char key[];
};

uint64_t *table_find(const struct table *table, const void *key, size_t length)
{
	struct table *entry;

	HASH_FIND(hh, table, key, length, entry);
	return entry ? &entry->number : NULL;
}

uint64_t *table_at(struct table **table, const void *key, size_t length, bool *is_new)
{
	struct table *entry, *head = *table;
	unsigned hash;

	HASH_VALUE(key, length, hash);
	HASH_FIND_BYHASHVALUE(hh, head, key, length, hash, entry);
	*is_new = !entry;
	if (entry)
		return &entry->number;
	entry = xcalloc(1, sizeof(*entry) + length);
	memcpy(entry->key, key, length);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, head, entry->key, length, hash, entry);
	*table = head;
	return &entry->number;
}

void table_free(struct table **table)
{
	struct table *entry, *next;

	HASH_ITER(hh, *table, entry, next) {
		HASH_DEL(*table, entry);
		free(entry);
	}
}

uint32_t texts_number(struct texts *texts, const char *text)
{
	bool is_new;
	uint64_t *number = table_at(&texts->index, text, strlen(text), &is_new);

	if (is_new) {
		*number = texts->count;
		xgrow(texts->list, texts->count, texts->capacity);
		texts->list[texts->count++] = xstrdup(text);
	}
	return *number;
}

bool texts_have(const struct texts *texts, const char *text)
{
	return table_find(texts->index, text, strlen(text)) != NULL;
}

void texts_free(struct texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->list[i]);
	free(texts->list);
	table_free(&texts->index);
	*texts = (struct texts){0};
}
