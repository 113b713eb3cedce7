/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot.c - opens a snapshot: unpacks it, finds its parts, and makes a family of them.
 *
 * A segment in it is checked by the same code as one in a file: it is given to it as a file in memory.
 */
#include "snapshot.h"

#include "gzip.h"
#include "snapshot_symbols.h"
#include "text.h"
#include "xalloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_PACKED (512ull << 20)
#define MOST_BYTES (2ull << 30)
#define MOST_MEMBERS 4096
#define TRY_OTHER "It is damaged, or no snapshot; `heapray snapshot TARGET -o FILE' makes one."

struct part {
	char name[32];
	char *bytes; /* a NUL follows */
	size_t length;
};

struct snapshot {
	char *bytes; /* all parts lie in it */
	struct part *parts;
	size_t part_count, part_capacity;
	struct json *family, *breakdown, *zones, *heap;
	struct snapshot_symbols *symbols;
	uint64_t taken_realtime_ns, taken_ns;
};

/* ---- the file ------------------------------------------------------------------------------ */

static char *read_file(const char *path, size_t *length)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char *bytes = NULL;

	if (fd < 0 || fstat(fd, &st) != 0) {
		text_error(NULL, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > MOST_PACKED) {
		text_error(TRY_OTHER, "%s: not a snapshot", path);
	} else {
		bytes = xcalloc(st.st_size + 1, 1);
		*length = 0;
		for (ssize_t n; (n = read(fd, bytes + *length, st.st_size - *length)) > 0;)
			*length += n;
	}
	if (fd >= 0)
		close(fd);
	return bytes;
}

bool snapshot_is(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char head[2];
	const bool is = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && pread(fd, head, 2, 0) == 2 && gzip_is(head, 2);

	if (fd >= 0)
		close(fd);
	return is;
}

/* Cuts the bytes into parts. False when their headers do not add up to the whole. */
static bool find_parts(struct snapshot *s, size_t length)
{
	static const char magic[] = "heapray snapshot 1\n";
	char *at = s->bytes + strlen(magic), *end = s->bytes + length;

	if (length < strlen(magic) || memcmp(s->bytes, magic, strlen(magic)) != 0)
		return false;
	while (at < end) {
		struct part part;
		uint64_t bytes;
		int header = 0;
		/* A name may have one space: "segment 0". */
		if (sscanf(at, "%31[a-z0-9 ]\t%" SCNu64 "%n", part.name, &bytes, &header) != 2 || at[header] != '\n')
			return false;
		part.bytes = at + header + 1;
		if (part.bytes > end || bytes >= (uint64_t)(end - part.bytes) || part.bytes[bytes] != '\n')
			return false;
		part.length = bytes;
		part.bytes[bytes] = '\0';
		xgrow(s->parts, s->part_count, s->part_capacity);
		s->parts[s->part_count++] = part;
		at = part.bytes + bytes + 1;
	}
	return true;
}

static const struct part *part_of(const struct snapshot *s, const char *name)
{
	for (size_t i = 0; i < s->part_count; i++) {
		if (strcmp(s->parts[i].name, name) == 0)
			return &s->parts[i];
	}
	return NULL;
}

static const struct part *part_of_member(const struct snapshot *s, const char *kind, size_t member)
{
	char name[32];

	snprintf(name, sizeof(name), "%s %zu", kind, member);
	return part_of(s, name);
}

static struct json *json_of(const struct snapshot *s, const char *name)
{
	const struct part *part = part_of(s, name);
	char error[200];

	return part ? json_parse(part->bytes, part->length, error, sizeof(error)) : NULL;
}

static struct snapshot *read_snapshot(const char *path)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));
	size_t length, packed_length;
	char *packed = read_file(path, &packed_length);

	if (!packed)
		goto failed;
	s->bytes = gzip_unpack(packed, packed_length, MOST_BYTES, &length);
	free(packed);
	if (s->bytes && find_parts(s, length))
		s->family = json_of(s, "family");
	if (!s->family) {
		text_error(TRY_OTHER, "%s: damaged, or not a snapshot", path);
		goto failed;
	}
	s->taken_realtime_ns = json_to_integer(json_get(s->family, "taken_realtime_ns"));
	s->taken_ns = json_to_integer(json_get(s->family, "taken_ns"));
	s->breakdown = json_of(s, "breakdown");
	s->zones = json_of(s, "zones");
	s->heap = json_of(s, "heap");
	const struct part *symbols = part_of(s, "symbols");
	s->symbols = snapshot_symbols_parse(xstrdup(symbols ? symbols->bytes : ""));
	return s;
failed:
	snapshot_close(s);
	return NULL;
}

