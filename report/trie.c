/* SPDX-License-Identifier: BSD-2-Clause */
/* trie.c - a trie in one array, found by a hash of parent and key. */
#include "trie.h"

#include "xalloc.h"

static size_t hash(uint32_t parent, uint32_t key, size_t slots)
{
	const uint64_t mixed = ((uint64_t)parent << 32 | key) * 0x9e3779b97f4a7c15ull;

	return (size_t)(mixed >> 24) & (slots - 1);
}

void trie_open(struct trie *trie)
{
	*trie = (struct trie){.slots = 1024};
	trie->table = xcalloc(trie->slots, sizeof(*trie->table));
	xgrow(trie->nodes, trie->count, trie->capacity);
	trie->nodes[trie->count++] = (struct trie_node){0};
}

void trie_close(struct trie *trie)
{
	free(trie->nodes);
	free(trie->table);
}

static void grow(struct trie *trie)
{
	trie->slots *= 2;
	free(trie->table);
	trie->table = xcalloc(trie->slots, sizeof(*trie->table));
	for (size_t i = 1; i < trie->count; i++) {
		size_t at = hash(trie->nodes[i].parent, trie->nodes[i].key, trie->slots);
		while (trie->table[at])
			at = (at + 1) & (trie->slots - 1);
		trie->table[at] = (uint32_t)i;
	}
}

uint32_t trie_child(struct trie *trie, uint32_t parent, uint32_t key)
{
	size_t at = hash(parent, key, trie->slots);

	for (; trie->table[at]; at = (at + 1) & (trie->slots - 1)) {
		const struct trie_node *node = &trie->nodes[trie->table[at]];
		if (node->parent == parent && node->key == key)
			return trie->table[at];
	}
	const uint32_t made = (uint32_t)trie->count;
	xgrow(trie->nodes, trie->count, trie->capacity);
	trie->nodes[trie->count++] = (struct trie_node){.parent = parent, .key = key};
	trie->table[at] = made;
	struct trie_node *above = &trie->nodes[parent];
	if (above->last)
		trie->nodes[above->last].next = made;
	else
		above->first = made;
	above->last = made;
	if (trie->count * 2 > trie->slots)
		grow(trie);
	return made;
}

void trie_walk(struct trie *trie, void (*visit)(void *context, struct trie_node *node, unsigned depth), void *context)
{
	uint32_t at = 0, place = 0;
	unsigned depth = 0;

	for (;;) {
		struct trie_node *node = &trie->nodes[at];
		node->place = place++;
		visit(context, node, depth);
		if (node->first) {
			at = node->first;
			depth++;
			continue;
		}
		while (at && !trie->nodes[at].next) {
			at = trie->nodes[at].parent;
			depth--;
		}
		if (!at)
			return;
		at = trie->nodes[at].next;
	}
}
