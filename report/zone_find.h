/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_find.h - the zones of a family of processes, each once.
 *
 * A zone is an anonymous shared mapping; its identity is the kernel's (device, inode), the same in
 * every process that maps it. A zone that a reload made anew has the name of the old one and another
 * inode: the two are told apart as generations, the one that the family's root maps being newest.
 */
#ifndef HEAPRAY_ZONE_FIND_H
#define HEAPRAY_ZONE_FIND_H

#include "zone_count.h"
#include "zone_name.h"

struct hr_zone;

enum zone_origin {
	ZONE_FROM_OBJECT,  /* the shared object itself, residency included */
	ZONE_FROM_PROCESS, /* the memory of a process */
	ZONE_PUBLISHED,    /* what the shim published: head and counts, no layout */
	ZONE_UNREAD,       /* only the mapping is known */
};

struct zone {
	uint64_t device, inode; /* 0 = known from a segment alone */
	uint64_t start, end;
	pid_t *pids; /* who maps it, the family's root first */
	size_t pid_count;
	unsigned generation; /* 1 = oldest of its name and kind still mapped */
	struct zone_name name;
	enum zone_origin origin;
	uint64_t resident; /* bytes of the whole object; ZONE_UNKNOWN */
	bool pool;         /* it has a slab pool: copy.head is there, */
	bool walked;       /* and so are copy and counts */
	struct zone_copy copy;
	struct zone_counts counts;
	char doubt[160]; /* why it is approximate, or unread; "" = exact */
	uint64_t age_ns; /* of what was published */
	uint64_t rank;   /* orders generations */
};

struct zone_set {
	struct zone *zones;
	size_t length, room;
};

/* The zones that these processes map, read now. */
void zone_set_live(struct zone_set *set, const pid_t *pids, size_t count);
/* Adds a row of a segment, unless the zone is there and was read. `now_ns` is the clock of copied_ns. */
void zone_set_published(struct zone_set *set, const struct hr_zone *row, uint64_t now_ns);
/* Generations and order: by size downwards, name, kind, generation. */
void zone_set_finish(struct zone_set *set);
/* What one zone has in memory; for taking it out of the set. */
void zone_release(struct zone *zone);
void zone_set_free(struct zone_set *set);

#endif
