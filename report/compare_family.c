/* SPDX-License-Identifier: BSD-2-Clause */
/* compare_family.c - which processes are a run's, and what they have in memory. */
#include "compare_watch.h"

#include "process.h"
#include "smaps.h"
#include "xalloc.h"

#include <math.h>
#include <unistd.h>

static bool has(const pid_t *pids, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* A child of ours, or of one that is ours. */
static bool is_ours(const struct observer *watch, const pid_t *ours, size_t count, pid_t pid)
{
	pid_t parent;

	if (process_parent(pid, &parent) != 0)
		return false;
	if (parent == getpid())
		return !(watch->load && getsid(pid) == watch->load);
	return has(ours, count, parent);
}

/*
 * Whose child a process is does not change, but that the family's orphans become ours: so each is asked once.
 * `others` are those that are not of the family, as long as they are there.
 */
void observe_family(struct observer *watch)
{
	pid_t *pids;
	const size_t count = process_list(&pids);
	pid_t *ours = xcalloc(count, sizeof(*ours)), *others = xcalloc(count, sizeof(*others));
	size_t our_count = 0, other_count = 0;

	for (size_t i = 0; i < count; i++)
		if (has(watch->pids, watch->pid_count, pids[i]) && process_exists(pids[i]))
			ours[our_count++] = pids[i];
	for (size_t i = 0; i < count; i++) {
		if (has(watch->pids, watch->pid_count, pids[i]))
			continue;
		if (!has(watch->others, watch->other_count, pids[i]) && is_ours(watch, ours, our_count, pids[i])) {
			if (process_exists(pids[i]))
				ours[our_count++] = pids[i];
		} else {
			others[other_count++] = pids[i];
		}
	}
	free(pids);
	free(watch->pids);
	free(watch->others);
	watch->pids = ours;
	watch->pid_count = our_count;
	watch->others = others;
	watch->other_count = other_count;
	if (watch->most_pids < our_count)
		watch->most_pids = our_count;
}

static uint64_t rollup_field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

void observe_resident(const struct observer *watch, struct sample *sample)
{
	char path[64];
	size_t length;

	for (size_t i = 0; i < watch->pid_count; i++) {
		snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)watch->pids[i]);
		char *text = proc_read(path, &length);
		if (!text)
			continue;
		sample->rss = (isnan(sample->rss) ? 0 : sample->rss) + (double)rollup_field(text, "\nRss:");
		sample->pss = (isnan(sample->pss) ? 0 : sample->pss) + (double)rollup_field(text, "\nPss:");
		free(text);
	}
}

bool observe_has(const struct observer *watch, pid_t pid)
{
	return has(watch->pids, watch->pid_count, pid);
}
