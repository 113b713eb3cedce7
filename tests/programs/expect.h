/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * expect.h - a program's own books of what it allocates where, printed as JSON for a test to compare.
 *
 * A site is a stack: the names of its innermost functions, innermost first. The program calls booked()
 * and unbooked() beside each allocation, and expect_print() at the end. Nothing here allocates, and
 * output goes by write(), so that the books are not disturbed by keeping them.
 *
 * The peak is what a site held when the sum of all sites was highest (the first time, if equal). It is
 * that of the process as long as nothing but the sites allocates after the first call.
 */
#ifndef EXPECT_H
#define EXPECT_H

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPECT_DEPTH 4
#define EXPECT_SITES 128

struct site {
	const char *path[EXPECT_DEPTH];
	int64_t live_bytes, live_count, allocated_bytes, allocated_count, peak_bytes, inherited_bytes;
};

static struct site *expect_sites[EXPECT_SITES];
static size_t expect_count;
static int64_t expect_total, expect_peak;
static pthread_mutex_t expect_lock = PTHREAD_MUTEX_INITIALIZER;

/* Declares the books of a stack: SITE(t, "innermost", "its caller"...). */
#define SITE(variable, ...) static struct site variable = {{__VA_ARGS__}, 0, 0, 0, 0, 0, 0}

static void expect_add(struct site *site, int64_t bytes, int64_t count)
{
	pthread_mutex_lock(&expect_lock);
	size_t i = 0;
	while (i < expect_count && expect_sites[i] != site)
		i++;
	if (i == expect_count && expect_count < EXPECT_SITES)
		expect_sites[expect_count++] = site;
	site->live_bytes += bytes;
	site->live_count += count;
	if (count > 0) {
		site->allocated_bytes += bytes;
		site->allocated_count += count;
	}
	expect_total += bytes;
	pthread_mutex_unlock(&expect_lock);
}

static void expect_look_at_peak(void)
{
	if (expect_total <= expect_peak)
		return;
	expect_peak = expect_total;
	for (size_t i = 0; i < expect_count; i++)
		expect_sites[i]->peak_bytes = expect_sites[i]->live_bytes;
}

/* Books a block that the site allocated; NULL is none. Returns p. */
__attribute__((unused)) static void *booked(struct site *site, void *p, size_t bytes)
{
	expect_add(site, p ? (int64_t)bytes : 0, p ? 1 : 0);
	expect_look_at_peak();
	return p;
}

/* Books that a block of the site went away. */
__attribute__((unused)) static void unbooked(struct site *site, size_t bytes)
{
	expect_add(site, -(int64_t)bytes, -1);
}

/* Books that realloc made a block of `from` into one of `to`: one change of the total. */
__attribute__((unused)) static void *rebooked(struct site *from, size_t old, struct site *to, void *p, size_t bytes)
{
	unbooked(from, old);
	return booked(to, p, bytes);
}

/* In a forked child: what is live was inherited, and what was allocated starts there. */
__attribute__((unused)) static void expect_forked(void)
{
	expect_peak = 0;
	for (size_t i = 0; i < expect_count; i++) {
		struct site *s = expect_sites[i];
		s->inherited_bytes = s->allocated_bytes = s->live_bytes;
		s->allocated_count = s->live_count;
	}
	expect_look_at_peak();
}

__attribute__((format(printf, 2, 3))) static void expect_say(int fd, const char *format, ...)
{
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (write(fd, text, (size_t)length) != length)
		_exit(99);
}

/* One line of JSON on fd. */
__attribute__((unused)) static void expect_print(int fd)
{
	expect_say(fd, "{\"pid\":%d,\"total\":%lld,\"sites\":[", (int)getpid(), (long long)expect_total);
	for (size_t i = 0; i < expect_count; i++) {
		const struct site *s = expect_sites[i];
		expect_say(fd, "%s{\"path\":[", i ? "," : "");
		for (size_t j = 0; j < EXPECT_DEPTH && s->path[j]; j++)
			expect_say(fd, "%s\"%s\"", j ? "," : "", s->path[j]);
		expect_say(fd,
			"],\"live_bytes\":%lld,\"live_count\":%lld,\"allocated_bytes\":%lld,\"allocated_count\":%lld,"
			"\"peak_bytes\":%lld,\"inherited_bytes\":%lld}",
			(long long)s->live_bytes, (long long)s->live_count, (long long)s->allocated_bytes,
			(long long)s->allocated_count, (long long)s->peak_bytes, (long long)s->inherited_bytes);
	}
	expect_say(fd, "]}\n");
}

#endif
