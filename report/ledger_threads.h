/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_threads.h - the threads of a process and their stacks.
 */
#ifndef HEAPRAY_LEDGER_THREADS_H
#define HEAPRAY_LEDGER_THREADS_H

#include "ledger.h"
#include "peek.h"

struct thread {
	int tid;
	char name[32];  /* comm: what the program called it */
	char label[48]; /* "name (tid)": the label of its claim */
	uint64_t stack_pointer, thread_pointer;
	uint64_t start, end; /* of its stack; 0 = not found */
	struct usage figures;
};

struct threads {
	struct thread *list; /* ascending by tid */
	size_t count;
};

/* Reads the threads' names and, where they sleep in a system call, stack pointers. An ended process has none.
 */
void threads_read(int pid, struct threads *threads);
/* The shim's books say where a thread's control block is (0: not known). */
void threads_set_pointer(struct threads *threads, int tid, uint64_t thread_pointer);
/* Finds each thread's stack and claims it, also the stacks that libc keeps of threads that ended. */
void threads_claim(
	struct threads *threads, struct peek *peek, const struct smaps *smaps, struct claims *claims);
/* After ledger_measure: gives each thread the figures of its pieces. */
void threads_measure(struct threads *threads, int pid, const struct pieces *pieces);
void threads_free(struct threads *threads);

#endif
