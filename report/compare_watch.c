/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_watch.c - finds the processes and segments of a run, and samples them in step with what it costs.
 */
#include "compare_watch.h"

#include "compare_full.h"
#include "process.h"
#include "xalloc.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

#define MILLISECOND 1000000u
#define LIGHT_NS (20 * MILLISECOND)
#define FULL_NS (100 * MILLISECOND)
#define SAMPLES_MOST 4096

uint64_t observe_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What a sample costs is our own CPU time: that we were kept waiting costs the program nothing. */
static uint64_t cpu_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void observe_begin(struct observer *watch, const char *dir, pid_t program)
{
	*watch = (struct observer){.dir = dir, .program = program, .start_ns = observe_now(), .highest = -1};
	watch->due_ns = watch->full_due_ns = watch->start_ns + MILLISECOND;
}

/* ---- segments ------------------------------------------------------------------------------ */

static void add_member(struct observer *watch, const char *name)
{
	char *path = xasprintf("%s/%s", watch->dir, name);
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct segment *segment = fd < 0 ? NULL : segment_read_header(fd, path, true);

	if (!segment) { /* not ready yet: the next look will find it */
		if (fd >= 0)
			close(fd);
		free(path);
		return;
	}
	xgrow(watch->members, watch->member_count, watch->member_capacity);
	watch->members[watch->member_count++] =
		(struct member){.fd = fd, .path = path, .segment = segment, .pid = (pid_t)segment->header.pid};
}

static int by_birth(const void *a, const void *b)
{
	const struct hr_header *x = &((const struct member *)a)->segment->header, *y = &((const struct member *)b)->segment->header;

	return (x->created_realtime_ns > y->created_realtime_ns) - (x->created_realtime_ns < y->created_realtime_ns);
}

static void find_members(struct observer *watch)
{
	DIR *dir = watch->dir ? opendir(watch->dir) : NULL;
	const size_t before = watch->member_count;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const size_t length = strlen(entry->d_name);
		bool known = length < 5 || strcmp(entry->d_name + length - 4, ".seg") != 0;
		for (size_t i = 0; i < before && !known; i++)
			known = strcmp(strrchr(watch->members[i].path, '/') + 1, entry->d_name) == 0;
		if (!known)
			add_member(watch, entry->d_name);
	}
	if (dir)
		closedir(dir);
	if (watch->member_count > before)
		qsort(watch->members, watch->member_count, sizeof(*watch->members), by_birth);
}

/* Header-only reads have no strings; the name is read once, with the rows. */
static void learn_exe(struct member *m)
{
	struct segment *whole = m->exe ? NULL : segment_read_header(m->fd, m->path, true);

	if (whole && segment_read_rows(whole, m->fd) == 0 && segment_string(whole, whole->header.exe))
		m->exe = xstrdup(segment_string(whole, whole->header.exe));
	segment_free(whole);
}

/* Its process still runs what it ran when it made the segment: exec, perhaps without us, ends a member. */
static bool is_live(const struct observer *watch, const struct member *member)
{
	if (!observe_has(watch, member->pid))
		return false;
	char *exe = process_exe(member->pid);
	const char *own = member->exe;
	for (const struct member *m = member + 1; m < watch->members + watch->member_count; m++)
		if (m->pid == member->pid) /* a newer one of the same pid */
			own = NULL;
	const bool live = exe && own && strcmp(exe, own) == 0;
	free(exe);
	return live;
}

/* While it ends, with much to unmap, it is there and runs nothing. */
static bool runs_something(const struct observer *watch)
{
	char *exe = observe_has(watch, watch->program) ? process_exe(watch->program) : NULL;
	const bool runs = exe != NULL;

	free(exe);
	return runs;
}

