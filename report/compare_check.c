/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_check.c - an arm is what really served malloc, free and operator new, not what was asked for.
 *
 * Each segment says which library is behind each entry point. operator new may also be the C++ library's,
 * which asks malloc; a third allocator's is not right (a program linked with jemalloc would take that
 * one's new under every arm).
 */
#include "compare_check.h"

#include "preload.h"
#include "xalloc.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* One library may have several names. */
static bool same_file(const char *a, const char *b)
{
	char *x = realpath(a, NULL), *y = realpath(b, NULL);
	const bool same = strcmp(a, b) == 0 || (x && y && strcmp(x, y) == 0);

	free(x);
	free(y);
	return same;
}

static bool is_cxx_library(const char *path)
{
	return strncmp(base_name(path), "libstdc++.", 10) == 0 || strncmp(base_name(path), "libc++", 6) == 0;
}

static const char *provider(const struct segment *segment, enum hr_entry entry)
{
	const char *path = segment_string(segment, segment->header.provider[entry]);

	return path && *path ? path : NULL;
}

char *check_segment(const struct segment *segment, const char *library, bool *only_new)
{
	static const struct {
		enum hr_entry entry;
		const char *name;
		bool cxx;
	} entries[] = {{HR_ENTRY_MALLOC, "malloc", false}, {HR_ENTRY_FREE, "free", false}, {HR_ENTRY_NEW, "operator new", true},
		{HR_ENTRY_DELETE, "operator delete", true}};
	const struct hr_header *h = &segment->header;
	const char *exe = segment_string(segment, h->exe);

	exe = base_name(exe ? exe : "the program");
	*only_new = false;
	if (h->warnings & HR_WARN_STATIC_MALLOC)
		return xasprintf("malloc is linked into %s: no other allocator can be preloaded", exe);
	if (h->warnings & HR_WARN_NOT_FIRST)
		return xasprintf("wrong order: in %s another library's malloc comes before libheapray.so, which must be first in LD_PRELOAD", exe);
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		const char *path = provider(segment, entries[i].entry);
		const bool right = path ? same_file(path, library) || (entries[i].cxx && is_cxx_library(path)) : entries[i].cxx;
		if (right)
			continue;
		*only_new = entries[i].cxx;
		return xasprintf("%s of %s is served by %s, not by %s", entries[i].name, exe, path ? base_name(path) : "an unknown library",
			base_name(library));
	}
	if (h->state == HR_STATE_STOPPED) {
		const char *why = segment_string(segment, h->state_reason);
		return xasprintf("%s stopped being recorded: %s", exe, why ? why : "no reason given");
	}
	return NULL;
}

/* The newest segment of the process that was started. */
static const struct segment *last_segment(const struct running *r)
{
	for (size_t i = r->watch.member_count; i-- > 0;)
		if (r->watch.members[i].pid == r->program)
			return r->watch.members[i].segment;
	return NULL;
}

/*
 * A command may go on as another program, without us. In a run too short to be looked at, the name it ended
 * under tells: it is cut at 15 characters, and that of a script is the script's, which is among the first words.
 */
static bool bears_name(const struct segment *segment, const char *comm)
{
	const char *exe = segment_string(segment, segment->header.exe), *cmdline = segment_string(segment, segment->header.cmdline);
	char *words = xstrdup(cmdline ? cmdline : ""), *rest = words, *word;
	bool bears = !cmdline || (exe && strncmp(base_name(exe), comm, 15) == 0);

	for (int i = 0; i < 4 && !bears && (word = strsep(&rest, " ")); i++)
		bears = strncmp(base_name(word), comm, 15) == 0;
	free(words);
	return bears;
}

void check_run(const struct compare *compare, const struct arm *arm, const struct running *r, struct run *run)
{
	bool stumbles;
	const char *obstacle = preload_obstacle(compare->program, &stumbles);
	const struct segment *last = last_segment(r);

	if (obstacle) {
		run->self_check = xasprintf("%s is %s: nothing can be preloaded into it", compare->command[0], obstacle);
	} else if (!last) {
		char *line = run_last_line(r->output);
		run->self_check = xasprintf("%s ran without the shim: it left no segment%s%s", compare->command[0], *line ? ": " : "", line);
		free(line);
	} else if (r->watch.unwatched >= 3 || (!r->watch.seen && r->comm[0] && !bears_name(last, r->comm))) {
		run->self_check = xasprintf("%s went on without the shim: statically linked, or it was given another LD_PRELOAD",
			compare->command[0]);
	}
	for (size_t i = 0; i < r->watch.member_count; i++) {
		const struct segment *segment = r->watch.members[i].segment;
		const char *path = provider(segment, HR_ENTRY_MALLOC);
		if (!run->served_by && path)
			run->served_by = xstrdup(path);
		if (!run->self_check)
			run->self_check = check_segment(segment, arm->library, &run->only_new);
	}
}
