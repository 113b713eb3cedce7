/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare.h - which allocator for this workload: the words and the table all of compare_*.c share.
 *
 *   arm      an allocator, perhaps tuned by environment variables: "jemalloc:MALLOC_CONF=dirty_decay_ms:0"
 *   run      the command once under one arm: *watched* (with the shim), or *bare* (without it)
 *   figure   a number of a run. Those that need no shim are compared by the bare runs, so that what the
 *            shim costs never decides; the others come from the watched ones
 *   void     an arm that cannot be compared, and why: another allocator served it, it would not start, ...
 *
 * Rounds are interleaved (A B C A B C), each arm watched and bare in turn; round 0 warms up and is dropped.
 * A figure that is not known is NAN.
 */
#ifndef HEAPRAY_COMPARE_H
#define HEAPRAY_COMPARE_H

#include "quality.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum figure {
	F_METRIC, /* what --metric finds in the output */
	F_WALL,   /* start to end; with --load: of the load */
	F_USER,
	F_SYSTEM,
	F_CPU, /* user and system */
	F_PEAK_RESIDENT,
	F_STEADY_RESIDENT, /* median of the second half of the load, or of the run */
	F_RETURNED,        /* resident at the load's highest, less after the settling */
	F_FAULTS,
	/* from here on by the shim's books */
	F_PEAK_REQUESTED,
	F_PEAK_USABLE,
	F_PEAK_HELD,
	F_PEAK_PAGES, /* of the allocator, in memory */
	F_PEAK_FRAGMENTATION, /* held / requested when requested was highest */
	F_AFTER_REQUESTED,    /* at the end of the settling: servers only */
	F_AFTER_HELD,
	F_AFTER_PAGES,
	F_AFTER_FRAGMENTATION,
	F_GROWTH, /* requested bytes a second over the second half */
	F_ALLOCATIONS,
	F_STARTUP, /* allocations before main */
	F_OWN,     /* memory of the shim */
	FIGURE_COUNT,
	FIRST_BOOKED = F_PEAK_REQUESTED,
};

enum unit { UNIT_SECONDS, UNIT_BYTES, UNIT_COUNT, UNIT_RATIO, UNIT_RATE, UNIT_PLAIN };
struct figure_info {
	const char *id, *label; /* as in the JSON; for people */
	enum unit unit;
};
extern const struct figure_info figures_info[FIGURE_COUNT];
#define figure_is_booked(figure) ((figure) >= FIRST_BOOKED)
/* For people: "1.5 MiB", "0.31 s"; "-" for NAN. A ring, like text_bytes. */
const char *figure_text(enum figure figure, double value);

/* A moment of a run. NAN: not known, or not looked at. */
struct sample {
	double seconds;       /* since the start */
	double rss, pss;      /* sums over the processes */
	double requested;     /* live bytes of all heaps, by the headers */
	double blocks;        /* those of them that lie in memory of the allocator */
	double pages;         /* of the allocator, in memory or swapped */
	double held;          /* what it keeps from the kernel, touched or not */
	double heapray;       /* pages of the shim */
};

/* Live blocks by size. Classes are four to each power of two. */
struct size_class {
	uint64_t up_to, count, requested, usable;
};

struct run {
	double value[FIGURE_COUNT];
	int exit_status; /* 128 + signal */
	char *fault;     /* why nothing of it counts; NULL */
	char *served_by; /* the library behind malloc in its processes; NULL */
	char *self_check; /* why it is not the arm's allocator that served it; NULL: it is */
	bool only_new;    /* self_check is about operator new alone */
	struct sample *samples;
	size_t sample_count;
	struct size_class *sizes; /* at the sample with the highest requested */
	size_t size_count;
	size_t processes;
	struct quality quality; /* of a watched one; without sentences */
};

struct arm {
	const char *name; /* as asked for */
	char *allocator;  /* its name or path, without the tuning */
	char *library;    /* to be preloaded */
	const char *also; /* and this one after it; NULL */
	char **variables; /* "NAME=VALUE"... */
	size_t variable_count;
	char *void_why;   /* NULL: it counts */
	char *served_by;
	struct run *watched, *bare; /* `runs` of each, unless void */
	size_t watched_count, bare_count;
};

struct compare {
	char **command, *program; /* its path */
	const char *load, *ready, *metric;
	uint64_t settle_ns;
	bool bare, keep; /* run the arms bare too; keep the segments and outputs of the runs */
	size_t runs;
	const char *dir; /* where they are while it runs */
	struct arm *arms;
	size_t arm_count;
	struct quality quality;
	char **verdict;
	size_t verdict_count, verdict_capacity;
};

/* The runs that decide a figure: the bare ones where there are any and the figure needs no shim. */
const struct run *arm_runs(const struct arm *arm, enum figure figure, size_t *count);
/* The values of a figure, NAN left out; the array is the caller's. */
size_t arm_values(const struct run *runs, size_t count, enum figure figure, double **values);
double runs_median(const struct run *runs, size_t count, enum figure figure);
double arm_median(const struct arm *arm, enum figure figure);
double arm_spread(const struct arm *arm, enum figure figure); /* half of highest less lowest */

/* Parses LIST and looks for the libraries; an arm whose library is missing is void. Returns 0, or -1 (printed). */
int compare_arms(struct compare *compare, const char *list);
/* All rounds. Returns 0, or -1 when interrupted or nothing could be run (printed). */
int compare_measure(struct compare *compare);
/* Fills verdict. */
void compare_judge(struct compare *compare);

void compare_print(const struct compare *compare);
void compare_print_json(const struct compare *compare);
void compare_print_markdown(const struct compare *compare);
void compare_print_csv(const struct compare *compare);

#endif
