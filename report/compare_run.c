/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_run.c - the parent of a run. One thread: it sleeps until a child ends, a signal comes or a sample
 * is due. Time and faults come from wait4 of our children, which includes what they waited for themselves.
 */
#include "compare_run.h"

#include "compare_check.h"
#include "compare_figures.h"
#include "preload.h"
#include "process.h"
#include "text.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static sigset_t handled(void)
{
	static const int signals[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	return set;
}

int run_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- start --------------------------------------------------------------------------------- */

void run_environment(const struct arm *arm, const char *dir)
{
	const char *before = getenv("LD_PRELOAD");
	char *shim = dir ? preload_library() : NULL;
	char *preload = xasprintf("%s%s%s%s%s%s%s", shim ? shim : "", shim ? ":" : "", arm->library, arm->also ? ":" : "",
		arm->also ? arm->also : "", before && *before ? ":" : "", before ? before : "");

	setenv("LD_PRELOAD", preload, 1);
	if (dir) {
		setenv("HEAPRAY_DIR", dir, 1);
		setenv("HEAPRAY_PUBLISH_MS", "20", 0); /* the allocator's own figures, fresh */
	}
	for (size_t i = 0; i < arm->variable_count; i++)
		putenv(arm->variables[i]);
}

pid_t run_start(const struct arm *arm, const char *dir, const char *output, const char *path, char **argv, bool session)
{
	const sigset_t set = handled();

	fflush(NULL);
	const pid_t pid = fork();
	if (pid != 0)
		return pid;
	const int in = open("/dev/null", O_RDONLY), out = open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	close(in);
	close(out);
	if (session)
		setsid();
	if (arm)
		run_environment(arm, dir);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	execv(path, argv);
	fprintf(stderr, "heapray: %s: %s\n", path, strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* ---- wait ---------------------------------------------------------------------------------- */

static void add_usage(struct running *r, const struct rusage *usage)
{
	r->user_s += (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec / 1e6;
	r->system_s += (double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec / 1e6;
	r->faults += (uint64_t)(usage->ru_minflt + usage->ru_majflt);
	if (r->max_resident < (uint64_t)usage->ru_maxrss * 1024)
		r->max_resident = (uint64_t)usage->ru_maxrss * 1024;
	r->reaped++;
}

/* Of a zombie, too. */
static void read_comm(struct running *r)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)r->program);
	FILE *file = fopen(path, "re");
	if (file && fgets(r->comm, sizeof(r->comm), file))
		r->comm[strcspn(r->comm, "\n")] = '\0';
	if (file)
		fclose(file);
}

static void reap(struct running *r)
{
	siginfo_t info;
	struct rusage usage;
	int status;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
			r->all_ended = errno == ECHILD;
			return;
		}
		const pid_t pid = info.si_pid;
		if (pid == 0)
			return;
		const bool of_load = r->load && (pid == r->load || getsid(pid) == r->load);
		if (pid == r->program)
			read_comm(r);
		if (wait4(pid, &status, 0, &usage) != pid)
			return;
		if (pid == r->load) {
			r->load_ended = true;
			r->load_status = status;
			r->load_end_ns = observe_now();
		}
		if (of_load)
			continue;
		add_usage(r, &usage);
		r->ended_ns = observe_now();
		if (pid == r->program) {
			r->program_ended = true;
			r->program_status = status;
		}
	}
}

int run_pump(struct running *r, bool (*done)(const struct running *), uint64_t until_ns)
{
	const sigset_t set = handled();

	for (;;) {
		reap(r);
		if (done(r))
			return 1;
		const uint64_t now = observe_now();
		if (now >= until_ns)
			return 0;
		uint64_t wait_ns = observe_tick(&r->watch);
		if (wait_ns > until_ns - now)
			wait_ns = until_ns - now;
		const struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000u), .tv_nsec = (long)(wait_ns % 1000000000u)};
		const int signal = sigtimedwait(&set, NULL, &wait);
		if (signal > 0 && signal != SIGCHLD) {
			text_note("stopped by signal %d (%s)", signal, strsignal(signal));
			return -1;
		}
	}
}

/* ---- stop ---------------------------------------------------------------------------------- */

static bool all_ended(const struct running *r)
{
	return r->all_ended;
}

static void signal_children(const struct running *r, int signal)
{
	pid_t *pids, parent;
	const size_t count = process_list(&pids);

	for (size_t i = 0; i < count; i++)
		if (process_parent(pids[i], &parent) == 0 && parent == getpid())
			kill(pids[i], signal);
	free(pids);
}

void run_stop(struct running *r)
{
	if (r->load)
		kill(-r->load, SIGKILL);
	reap(r);
	r->stopped = !r->all_ended;
	if (!r->all_ended)
		signal_children(r, SIGTERM);
	const uint64_t deadline = observe_now() + 10000000000u;
	/* A second ^C does not wait. */
	bool hurry = run_pump(r, all_ended, deadline) != 1;
	while (hurry && !r->all_ended) {
		signal_children(r, SIGKILL);
		hurry = run_pump(r, all_ended, observe_now() + 50000000u) != 1;
	}
}

char *run_last_line(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *last = xstrdup("");
	size_t size = 0;

	while (file && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (!*line)
			continue;
		free(last);
		last = xstrdup(line);
	}
	free(line);
	if (file)
		fclose(file);
	return last;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

void run_remove(const char *directory)
{
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- one run ------------------------------------------------------------------------------- */

static int perform(const struct compare *compare, struct running *r, struct run *run)
{
	if (compare->load) {
		if (server_run(compare, r, &run->fault) != 0)
			return -1;
	} else if (run_pump(r, all_ended, UINT64_MAX) < 0) {
		return -1;
	}
	const int status = run_status(r->program_status);
	run->exit_status = status;
	if (!run->fault && WIFSIGNALED(r->program_status) && !r->stopped)
		run->fault = xasprintf("ended by signal %d (%s)", WTERMSIG(r->program_status), strsignal(WTERMSIG(r->program_status)));
	return 0;
}

int run_once(const struct compare *compare, const struct arm *arm, bool watched, struct run *run)
{
	char *place = xasprintf("%s/%s.XXXXXX", compare->dir, watched ? "watched" : "bare");
	const sigset_t set = handled();
	struct running r = {0};

	*run = (struct run){0};
	if (!mkdtemp(place)) {
		text_error("Name another place with --dir.", "%s: %s", place, strerror(errno));
		return -1;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r.output = xasprintf("%s/output", place);
	r.load_output = xasprintf("%s/load", place);
	observe_begin(&r.watch, watched ? place : NULL, 0);
	r.program = r.watch.program = run_start(arm, watched ? place : NULL, r.output, compare->program, compare->command, false);
	if (r.program < 0)
		text_error(NULL, "fork: %s", strerror(errno));
	int result = r.program > 0 ? perform(compare, &r, run) : -1;
	if (result != 0)
		run_stop(&r);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	if (result == 0) {
		observe_finish(&r.watch);
		figures_fill(compare, arm, &r, run);
		if (watched)
			check_run(compare, arm, &r, run);
	}
	observe_free(&r.watch);
	sizes_free(&r.watch.sizes);
	if (!compare->keep)
		run_remove(place);
	free(r.output);
	free(r.load_output);
	free(place);
	return result;
}
