/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_run.h - one run: start the command, watch what it becomes, wait until all of it has ended.
 *
 * We are a subreaper: what goes to the background becomes our child, so "no child left" is the end of the
 * family. What belongs to the load is told by its session, in which the load was started.
 */
#ifndef HEAPRAY_COMPARE_RUN_H
#define HEAPRAY_COMPARE_RUN_H

#include "compare.h"
#include "compare_watch.h"

struct running {
	struct observer watch;
	char *output, *load_output; /* paths of what they print */
	pid_t program, load;
	bool program_ended, load_ended, all_ended;
	int program_status, load_status; /* as of waitpid */
	char comm[32];                   /* what it was when it ended, by /proc/PID/comm */
	bool stopped;                    /* we sent it SIGTERM */
	double user_s, system_s;         /* of the family */
	uint64_t faults, max_resident;   /* the most that one of them had */
	size_t reaped;
	uint64_t ended_ns, load_begin_ns, load_end_ns; /* load: 0 without */
	struct sample after;             /* at the end of the settling; seconds 0: none */
};

/* In a child: preloads the arm's library and sets its variables; `dir`: the shim too, with segments there. */
void run_environment(const struct arm *arm, const char *dir);
/*
 * Runs it once. Returns 0, with run->fault where nothing of it counts; -1 when interrupted or when the run
 * could not be made at all (printed).
 */
int run_once(const struct compare *compare, const struct arm *arm, bool watched, struct run *run);

/* ---- for compare_server.c ---- */

/* Starts argv with its output in a file. `session`: in one of its own. */
pid_t run_start(const struct arm *arm, const char *dir, const char *output, const char *path, char **argv, bool session);
/* Reaps and samples until done() or the time is up. Returns 1 done, 0 time is up, -1 a signal told us to stop. */
int run_pump(struct running *running, bool (*done)(const struct running *), uint64_t until_ns);
/* Ends all that is left: SIGTERM, after ten seconds SIGKILL. */
void run_stop(struct running *running);
int run_status(int wait_status); /* 128 + signal */
/* The last line of a file, for messages; "" when empty. The caller's. */
char *run_last_line(const char *path);

void run_remove(const char *directory); /* with all in it */

/* The server's part of a run, from ready to stopped. Fills *fault. Returns 0, or -1 when interrupted. */
int server_run(const struct compare *compare, struct running *running, char **fault);

#endif
