/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nodes.c - the trie, the only store of stacks.
 *
 * A node is (parent, kind, value, module); a stack is a node id. Nodes are made, never changed or
 * removed, so look-ups take no lock:
 *
 *   index: open addressing, power of two, u32 ids       nodes: dense array, ours   segment: published copy
 *     hash(key) -> [ 7 ] [ 0 ] [ 12 ] ...                  id -> key, sites          id -> struct hr_node
 *
 * An index that is half full is replaced by one twice as large; the old one stays (readers may be in it),
 * and all old ones together are no larger than the new. Inserting takes the leaf lock.
 */
#include "shim.h"

struct node {
	struct node_key key;
	uint32_t depth;
	uint32_t sites[STRIPES];
	_Atomic uint32_t recent; /* the child that was asked for last: on the way down a stack, most often the one again */
};
_Static_assert(sizeof(struct node) == 64, "a cache line");

struct index {
	uint32_t mask;
	_Atomic uint32_t ids[];
};

static struct node *nodes;
static _Atomic uint32_t nodes_used;
static struct index *_Atomic current;
static lock_word lock;

static uint32_t hash(const struct node_key *k)
{
	uint64_t h = (k->value ^ (uint64_t)k->parent << 40 ^ (uint64_t)k->module << 24 ^ k->parent) * 0x9e3779b97f4a7c15ull;
	h ^= h >> 29;
	return (uint32_t)((h * 0xbf58476d1ce4e5b9ull) >> 32);
}

static bool same(const struct node_key *a, const struct node_key *b)
{
	return a->value == b->value && a->parent == b->parent && a->module == b->module && a->kind == b->kind &&
	       a->flags == b->flags && a->extra == b->extra;
}

static uint32_t look_up(const struct index *index, const struct node_key *key, uint32_t h)
{
	for (uint32_t i = h & index->mask;; i = (i + 1) & index->mask) {
		/* acquire: pairs with the release in place; the node is filled */
		uint32_t id = atomic_load_explicit(&index->ids[i], memory_order_acquire);
		if (id == 0 || same(&nodes[id].key, key))
			return id;
	}
}

static void place(struct index *index, uint32_t id)
{
	uint32_t i = hash(&nodes[id].key) & index->mask;
	while (atomic_load_explicit(&index->ids[i], memory_order_relaxed))
		i = (i + 1) & index->mask;
	atomic_store_explicit(&index->ids[i], id, memory_order_release);
}

static struct index *new_index(uint32_t slots)
{
	struct index *index = hr_memory_index(sizeof *index + slots * sizeof(uint32_t));
	if (index)
		index->mask = slots - 1;
	return index;
}

static bool grow(struct index *old)
{
	struct index *bigger = new_index((old->mask + 1) * 2);
	if (bigger == NULL)
		return false;
	uint32_t used = atomic_load(&nodes_used);
	for (uint32_t id = HR_ROOT_COUNT; id < used; id++)
		place(bigger, id);
	atomic_store_explicit(&current, bigger, memory_order_release);
	return true;
}

static void make_row(void *row, uint64_t id)
{
	const struct node *n = &nodes[id];
	*(struct hr_node *)row = (struct hr_node){
		.value = n->key.value, .parent = n->key.parent, .kind = n->key.kind, .module = n->key.module,
		.extra = n->key.extra, .flags = n->key.flags, .depth = n->depth,
	};
}

static void publish(uint32_t id)
{
	make_row((struct hr_node *)hr_segment_section(HR_NODES) + id, id);
}

/* With the lock held: a new node, or 0 when there is no room. */
static uint32_t insert(struct node_key key)
{
	uint32_t id = atomic_load(&nodes_used);
	struct index *index = atomic_load(&current);
	if (id >= NODES_MAX || (2 * id > index->mask && !grow(index)) || !hr_segment_reach(HR_NODES, id))
		return 0;
	index = atomic_load(&current);
	if (id % (SYS_PAGE / sizeof *nodes) == 0)
		hr_memory_touched(SYS_PAGE);
	nodes[id].key = key;
	nodes[id].depth = nodes[key.parent].depth + 1;
	publish(id);
	atomic_store(&nodes_used, id + 1);
	hr_segment_used(HR_NODES, id + 1);
	place(index, id);
	return id;
}

uint32_t hr_node_child(struct thread *t, struct node_key key)
{
	if (unlikely(key.parent == HR_ROOT_FULL))
		return HR_ROOT_FULL;
	/* acquire: pairs with the release below, as the index does; the child is filled */
	uint32_t id = atomic_load_explicit(&nodes[key.parent].recent, memory_order_acquire);
	if (likely(same(&nodes[id].key, &key)))
		return id;
	uint32_t h = hash(&key);
	id = look_up(atomic_load_explicit(&current, memory_order_acquire), &key, h);
	if (likely(id)) {
		atomic_store_explicit(&nodes[key.parent].recent, id, memory_order_release);
		return id;
	}
	hr_lock(t, &lock);
	id = look_up(atomic_load_explicit(&current, memory_order_acquire), &key, h);
	if (id == 0)
		id = insert(key);
	hr_unlock(t, &lock);
	if (unlikely(id == 0)) {
		hr_lost(HR_LOST_NODES_FULL);
		return HR_ROOT_FULL;
	}
	return id;
}

struct node_key hr_node_key(uint32_t node)
{
	return nodes[node].key;
}

uint32_t *hr_node_sites(uint32_t node)
{
	return nodes[node].sites;
}

uint32_t hr_nodes_used(void)
{
	return atomic_load(&nodes_used);
}

void hr_nodes_start(void)
{
	nodes = hr_memory_reserve(NODES_MAX * sizeof *nodes);
	struct index *index = new_index(2048);
	if (nodes == NULL || index == NULL || !hr_segment_reach(HR_NODES, HR_ROOT_COUNT))
		return;
	hr_memory_touched(SYS_PAGE);
	hr_memory_huge((char *)nodes + HUGE_PAGE / 2, NODES_MAX * sizeof *nodes - HUGE_PAGE / 2); /* when there are many */
	for (uint32_t root = 0; root < HR_ROOT_COUNT; root++) {
		nodes[root].key = (struct node_key){.kind = HR_NODE_ROOT, .value = root};
		publish(root);
	}
	atomic_store(&nodes_used, HR_ROOT_COUNT);
	hr_segment_used(HR_NODES, HR_ROOT_COUNT);
	atomic_store(&current, index);
}

void hr_nodes_republish(void)
{
	atomic_store(&lock, 0);
	uint32_t used = atomic_load(&nodes_used);
	if (!hr_segment_reach(HR_NODES, used - 1)) /* all at once, or one by one as far as it goes */
		for (used = 0; hr_segment_reach(HR_NODES, used); used++)
			;
	hr_segment_fill(HR_NODES, used, make_row);
	hr_segment_used(HR_NODES, used);
}