/* Headers anew; the total of live bytes, what was inherited counted with the parent. */
static void add_requested(struct observer *watch, struct sample *sample)
{
	bool program_seen = false;

	for (size_t i = 0; i < watch->member_count; i++) {
		struct member *m = &watch->members[i];
		struct segment *now = segment_read_header(m->fd, m->path, true);
		if (now) {
			segment_free(m->segment);
			m->segment = now;
		}
		learn_exe(m);
		m->live = is_live(watch, m);
		program_seen |= m->live && m->pid == watch->program;
		if (!m->live)
			continue;
		const struct hr_header *h = &m->segment->header;
		const uint64_t total = h->hot[HR_HOT_TOTAL_LIVE], inherited = h->parent_created_realtime_ns ? h->inherited_bytes : 0;
		sample->requested = (isnan(sample->requested) ? 0 : sample->requested) + (double)(total > inherited ? total - inherited : 0);
	}
	watch->seen |= program_seen;
	if (watch->dir && !program_seen && runs_something(watch))
		watch->unwatched++;
	else
		watch->unwatched = 0;
}

/* ---- sampling ------------------------------------------------------------------------------ */

/* When there is no room, every second one goes. */
static struct sample *add_sample(struct observer *watch)
{
	if (watch->sample_count == SAMPLES_MOST) {
		for (size_t i = 0; i < SAMPLES_MOST / 2; i++)
			watch->samples[i] = watch->samples[2 * i];
		watch->sample_count = SAMPLES_MOST / 2;
	}
	xgrow(watch->samples, watch->sample_count, watch->sample_capacity);
	return &watch->samples[watch->sample_count++];
}

static struct sample *take(struct observer *watch, bool full)
{
	const uint64_t begun = observe_now(), spent = cpu_now();
	struct sample sample = {.seconds = (double)(begun - watch->start_ns) / 1e9, .rss = NAN, .pss = NAN,
		.requested = NAN, .blocks = NAN, .pages = NAN, .held = NAN, .heapray = NAN};

	observe_family(watch);
	find_members(watch);
	add_requested(watch, &sample);
	observe_resident(watch, &sample);
	watch->light_cost_ns = cpu_now() - spent;
	if (watch->dir && (full || (sample.requested > 1.02 * watch->highest && begun >= watch->full_due_ns) ||
				  begun >= watch->full_due_ns + FULL_NS)) {
		full_look(watch, &sample);
		watch->full_cost_ns = cpu_now() - spent;
		watch->full_due_ns = observe_now() + 20 * watch->full_cost_ns;
	}
	/* Close together at first, for programs that are over in no time. */
	const uint64_t age = begun - watch->start_ns, plain = age < LIGHT_NS ? age / 2 + MILLISECOND : LIGHT_NS;
	watch->due_ns = observe_now() + (plain > 20 * watch->light_cost_ns ? plain : 20 * watch->light_cost_ns);
	if (isnan(sample.rss))
		return NULL;
	struct sample *kept = add_sample(watch);
	*kept = sample;
	return kept;
}

uint64_t observe_tick(struct observer *watch)
{
	if (observe_now() >= watch->due_ns)
		take(watch, false);
	const uint64_t now = observe_now();
	return watch->due_ns > now ? watch->due_ns - now : 1;
}

const struct sample *observe_look(struct observer *watch)
{
	return take(watch, true);
}

/* ---- the end ------------------------------------------------------------------------------- */

void observe_finish(struct observer *watch)
{
	find_members(watch);
	for (size_t i = 0; i < watch->member_count; i++) {
		struct member *m = &watch->members[i];
		struct segment *now = segment_read_header(m->fd, m->path, true);
		if (!now)
			continue;
		if (segment_read_rows(now, m->fd) != 0) {
			segment_free(now);
			continue;
		}
		segment_free(m->segment);
		m->segment = now;
	}
}

void observe_free(struct observer *watch)
{
	for (size_t i = 0; i < watch->member_count; i++) {
		close(watch->members[i].fd);
		free(watch->members[i].path);
		free(watch->members[i].exe);
		segment_free(watch->members[i].segment);
	}
	free(watch->members);
	free(watch->pids);
	free(watch->others);
}
