/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trie.h - call paths that share what they have in common, from the outermost frame inwards; words by their letters.
 *
 *   node 0 is all; a node's children are in the order they were made, and before them it was made itself
 */
#ifndef HEAPRAY_TRIE_H
#define HEAPRAY_TRIE_H

#include <stddef.h>
#include <stdint.h>

struct trie_node {
	uint32_t parent, key; /* key: the caller's, a frame as a rule */
	uint32_t first, last, next; /* children, and the next one of its parent; 0 = none */
	uint32_t place;       /* set by trie_order */
	uint64_t value;       /* the caller's */
};

struct trie {
	struct trie_node *nodes;
	size_t count, capacity;
	uint32_t *table; /* open addressing: (parent, key) -> node; 0 = empty */
	size_t slots;    /* a power of two */
};

void trie_open(struct trie *trie);
void trie_close(struct trie *trie);
/* The child of `parent` with this key, made if it is not there. */
uint32_t trie_child(struct trie *trie, uint32_t parent, uint32_t key);
/* Depth first, children in their order: visit(node, depth). Sets place to the number of the visit. */
void trie_walk(struct trie *trie, void (*visit)(void *context, struct trie_node *node, unsigned depth), void *context);

#endif
