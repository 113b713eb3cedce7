/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * directory.c - two passes: what live processes map (all of /proc/PID/maps), then the files in the
 * directories that nobody maps.
 *
 * A mapped file's path is that of the process's own mount namespace, and the file may have been
 * removed: it is tried as it stands, below /proc/PID/root, and by /proc/PID/map_files; what is opened
 * must have the inode that is mapped.
 */
#include "directory.h"

#include "process.h"
#include "text.h"
#include "xalloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

struct mapped { /* one line of /proc/PID/maps that names a segment */
	uint64_t start, end, inode;
	char path[4096];
};

/* ---- reading one --------------------------------------------------------------------------- */

static bool trusted(const struct segment *segment, pid_t pid)
{
	uid_t uids[4];

	if (segment->owner == geteuid())
		return true;
	if (pid == 0)
		return segment->owner == segment->header.uid;
	if (process_uids(pid, uids) != 0)
		return false;
	return segment->owner == uids[0] || segment->owner == uids[1] || segment->owner == uids[2];
}

static struct found *add(struct directory *d, struct segment *segment, const char *open_path, pid_t pid)
{
	if (!trusted(segment, pid)) {
		if (!segment->quiet)
			text_note("%s: belongs to uid %u, neither ours nor that of process %" PRIu64 ": left out", segment->path,
			(unsigned)segment->owner, segment->header.pid);
		segment_free(segment);
		return NULL;
	}
	xgrow(d->found, d->count, d->capacity);
	d->found[d->count] = (struct found){.segment = segment, .open_path = xstrdup(open_path), .pid = pid};
	return &d->found[d->count++];
}

/* O_NONBLOCK: a fifo put in the place of a segment must not hold us up. */
static int open_plain(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static bool has_inode(int fd, uint64_t inode)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == inode;
}

/* Opens what pid maps, however its name is reached from here; *how becomes the path that worked. */
static int open_mapped(pid_t pid, const struct mapped *mapped, char **how)
{
	char *ways[] = {
		xstrdup(mapped->path),
		xasprintf("/proc/%d/root%s", (int)pid, mapped->path),
		xasprintf("/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, mapped->start, mapped->end),
	};
	int fd = -1;

	*how = NULL;
	for (size_t i = 0; i < 3; i++) {
		if (fd < 0 && (fd = open_plain(ways[i])) >= 0 && !has_inode(fd, mapped->inode)) {
			close(fd);
			fd = -1;
		}
		if (fd >= 0 && !*how)
			*how = ways[i];
		else
			free(ways[i]);
	}
	return fd;
}

/* ---- live ones ----------------------------------------------------------------------------- */

/* Whether the line maps a file NAME.seg, shared; then its parts. */
static bool parse_line(const char *line, struct mapped *m)
{
	char permissions[8];
	uint64_t offset;
	int at = 0;

	if (!strstr(line, ".seg"))
		return false;
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %" SCNu64 " %n", &m->start, &m->end, permissions, &offset,
		    &m->inode, &at) != 5 || at == 0 || offset != 0 || permissions[3] != 's')
		return false;
	snprintf(m->path, sizeof(m->path), "%s", line + at);
	char *end = m->path + strcspn(m->path, "\n");
	*end = '\0';
	if (end - m->path > 10 && strcmp(end - 10, " (deleted)") == 0)
		*(end -= 10) = '\0';
	return end - m->path > 4 && strcmp(end - 4, ".seg") == 0;
}

static void add_mapped(struct directory *d, pid_t pid, const struct mapped *mapped)
{
	char *how;
	const int fd = open_mapped(pid, mapped, &how);

	if (fd < 0)
		return;
	struct segment *segment = segment_read_header(fd, mapped->path, d->quiet);
	close(fd);
	/* A child by vfork or raw clone still maps its parent's. */
	if (segment && process_is_known_as(pid, segment->header.pid))
		add(d, segment, how, pid);
	else
		segment_free(segment);
	free(how);
}

static int scan_process(struct directory *d, pid_t pid)
{
	char path[64], *line = NULL;
	struct mapped mapped;
	size_t size = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	if (!maps)
		return errno;
	while (getline(&line, &size, maps) > 0) {
		if (parse_line(line, &mapped))
			add_mapped(d, pid, &mapped);
	}
	const int error = ferror(maps) ? EACCES : 0;
	free(line);
	fclose(maps);
	return error;
}

int directory_permission(pid_t pid)
{
	char path[64], byte;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	const int error = read(fd, &byte, 1) < 0 ? errno : 0;
	close(fd);
	return error;
}

/* ---- ended ones ---------------------------------------------------------------------------- */

static bool known_inode(const struct directory *d, const struct stat *st)
{
	for (size_t i = 0; i < d->count; i++) {
		if (d->found[i].segment->inode == st->st_ino && d->found[i].segment->device == st->st_dev)
			return true;
	}
	return false;
}

/* A process whose maps we may not read may still map it: then its pid has to do. */
static pid_t hidden_owner(const struct segment *segment)
{
	const pid_t pid = segment->header.pid <= INT32_MAX ? (pid_t)segment->header.pid : 0;

	return pid && process_exists(pid) && directory_permission(pid) != 0 ? pid : 0;
}