void snapshot_close(struct snapshot *s)
{
	if (!s)
		return;
	if (s->family)
		json_free(s->family);
	if (s->breakdown)
		json_free(s->breakdown);
	if (s->zones)
		json_free(s->zones);
	if (s->heap)
		json_free(s->heap);
	snapshot_symbols_free(s->symbols);
	free(s->parts);
	free(s->bytes);
	free(s);
}

/* ---- the family ---------------------------------------------------------------------------- */

static struct segment *segment_of(const struct snapshot *s, size_t member, const char *path)
{
	const struct part *part = part_of_member(s, "segment", member);
	const int fd = part ? memfd_create("heapray snapshot", MFD_CLOEXEC) : -1;
	struct segment *segment = NULL;

	if (fd < 0)
		return NULL;
	if (pwrite(fd, part->bytes, part->length, 0) == (ssize_t)part->length)
		segment = segment_read_header(fd, path, false);
	if (segment && segment_read_rows(segment, fd) != 0) {
		segment_free(segment);
		segment = NULL;
	}
	close(fd);
	if (segment)
		segment->read_ns = s->taken_ns;
	return segment;
}

static struct process member_of(const struct snapshot *s, size_t index, const char *path)
{
	const struct json *json = json_at(json_get(s->family, "members"), index);
	const int64_t parent = json_to_integer(json_get(json, "parent")), role = json_to_integer(json_get(json, "role"));
	const char *exe = json_to_string(json_get(json, "exe"));

	return (struct process){
		.pid = (pid_t)json_to_integer(json_get(json, "pid")),
		.parent_pid = (pid_t)json_to_integer(json_get(json, "parent_pid")),
		.role = role >= 0 && role <= HR_ROLE_CACHE_LOADER ? role : HR_ROLE_PROCESS,
		.generation = json_to_integer(json_get(json, "generation")),
		.exe = xstrdup(exe ? exe : ""),
		.segment = segment_of(s, index, path),
		.parent = parent >= 0 && (size_t)parent < index ? (size_t)parent : SIZE_MAX,
	};
}

int snapshot_open(const char *path, bool one, struct family *family)
{
	struct snapshot *s = read_snapshot(path);

	memset(family, 0, sizeof(*family));
	if (!s)
		return -1;
	const size_t all = json_length(json_get(s->family, "members")), count = one && all > 1 ? 1 : all;
	if (count == 0 || count > MOST_MEMBERS) {
		text_error(TRY_OTHER, "%s: no process in it", path);
		snapshot_close(s);
		return -1;
	}
	family->members = xcalloc(count, sizeof(*family->members));
	family->snapshot = s;
	for (size_t i = 0; i < count; i++)
		family->members[family->count++] = member_of(s, i, path);
	return 0;
}

/* ---- what is in it ------------------------------------------------------------------------- */

uint64_t snapshot_taken_realtime_ns(const struct snapshot *s)
{
	return s->taken_realtime_ns;
}

const struct json *snapshot_report(const struct snapshot *s, const char *name)
{
	return strcmp(name, "breakdown") == 0 ? s->breakdown : strcmp(name, "zones") == 0 ? s->zones : strcmp(name, "heap") == 0 ? s->heap : NULL;
}

size_t snapshot_births(const struct snapshot *s, size_t member, const struct snapshot_births **births)
{
	const struct part *part = part_of_member(s, "births", member);
	static struct snapshot_births *copy; /* the bytes are not aligned */

	free(copy);
	const size_t count = part ? part->length / sizeof(*copy) : 0;
	copy = xcalloc(count, sizeof(*copy));
	if (count > 0)
		memcpy(copy, part->bytes, count * sizeof(*copy));
	*births = copy;
	return count;
}

const struct snapshot_symbols *snapshot_symbols_of(const struct snapshot *s)
{
	return s->symbols;
}

void snapshot_lend_symbols(struct snapshot *from, struct snapshot *to)
{
	snapshot_symbols_merge(to->symbols, from->symbols);
	from->symbols = NULL;
}

/* ---- folders ------------------------------------------------------------------------------- */

/* Names begin with the time: `heapray snapshot -o DIR/' makes them so. */
static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t snapshot_folder(const char *path, char ***files)
{
	DIR *dir = opendir(path);
	size_t count = 0, capacity = 0;
	struct dirent *entry;

	*files = NULL;
	while (dir && (entry = readdir(dir))) {
		const size_t length = strlen(entry->d_name);
		if (length < 7 || strcmp(entry->d_name + length - 5, ".snap") != 0 || entry->d_name[0] == '.')
			continue;
		xgrow(*files, count, capacity);
		(*files)[count++] = xasprintf("%s/%s", path, entry->d_name);
	}
	if (dir)
		closedir(dir);
	if (count > 0)
		qsort(*files, count, sizeof(**files), by_name);
	return count;
}
