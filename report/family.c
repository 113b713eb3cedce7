/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * family.c - TARGET to members.
 *
 * Which segment was forked from which is told by the pair (parent's pid, creation time of the
 * parent's segment): a pid alone is reused. A process that execs starts a family of its own, its
 * segment names no parent. Processes without a segment have no such record: their family is the
 * descendants by parent pid that run the same executable.
 */
#include "family.h"

#include "directory.h"
#include "process.h"
#include "snapshot.h"
#include "text.h"
#include "xalloc.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_child_of(const struct segment *child, const struct segment *parent)
{
	return child->header.parent_created_realtime_ns != 0 &&
	       child->header.parent_created_realtime_ns == parent->header.created_realtime_ns &&
	       child->header.parent_pid == parent->header.pid;
}

/* ---- members ------------------------------------------------------------------------------- */

static struct process *add_member(struct family *family, const struct process *process)
{
	family->members = xreallocarray(family->members, family->count + 1, sizeof(*family->members));
	family->members[family->count] = *process;
	return &family->members[family->count++];
}

static struct process process_of(const struct found *found)
{
	struct segment *segment = found->segment;
	const struct hr_header *h = &segment->header;
	struct process p = {
		.pid = found->pid ? found->pid : (pid_t)h->pid,
		.parent_pid = (pid_t)h->parent_pid,
		.role = h->role <= HR_ROLE_CACHE_LOADER ? h->role : HR_ROLE_PROCESS,
		.generation = h->reload_generation,
		.alive = found->pid != 0,
		.segment = segment,
		.parent = SIZE_MAX,
	};

	char *title = p.alive ? process_cmdline(p.pid) : xstrdup(h->title);
	if (role_from_title(title) != HR_ROLE_PROCESS)
		p.role = role_from_title(title);
	p.draining = p.alive && title_is_draining(title);
	free(title);
	if (p.alive) {
		process_parent(p.pid, &p.parent_pid);
		p.exe = process_exe(p.pid);
	}
	return p;
}

/*
 * A worker that allocated nothing after it set its title ended with its master's. No master forks a
 * master (an upgrade execs), and nearly all that it forks are workers.
 */
static void correct_role(const struct family *family, struct process *p)
{
	if (!p->alive && p->role == HR_ROLE_MASTER && p->parent != SIZE_MAX && family->members[p->parent].role == HR_ROLE_MASTER &&
		is_child_of(p->segment, family->members[p->parent].segment))
		p->role = HR_ROLE_WORKER;
}

/* Makes an entry a member, with its rows; the segment is the family's from then on. */
static int take(struct family *family, struct found *found, size_t parent)
{
	if (directory_read_rows(found) != 0)
		return -1;
	struct process p = process_of(found);
	const char *exe = segment_string(p.segment, p.segment->header.exe);
	if (!p.exe)
		p.exe = xstrdup(exe ? exe : "");
	p.parent = parent;
	correct_role(family, &p);
	add_member(family, &p);
	found->segment = NULL;
	return 0;
}

/* All forked from members, and from those: the entries are in the order of their birth, so one pass is enough. */
static int family_of(struct directory *d, const struct found *root, bool one, struct family *family)
{
	const bool alive = root->pid != 0;

	for (size_t i = 0; i < d->count; i++) {
		struct found *found = &d->found[i];
		size_t parent = SIZE_MAX;

		if ((found->pid != 0) != alive || (one && found != root))
			continue;
		for (size_t m = 0; m < family->count && found != root; m++) {
			if (is_child_of(found->segment, family->members[m].segment))
				parent = m;
		}
		if (parent == SIZE_MAX && found != root)
			continue;
		/* Another than the root may have gone this moment: that was said, the rest is still an answer. */
		if (take(family, found, parent) != 0 && found == root)
			return -1;
	}
	return 0;
}

/* ---- without a segment --------------------------------------------------------------------- */

static bool has_member(const struct family *family, pid_t pid)
{
	for (size_t i = 0; i < family->count; i++) {
		if (family->members[i].alive && family->members[i].pid == pid)
			return true;
	}
	return false;
}

static void add_plain(struct family *family, pid_t pid, char *exe, size_t parent)
{
	char *title = process_cmdline(pid);
	struct process process = {
		.pid = pid,
		.role = role_from_title(title),
		.alive = true,
		.draining = title_is_draining(title),
		.exe = exe,
		.parent = parent,
	};

	process_parent(pid, &process.parent_pid);
	add_member(family, &process);
	free(title);
}

/* Adds what members forked and runs their executable without a segment; those too are asked in turn. */
static void add_plain_children(struct family *family)
{
	pid_t *pids;
	const size_t count = process_list(&pids);
	pid_t *parents = xcalloc(count, sizeof(*parents));

	for (size_t i = 0; i < count; i++)
		process_parent(pids[i], &parents[i]);
	for (size_t m = 0; m < family->count; m++) {
		for (size_t i = 0; i < count && family->members[m].alive; i++) {
			if (parents[i] != family->members[m].pid || has_member(family, pids[i]))
				continue;
			char *exe = process_exe(pids[i]);
			if (exe && strcmp(exe, family->members[m].exe) == 0)
				add_plain(family, pids[i], exe, m);
			else
				free(exe);
		}
	}
	free(parents);
	free(pids);
}

static int plain_family(pid_t pid, bool one, struct family *family)
{
	char *exe = process_exe(pid);

	add_plain(family, pid, exe ? exe : xstrdup(""), SIZE_MAX);
	if (!one && exe)
		add_plain_children(family);
	return 0;
}

/* ---- TARGET -------------------------------------------------------------------------------- */

static const struct found *newest_live_root(const struct directory *d)
{
	const struct found *newest = NULL;

	for (size_t i = 0; i < d->count; i++) {
		bool root = d->found[i].pid != 0;
		for (size_t j = 0; j < d->count && root; j++)
			root = !(d->found[j].pid != 0 && is_child_of(d->found[i].segment, d->found[j].segment));
		if (root)
			newest = &d->found[i];
	}
	return newest;
}

static int open_newest(struct directory *d, const struct options *options, struct family *family)
{
	const struct found *root = newest_live_root(d);

	if (!root) {
		text_error("Start one with `heapray run -- CMD...'; `heapray ps --all' lists those that ended.",
			"no TARGET: no live process is being watched");
		return -1;
	}
	if (family_of(d, root, options->one, family) != 0)
		return -1;
	text_note("no TARGET: taking the newest, %d (%s)", (int)family->members[0].pid, text_safe(family->members[0].exe, 200));
	return 0;
}

static const struct found *newest_ended(const struct directory *d, pid_t pid)
{
	for (size_t i = d->count; i-- > 0;) {
		if (d->found[i].pid == 0 && d->found[i].segment->header.pid == (uint64_t)pid)
			return &d->found[i];
	}
	return NULL;
}

static int open_pid(struct directory *d, pid_t pid, const struct options *options, struct family *family)
{
	const struct found *found = directory_of_pid(d, pid);

	if (!found && process_exists(pid)) {
		const int error = directory_permission(pid);
		if (error == 0)
			return plain_family(pid, options->one, family);
		text_error("Try as root, or as the user it runs as.", "%d: %s", (int)pid, strerror(error));
		return -1;
	}
	if (!found)
		found = newest_ended(d, pid);
	if (!found) {
		text_error("`heapray ps' lists what is being watched, `heapray ps --all' what has ended too.", "%d: no such process", (int)pid);
		return -1;
	}
	return family_of(d, found, options->one, family);
}

/* Digits alone are a pid. Returns 0 when they are not, or out of range. */
static pid_t parse_pid(const char *text)
{
	char *end;
	const long pid = isdigit((unsigned char)*text) ? strtol(text, &end, 10) : 0;

	return pid > 0 && pid <= INT32_MAX && *end == '\0' ? (pid_t)pid : 0;
}

static int open_target(struct directory *d, const struct options *options, struct family *family)
{
	const pid_t pid = options->target ? parse_pid(options->target) : 0;

	if (!options->target)
		return open_newest(d, options, family);
	if (pid)
		return open_pid(d, pid, options, family);
	if (options->target[strspn(options->target, "0123456789")] == '\0') {
		text_error("`heapray ps' lists what is being watched.", "'%s': not a pid", text_safe(options->target, 40));
		return -1;
	}
	const struct found *found = directory_of_path(d, options->target);
	return found ? family_of(d, found, options->one, family) : -1;
}

/* A snapshot, or the newest of a folder. Returns 1 when the target is neither, else as family_open. */
static int open_snapshot(const struct options *options, struct family *family)
{
	struct stat st;
	char **files;

	if (!options->target || options->target[strspn(options->target, "0123456789")] == '\0' || stat(options->target, &st) != 0)
		return 1;
	if (S_ISREG(st.st_mode) && snapshot_is(options->target))
		return snapshot_open(options->target, options->one, family);
	if (!S_ISDIR(st.st_mode))
		return 1;
	const size_t count = snapshot_folder(options->target, &files);
	const int result = count ? snapshot_open(files[count - 1], options->one, family) : -1;
	if (count == 0)
		text_error("`heapray snapshot TARGET -o FOLDER/' puts snapshots there.", "%s: no snapshot in this folder", options->target);
	for (size_t i = 0; i < count; i++)
		free(files[i]);
	free(files);
	return result;
}

int family_open(const struct options *options, struct family *family)
{
	struct directory directory;
	struct options here = *options;
	char *slash = options->target ? strrchr(options->target, '/') : NULL;

	memset(family, 0, sizeof(*family));
	const int kept = open_snapshot(options, family);
	if (kept <= 0)
		return kept;
	/* A segment's relatives lie beside it. */
	if (slash && !options->dir && access(options->target, F_OK) == 0)
		here.dir = xasprintf("%.*s", slash == options->target ? 1 : (int)(slash - options->target), options->target);
	if (directory_open(&here, true, &directory) != 0)
		return -1;
	const int result = open_target(&directory, options, family);
	directory_close(&directory);
	if (result != 0)
		family_close(family);
	return result;
}

/* ---- all ----------------------------------------------------------------------------------- */

/* Whose child a member is shown as: of the one that forked it, else of its parent by pid. */
static size_t parent_of(const struct family *family, size_t child)
{
	const struct process *p = &family->members[child];

	for (size_t i = 0; i < family->count; i++) {
		if (i != child && family->members[i].segment && is_child_of(p->segment, family->members[i].segment))
			return i;
	}
	for (size_t i = 0; i < family->count; i++) {
		if (i != child && p->alive && family->members[i].alive && family->members[i].pid == p->parent_pid)
			return i;
	}
	/* A program started by one that has ended: the newest of that pid that was there before it. */
	for (size_t i = child; i-- > 0;) {
		const struct segment *s = family->members[i].segment;
		if (s && s->header.pid == p->segment->header.parent_pid && s->header.pid_namespace == p->segment->header.pid_namespace)
			return i;
	}
	return SIZE_MAX;
}

int family_all(const struct options *options, bool ended, struct family *family)
{
	struct directory d;

	memset(family, 0, sizeof(*family));
	if (directory_open(options, false, &d) != 0)
		return -1;
	for (size_t i = 0; i < d.count; i++) {
		if (ended || d.found[i].pid != 0)
			take(family, &d.found[i], SIZE_MAX);
	}
	for (size_t i = 0; i < family->count; i++) {
		family->members[i].parent = parent_of(family, i);
		correct_role(family, &family->members[i]);
	}
	add_plain_children(family);
	directory_close(&d);
	return 0;
}

void family_close(struct family *family)
{
	for (size_t i = 0; i < family->count; i++) {
		segment_free(family->members[i].segment);
		free(family->members[i].exe);
	}
	free(family->members);
	snapshot_close(family->snapshot);
	memset(family, 0, sizeof(*family));
}
