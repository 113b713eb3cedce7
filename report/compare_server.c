/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_server.c - a server's run: wait until it is ready, load it, let it settle, look, stop it.
 */
#include "compare_ready.h"
#include "compare_run.h"

#include "text.h"
#include "xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/wait.h>

#define SECOND 1000000000u
#define READY_MOST (60ull * SECOND)

static bool family_ended(const struct running *r)
{
	return r->all_ended;
}

static bool load_ended(const struct running *r)
{
	return r->load_ended;
}

static char *ended_early(const struct running *r, const char *when)
{
	char *last = run_last_line(r->output);
	char *text = xasprintf("it ended %s, with status %d: %s", when, run_status(r->program_status), text_safe(last, 200));

	free(last);
	return text;
}

/* Returns 1 ready, 0 not (*fault), -1 interrupted. */
static int await_ready(const struct compare *compare, struct running *r, char **fault)
{
	struct ready ready;
	struct timespec started;
	const uint64_t begun = observe_now();

	ready_parse(compare->ready, &ready);
	clock_gettime(CLOCK_REALTIME, &started);
	while (!ready_yet(&ready, observe_now() - begun, started)) {
		const int what = run_pump(r, family_ended, observe_now() + SECOND / 100);
		if (what < 0)
			return -1;
		if (what == 1)
			*fault = ended_early(r, "before it was ready");
		else if (observe_now() - begun > READY_MOST)
			*fault = xasprintf("not ready after %" PRIu64 " s (--ready %s)", (uint64_t)(READY_MOST / SECOND), compare->ready);
		if (*fault)
			return 0;
	}
	return 1;
}

static int load(const struct compare *compare, struct running *r, char **fault)
{
	char *argv[] = {"sh", "-c", (char *)compare->load, NULL};

	r->load_begin_ns = observe_now();
	r->load = r->watch.load = run_start(NULL, NULL, r->load_output, "/bin/sh", argv, true);
	if (r->load < 0)
		text_error(NULL, "fork: %s", strerror(errno));
	if (r->load < 0 || run_pump(r, load_ended, UINT64_MAX) < 0)
		return -1;
	if (run_status(r->load_status) != 0) {
		char *last = run_last_line(r->load_output);
		*fault = xasprintf("the load failed with status %d: %s", run_status(r->load_status), text_safe(last, 200));
		free(last);
	}
	return 0;
}

/* A look at the load's end, then the settling, and one after it. */
static int settle(const struct compare *compare, struct running *r, char **fault)
{
	observe_look(&r->watch);
	const int what = run_pump(r, family_ended, observe_now() + compare->settle_ns);
	if (what == 1)
		*fault = ended_early(r, "while it was to settle");
	const struct sample *after = what == 0 ? observe_look(&r->watch) : NULL;
	if (after)
		r->after = *after;
	return what < 0 ? -1 : 0;
}

int server_run(const struct compare *compare, struct running *r, char **fault)
{
	int result = await_ready(compare, r, fault);

	if (result == 1)
		result = load(compare, r, fault);
	if (result == 0 && !*fault)
		result = settle(compare, r, fault);
	if (result == 0)
		run_stop(r);
	return result;
}
