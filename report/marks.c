/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * marks.c - reads both kinds of marks, writes one.
 *
 * The segment is the shim's alone to write, so ours are in a file of their own. It is as hostile as any:
 * opened without following links, read up to a bound, names cut to what can be printed.
 */
#include "marks.h"

#include "text.h"
#include "xalloc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_LINES 4096

struct marks {
	struct mark *list;
	size_t count, capacity;
};

char *marks_path(const char *segment_path)
{
	const size_t length = strlen(segment_path);
	const bool suffixed = length > 4 && strcmp(segment_path + length - 4, ".seg") == 0;

	return xasprintf("%.*s.marks", (int)(suffixed ? length - 4 : length), segment_path);
}

static void add(struct marks *marks, const char *name, uint64_t first_ns, uint64_t last_ns, uint64_t count)
{
	struct mark *mark = NULL;

	for (size_t i = 0; i < marks->count && !mark; i++) {
		if (strncmp(marks->list[i].name, name, MARK_NAME_BYTES - 1) == 0)
			mark = &marks->list[i];
	}
	if (!mark) {
		xgrow(marks->list, marks->count, marks->capacity);
		mark = &marks->list[marks->count++];
		*mark = (struct mark){.first_ns = first_ns};
		snprintf(mark->name, sizeof(mark->name), "%s", name);
	}
	mark->first_ns = first_ns < mark->first_ns ? first_ns : mark->first_ns;
	mark->last_ns = last_ns > mark->last_ns ? last_ns : mark->last_ns;
	mark->count += count;
}

static void read_file(struct marks *marks, const char *segment_path)
{
	char *path = marks_path(segment_path), line[256];
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	uint64_t ns;
	int at;

	for (size_t i = 0; file && i < MOST_LINES && fgets(line, sizeof(line), file); i++) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%" SCNu64 " %n", &ns, &at) == 1 && line[at])
			add(marks, line + at, ns, ns, 0); /* ours count nothing: see marks_since */
	}
	if (file)
		fclose(file);
	else if (fd >= 0)
		close(fd);
	free(path);
}

static void read_segment(struct marks *marks, const struct segment *s)
{
	for (size_t i = 0; i < s->mark_count; i++) {
		const char *name = segment_string(s, s->marks[i].name);
		if (name && *name)
			add(marks, name, s->marks[i].time_ns, s->marks[i].last_ns, s->marks[i].count);
	}
}

static int by_time(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	if (x->first_ns != y->first_ns)
		return x->first_ns < y->first_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

static struct marks read_all(const struct family *family)
{
	struct marks marks = {0};

	for (size_t i = 0; i < family->count; i++) {
		const struct segment *s = family->members[i].segment;
		if (!s)
			continue;
		read_segment(&marks, s);
		read_file(&marks, s->path);
	}
	if (marks.count > 0)
		qsort(marks.list, marks.count, sizeof(*marks.list), by_time);
	return marks;
}

size_t marks_read(const struct family *family, struct mark **list)
{
	const struct marks marks = read_all(family);

	*list = marks.list;
	return marks.count;
}

static const struct mark *find(const struct marks *marks, const char *name)
{
	for (size_t i = 0; i < marks->count; i++) {
		if (strncmp(marks->list[i].name, name, MARK_NAME_BYTES - 1) == 0)
			return &marks->list[i];
	}
	return NULL;
}

bool marks_since(const struct family *family, const char *name, uint64_t *ns)
{
	struct marks marks = read_all(family);
	const struct mark *mark = find(&marks, name);

	if (!mark)
		text_error("`heapray mark TARGET NAME' sets one; programs do with heapray_mark().", "--since: %s: no such mark", text_safe(name, 64));
	else
		*ns = mark->count ? mark->first_ns : mark->last_ns;
	free(marks.list);
	return mark != NULL;
}

bool marks_count(const struct family *family, const char *name, uint64_t *count)
{
	struct marks marks = read_all(family);
	const struct mark *mark = find(&marks, name);

	*count = mark ? mark->count : 0;
	free(marks.list);
	return mark && *count > 0;
}

static bool can_be_a_name(const char *name)
{
	const char *p = name;

	while (*p && !iscntrl((unsigned char)*p))
		p++;
	return *name && !isspace((unsigned char)*name) && *p == '\0' && strlen(name) < MARK_NAME_BYTES;
}

int marks_write(const struct family *family, const char *name)
{
	const struct segment *s = family->members[0].segment;
	struct timespec now;

	if (!can_be_a_name(name)) {
		text_error(NULL, "'%s': a mark's name has 1 to %d characters that can be printed", text_safe(name, 64), MARK_NAME_BYTES - 1);
		return -1;
	}
	if (!s) {
		text_error("Start it with `heapray run -- CMD...'.", "%d: not started under heapray", (int)family->members[0].pid);
		return -1;
	}
	char *path = marks_path(s->path);
	const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	clock_gettime(CLOCK_MONOTONIC, &now);
	/* One write: lines of two that mark at once do not mix. */
	const bool written = fd >= 0 && dprintf(fd, "%" PRIu64 " %s\n", (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec, name) > 0;
	if (!written)
		text_error("Marks are kept beside the segment: try as its owner.", "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(path);
	return written ? 0 : -1;
}
