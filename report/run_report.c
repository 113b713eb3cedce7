/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run_report.c - the parent of a program that is to be reported on when it has ended.
 *
 * We are a subreaper: what the program leaves behind when it goes to the background becomes our child,
 * so "no child left" means that the whole family has ended. Signals sent to us are passed on. Those of
 * the terminal (^C) reach the program by themselves, as it is in our process group.
 */
#include "run_report.h"
#include "preload.h"

#include "directory.h"
#include "family.h"
#include "growth_exit.h"
#include "process.h"
#include "stacks.h"
#include "text.h"
#include "xalloc.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void signals_to_pass_on(sigset_t *set)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGALRM, SIGCONT};

	sigemptyset(set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(set, signals[i]);
}

/* To the program while it lives, then to those it left behind. */
static void pass_on(int signal, pid_t program, bool ended)
{
	pid_t *pids, parent;

	if (!ended) {
		kill(program, signal);
		return;
	}
	const size_t count = process_list(&pids);
	for (size_t i = 0; i < count; i++) {
		if (process_parent(pids[i], &parent) == 0 && parent == getpid())
			kill(pids[i], signal);
	}
	free(pids);
}

/* Until no child is left; meanwhile the program is read now and then. Returns its wait status. */
static int wait_for_all(pid_t program, const sigset_t *set, struct exit_watch *watch)
{
	bool ended = false;
	int result = 0;

	for (;;) {
		siginfo_t info;
		int status;
		pid_t pid;
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid == program) {
				ended = true;
				result = status;
			}
		}
		if (pid < 0 && errno == ECHILD)
			return result;
		const int ms = ended ? 1000 : exit_watch_tick(watch);
		const struct timespec until = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l};
		if (sigtimedwait(set, &info, &until) < 0 || info.si_signo == SIGCHLD)
			continue;
		if (info.si_code <= 0) /* sent by a process, not by the terminal */
			pass_on(info.si_signo, program, ended);
	}
}

/* The newest segment of this pid, and how many programs of their own it started. */
static char *segment_of(pid_t pid, const struct options *options)
{
	struct directory d;
	char *path = NULL;

	if (directory_open(options, true, &d) != 0)
		return NULL;
	for (size_t i = 0; i < d.count; i++) {
		if (d.found[i].pid == 0 && d.found[i].segment->header.pid == (uint64_t)pid) {
			free(path);
			path = xstrdup(d.found[i].segment->path);
		}
	}
	directory_close(&d);
	return path;
}

static void report(pid_t pid, const char *name, const struct options *options, struct exit_watch *watch, FILE *out)
{
	struct stacks_options stacks = {.common = *options};
	struct family family;
	char *path = segment_of(pid, options);

	if (!path) {
		text_error("It may be static or setuid, or could not make its segment: then it said so when it started.",
			"%s: left no segment to report on", name);
		return;
	}
	stacks.common.target = path;
	if (family_open(&stacks.common, &family) == 0) {
		stacks_report(&family, &stacks, out);
		if (!options->json)
			exit_watch_print(watch, &family, out);
		family_close(&family);
	}
	free(path);
	if (fflush(out) != 0)
		text_error("Is the file system full?", "--report: %s", strerror(errno));
}

int run_and_report(const char *path, char **argv, const struct options *options, FILE *out)
{
	sigset_t set, before;

	signals_to_pass_on(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &before);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(NULL);
	const pid_t pid = fork();
	if (pid < 0) {
		text_error(NULL, "fork: %s", strerror(errno));
		return 2;
	}
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		preload_mark_root();
		execv(path, argv);
		text_error(NULL, "%s: %s", path, strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	struct exit_watch *watch = exit_watch_new(pid, options);
	const int status = wait_for_all(pid, &set, watch);
	report(pid, argv[0], options, watch, out);
	exit_watch_free(watch);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