static void scan_directory(struct directory *d, const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		const size_t length = strlen(entry->d_name);
		if (length < 5 || strcmp(entry->d_name + length - 4, ".seg") != 0)
			continue;
		char *file = xasprintf("%s/%s", path, entry->d_name);
		const int fd = open_plain(file);
		if (fd >= 0 && fstat(fd, &st) == 0 && !known_inode(d, &st)) {
			struct segment *segment = segment_read_header(fd, file, d->quiet);
			if (segment)
				add(d, segment, file, hidden_owner(segment));
		}
		if (fd >= 0)
			close(fd);
		free(file);
	}
	if (dir)
		closedir(dir);
}

/* Ours, and as root everybody's: directories that belong to the user in their name. */
static void scan_default_directories(struct directory *d)
{
	DIR *shm = opendir("/dev/shm");
	struct dirent *entry;
	struct stat st;
	unsigned uid;
	int end;

	while (shm && (entry = readdir(shm))) {
		end = 0;
		if (sscanf(entry->d_name, "heapray.%u%n", &uid, &end) != 1 || entry->d_name[end])
			continue;
		if (geteuid() != 0 && uid != geteuid())
			continue;
		char *path = xasprintf("/dev/shm/%s", entry->d_name);
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == uid)
			scan_directory(d, path);
		free(path);
	}
	if (shm)
		closedir(shm);
}

/* ---- all of them --------------------------------------------------------------------------- */

static int by_age(const void *a, const void *b)
{
	const struct hr_header *x = &((const struct found *)a)->segment->header, *y = &((const struct found *)b)->segment->header;

	if (x->created_realtime_ns != y->created_realtime_ns)
		return x->created_realtime_ns < y->created_realtime_ns ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Keeps the live ones that are in `path` too. */
static void keep_those_in(struct directory *d, const char *path)
{
	size_t kept = 0;
	struct stat st;

	for (size_t i = 0; i < d->count; i++) {
		struct found *f = &d->found[i];
		const char *name = strrchr(f->segment->path, '/');
		char *here = xasprintf("%s%s", path, name ? name : "");
		if (stat(here, &st) == 0 && st.st_ino == f->segment->inode && st.st_dev == f->segment->device) {
			d->found[kept++] = *f;
		} else {
			segment_free(f->segment);
			free(f->open_path);
		}
		free(here);
	}
	d->count = kept;
}

/* Root may look into another user's directory when asked to by --dir, not because of an inherited environment. */
static int check_directory(const char *path, bool from_environment)
{
	const char *name = from_environment ? "HEAPRAY_DIR: " : "", *reason = NULL;
	struct stat st;

	if (stat(path, &st) != 0)
		reason = strerror(errno);
	else if (!S_ISDIR(st.st_mode))
		reason = "not a directory";
	else if (st.st_uid != geteuid() && (from_environment || geteuid() != 0))
		reason = "belongs to another user";
	else if (access(path, R_OK | X_OK) != 0)
		reason = strerror(errno);
	if (!reason)
		return 0;
	text_error("Name your own with --dir, the one `heapray run --dir' was given; by default it is /dev/shm/heapray.<uid>.", "%s%s: %s",
		name, path, reason);
	return -1;
}

int directory_open(const struct options *options, bool quiet, struct directory *d)
{
	const char *only = options->dir ? options->dir : getenv("HEAPRAY_DIR");
	pid_t *pids;

	*d = (struct directory){.quiet = quiet};
	if (only && !*only)
		only = NULL;
	if (only && check_directory(only, options->dir == NULL) != 0)
		return -1;
	const size_t count = process_list(&pids);
	for (size_t i = 0; i < count; i++)
		scan_process(d, pids[i]);
	free(pids);
	if (only) {
		keep_those_in(d, only);
		scan_directory(d, only);
	} else {
		scan_default_directories(d);
	}
	if (d->count > 0)
		qsort(d->found, d->count, sizeof(*d->found), by_age);
	return 0;
}

void directory_close(struct directory *d)
{
	for (size_t i = 0; i < d->count; i++) {
		segment_free(d->found[i].segment);
		free(d->found[i].open_path);
	}
	free(d->found);
	memset(d, 0, sizeof(*d));
}

struct found *directory_of_pid(const struct directory *d, pid_t pid)
{
	/* The newest: after exec a process may still hold two for a moment. */
	for (size_t i = d->count; i-- > 0;) {
		if (d->found[i].pid == pid)
			return &d->found[i];
	}
	return NULL;
}

struct found *directory_of_path(struct directory *d, const char *path)
{
	struct stat st;
	const int fd = open_plain(path);

	if (fd < 0 || fstat(fd, &st) != 0) {
		text_error("TARGET is a pid or a segment file; `heapray ps --all' lists them.", "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	struct found *found = NULL;
	for (size_t i = 0; i < d->count && !found; i++) {
		if (d->found[i].segment->inode == st.st_ino && d->found[i].segment->device == st.st_dev)
			found = &d->found[i];
	}
	if (!found) {
		struct segment *segment = segment_read_header(fd, path, false);
		found = segment ? add(d, segment, path, 0) : NULL;
	}
	close(fd);
	return found;
}

int directory_read_rows(struct found *found)
{
	const int fd = open_plain(found->open_path);

	if (fd < 0 || !has_inode(fd, found->segment->inode)) {
		text_error("It ended meanwhile; `heapray ps --all' lists what is left.", "%s: gone", found->segment->path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	const int result = segment_read_rows(found->segment, fd);
	close(fd);
	return result;
}
