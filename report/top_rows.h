/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_rows.h - what `heapray top` shows, without a screen: the family read again and again, its rows
 * grouped, filtered and sorted, with the course of each over the last readings.
 */
#ifndef HEAPRAY_TOP_ROWS_H
#define HEAPRAY_TOP_ROWS_H

#include "growth_watch.h"
#include "model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOP_HISTORY 32
#define TOP_FILTER 40

enum top_view { VIEW_OWNER, VIEW_STACK, VIEW_MODULE, VIEW_LUA, VIEW_COUNT };
enum top_sort { SORT_LIVE, SORT_GROWTH, SORT_ALLOCATED, SORT_BLOCKS, SORT_PEAK, SORT_COUNT };

const char *top_view_name(enum top_view view);
const char *top_sort_name(enum top_sort sort);

/* Values of the last readings, the oldest first. */
struct course {
	uint64_t key, seen; /* the number of the reading it was last in */
	double live[TOP_HISTORY], allocated; /* allocated: of the last reading */
	size_t count;
};

struct top_row {
	const struct row *row;
	char label[160];
	double growth, allocation; /* bytes a second; 0 in the first reading */
	const struct course *course;
};

struct top_heap {
	const char *name;
	double live, growth;
	const struct course *course;
};

struct top {
	struct watch watch;
	struct quality quality;
	struct model *model;
	enum top_view view;
	enum top_sort sort;
	char filter[TOP_FILTER];
	size_t member;           /* 0: all; n: member n - 1 alone */
	uint64_t reading, read_ns;
	double seconds;          /* between the last two readings */
	double resident, held, used; /* NAN: not known */
	bool ended;
	struct top_row *rows;    /* filtered and sorted */
	size_t row_count, row_capacity;
	struct top_heap *heaps;  /* by live bytes */
	size_t heap_count, heap_capacity;
	struct course **courses; /* open addressing, a power of two */
	size_t course_count, course_capacity;
};

/* Finds the family and reads it. Returns 0, or -1 (printed). */
int top_open(struct top *top, const struct options *options);
/* Reads the family again. */
void top_read(struct top *top);
/* Groups, filters and sorts what was last read: after a change of view, sort, filter or member. */
void top_arrange(struct top *top);
void top_close(struct top *top);

#endif
