/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth_watch.c - reads the segments of known members again; looks for new members now and then.
 *
 * Finding a family reads the maps of every process of the machine; reading a known segment is a few
 * pread of one file. A screen that is redrawn each second must do with the second.
 */
#include "growth_watch.h"

#include "process.h"
#include "text.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_FOR_MEMBERS_NS 10000000000ull

uint64_t watch_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool watch_sleep_until(uint64_t ns)
{
	const struct timespec until = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};

	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0;
}

int watch_open(struct watch *watch, const struct options *options)
{
	*watch = (struct watch){.options = *options};
	if (family_open(options, &watch->family) != 0)
		return -1;
	if (watch->family.members[0].alive && !watch->family.snapshot) {
		snprintf(watch->target, sizeof(watch->target), "%d", (int)watch->family.members[0].pid);
		watch->options.target = watch->target;
	}
	watch->found_ns = watch_now();
	return 0;
}

/* The file as we reach it, or through the process's own root. -1 when it is gone. */
static int open_segment(const struct process *process)
{
	char *there = xasprintf("/proc/%d/root%s", (int)process->pid, process->segment->path);
	const char *ways[] = {process->segment->path, there};
	struct stat st;
	int fd = -1;

	for (size_t i = 0; i < 2 && fd < 0; i++) {
		fd = open(ways[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd >= 0 && (fstat(fd, &st) != 0 || st.st_ino != process->segment->inode || st.st_dev != process->segment->device)) {
			close(fd);
			fd = -1;
		}
	}
	free(there);
	return fd;
}

/* NULL when it cannot be read any more. */
static struct segment *read_again(const struct process *process)
{
	const int fd = process_exists(process->pid) ? open_segment(process) : -1;
	struct segment *segment = fd >= 0 ? segment_read_header(fd, process->segment->path, true) : NULL;

	if (segment && segment_read_rows(segment, fd) != 0) {
		segment_free(segment);
		segment = NULL;
	}
	if (fd >= 0)
		close(fd);
	return segment;
}

static bool look_for_members(struct watch *watch)
{
	struct family family;

	watch->found_ns = watch_now();
	if (!process_exists(watch->family.members[0].pid) || family_open(&watch->options, &family) != 0)
		return false;
	family_close(&watch->family);
	watch->family = family;
	return true;
}

bool watch_again(struct watch *watch)
{
	struct family *family = &watch->family;
	size_t alive = 0;
	bool ended = false;

	if (watch_now() - watch->found_ns >= LOOK_FOR_MEMBERS_NS && look_for_members(watch))
		return true;
	for (size_t i = 0; i < family->count; i++) {
		struct process *member = &family->members[i];
		if (!member->alive || !member->segment)
			continue;
		struct segment *segment = read_again(member);
		if (segment) {
			segment_free(member->segment);
			member->segment = segment;
			alive++;
		} else if (process_exists(member->pid)) {
			alive++; /* it was being written: the last reading has to do */
		} else {
			ended = true;
		}
	}
	if (alive == 0)
		return false;
	return !ended || look_for_members(watch) || alive > 0;
}

void watch_close(struct watch *watch)
{
	family_close(&watch->family);
}

uint64_t watch_resident(const struct family *family)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < family->count; i++) {
		const uint64_t bytes = family->members[i].alive ? process_resident_bytes(family->members[i].pid) : UINT64_MAX;
		if (bytes == UINT64_MAX)
			return UINT64_MAX;
		sum += bytes;
	}
	return sum;
}

/* One that was just forked has not asked its allocator yet: what it holds is its parent's, shared. */
static uint64_t sum_of(const struct family *family, size_t field)
{
	uint64_t sum = 0;
	bool told = false;

	for (size_t i = 0; i < family->count; i++) {
		const struct segment *s = family->members[i].segment;
		if (!s || s->header.allocator.taken_ns == 0)
			continue;
		const uint64_t bytes = *(const uint64_t *)((const char *)&s->header.allocator + field);
		if (bytes == UINT64_MAX)
			return UINT64_MAX;
		sum += bytes;
		told = true;
	}
	return told ? sum : UINT64_MAX;
}

uint64_t watch_held(const struct family *family)
{
	return sum_of(family, offsetof(struct hr_allocator_stats, held_bytes));
}

uint64_t watch_used(const struct family *family)
{
	return sum_of(family, offsetof(struct hr_allocator_stats, in_use_bytes));
}
