/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.c - copies a segment out of its file and checks it; from then on nothing looks at the file.
 *
 * It is read with pread, not mapped: a file that shrinks meanwhile is a short read, never a SIGBUS.
 * A live writer publishes rows and then `used`. Rows name others (a site its node, a node its module,
 * all a string), so `used` is taken from the naming section first: what it names is then within the
 * count taken later.
 */
#include "segment.h"

#include "text.h"
#include "xalloc.h"

#include <byteswap.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_BYTES (2ull << 30) /* of one section: more than any writer's bound */
#define MOST_STRIDE 65536u

#define TRY_RECORD "It is damaged, or no segment at all; `heapray ps --all' lists what can be read."

/* The one place that says why a file is not taken. */
static int __attribute__((format(printf, 3, 4))) refuse(const struct segment *segment, const char *try_this, const char *format, ...)
{
	char reason[200];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	if (!segment->quiet)
		text_error(try_this, "%s: %s", segment->path, reason);
	return -1;
}

/* Reads exactly length bytes; false at the end of the file or on an error. */
static bool read_at(int fd, void *to, uint64_t length, uint64_t offset)
{
	for (uint64_t done = 0; done < length;) {
		const ssize_t n = pread(fd, (char *)to + done, length - done, offset + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += n;
	}
	return true;
}

/* ---- the header ---------------------------------------------------------------------------- */

static int check_identity(const struct segment *segment)
{
	const struct hr_header *h = &segment->header;

	if (h->magic == bswap_64(HR_MAGIC))
		return refuse(segment, "Read it on a machine of the byte order it was written on.", "segment of the other byte order");
	if (h->magic != HR_MAGIC)
		return refuse(segment, TRY_RECORD, "not a segment");
	if (h->version != HR_VERSION)
		return refuse(segment,
			"Read it with the heapray that belongs to the libheapray.so that wrote it, or start the program again with this one.",
			"segment version %u, this heapray reads version %u", h->version, HR_VERSION);
	return 0;
}

/* A section must lie behind the header and within the file, with all the rows it names. */
static const char *section_fault(const struct hr_section *s, uint64_t header_size, uint64_t file_size)
{
	uint64_t bytes, end;

	if (s->used == 0)
		return NULL;
	if (s->stride == 0 || s->stride > MOST_STRIDE)
		return "impossible stride";
	if (s->used > s->capacity)
		return "more rows than it can hold";
	if (__builtin_mul_overflow(s->stride, s->used, &bytes) || bytes > MOST_BYTES)
		return "impossible number of rows";
	if (s->offset < header_size || __builtin_add_overflow(s->offset, bytes, &end) || end > file_size)
		return "outside the file";
	return NULL;
}

static int check_layout(const struct segment *segment, uint64_t file_size)
{
	const struct hr_header *h = &segment->header;

	if (h->file_size > file_size)
		return refuse(segment, "It was cut off; there is nothing to read in what is left.",
			"truncated: %" PRIu64 " of %" PRIu64 " bytes", file_size, h->file_size);
	if (h->header_size < sizeof(*h) || h->header_size > file_size)
		return refuse(segment, TRY_RECORD, "scribbled: header of %u bytes", h->header_size);
	for (int i = 0; i < HR_SECTION_COUNT; i++) {
		const char *fault = section_fault(&h->sections[i], h->header_size, file_size);
		if (fault)
			return refuse(segment, TRY_RECORD, "scribbled: section %d: %s", i, fault);
	}
	return 0;
}

static int read_header(struct segment *segment, int fd)
{
	struct hr_header *h = &segment->header;
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return refuse(segment, TRY_RECORD, "not a regular file");
	segment->device = st.st_dev;
	segment->inode = st.st_ino;
	segment->owner = st.st_uid;
	segment->bytes = st.st_blocks * 512ull;
	if (!read_at(fd, h, sizeof(*h), 0))
		return refuse(segment, TRY_RECORD, "truncated: %" PRIu64 " bytes, a segment's header has %u", (uint64_t)st.st_size,
			HR_HEADER_SIZE);
	h->title[sizeof(h->title) - 1] = '\0';
	if (check_identity(segment) != 0)
		return -1;
	return check_layout(segment, st.st_size);
}

struct segment *segment_read_header(int fd, const char *path, bool quiet)
{
	struct segment *segment = xcalloc(1, sizeof(*segment));

	segment->path = xstrdup(path);
	segment->quiet = quiet;
	if (read_header(segment, fd) == 0)
		return segment;
	segment_free(segment);
	return NULL;
}

/* ---- the rows ------------------------------------------------------------------------------ */

struct table {
	enum hr_section_kind kind;
	size_t size; /* of our row */
	void **rows;
	size_t *count;
};

/* Rows of the writer's stride become rows of ours: what it does not have is zero, what we do not know is left out. */
static int read_rows(const struct table *table, const struct segment *segment, int fd)
{
	const struct hr_section *s = &segment->header.sections[table->kind];
	const size_t bytes = s->used ? s->stride * s->used : 0;
	char *raw = xcalloc(bytes + 1, 1); /* a NUL ends the strings */

	if (bytes > 0 && !read_at(fd, raw, bytes, s->offset)) {
		free(raw);
		return refuse(segment, TRY_RECORD, "truncated while it was read");
	}
	*table->count = s->used;
	*table->rows = raw;
	if (s->used == 0 || s->stride == table->size)
		return 0;

	char *rows = xcalloc(s->used, table->size);
	for (size_t i = 0; i < s->used; i++)
		memcpy(rows + i * table->size, raw + i * s->stride, s->stride < table->size ? s->stride : table->size);
	*table->rows = rows;
	free(raw);
	return 0;
}

static int scribbled(const struct segment *segment, const char *what, size_t row)
{
	return refuse(segment, TRY_RECORD, "scribbled: %s %zu names what is not there", what, row);
}

static int check_nodes(const struct segment *segment)
{
	uint16_t *depth = xcalloc(segment->node_count, sizeof(*depth));
	int result = 0;

	for (size_t i = 0; i < segment->node_count && result == 0; i++) {
		struct hr_node *n = &segment->nodes[i];
		if (i < HR_ROOT_COUNT) {
			*n = (struct hr_node){.value = i, .kind = HR_NODE_ROOT}; /* by definition */
			continue;
		}
		const bool known = n->kind == HR_NODE_NATIVE || n->kind == HR_NODE_LUA;
		if (n->parent >= i || !known || n->module >= (segment->module_count ? segment->module_count : 1))
			result = scribbled(segment, "node", i);
		else if ((depth[i] = depth[n->parent] + 1) > SEGMENT_MAX_DEPTH)
			result = scribbled(segment, "too deep a node", i);
	}
	free(depth);
	return result;
}

static int check_sites(const struct segment *segment)
{
	for (size_t i = 0; i < segment->site_count; i++) {
		const struct hr_site *s = &segment->sites[i];
		const bool empty = s->allocated_bytes == 0 && s->allocated_count == 0 && s->freed_bytes == 0 && s->freed_count == 0;
		if (!empty && (s->node >= segment->node_count || s->domain >= segment->domain_count))
			return scribbled(segment, "site", i);
	}
	return 0;
}

static int check_rows(struct segment *segment)
{
	for (size_t i = 0; i < segment->module_count; i++) {
		if (segment->modules[i].build_id_length > sizeof(segment->modules[i].build_id))
			return scribbled(segment, "module", i);
	}
	for (size_t i = 0; i < segment->mapping_count; i++) {
		const struct hr_mapping *m = &segment->mappings[i];
		/* Rows are reused in place: one that is being written is not judged. */
		if (m->version % 2 == 0 && m->kind != HR_MAPPING_FREE && m->domain >= (segment->domain_count ? segment->domain_count : 1))
			return scribbled(segment, "mapping", i);
	}
	for (size_t i = 0; i < segment->zone_count; i++)
		segment->zones[i].log_context[sizeof(segment->zones[i].log_context) - 1] = '\0';
	if (check_nodes(segment) != 0)
		return -1;
	return check_sites(segment);
}

int segment_read_rows(struct segment *s, int fd)
{
	/* Naming sections before those they name: see the head of this file. */
	const struct table tables[] = {
		{HR_SITES, sizeof(*s->sites), (void **)&s->sites, &s->site_count},
		{HR_NODES, sizeof(*s->nodes), (void **)&s->nodes, &s->node_count},
		{HR_MAPPINGS, sizeof(*s->mappings), (void **)&s->mappings, &s->mapping_count},
		{HR_ZONES, sizeof(*s->zones), (void **)&s->zones, &s->zone_count},
		{HR_THREADS, sizeof(*s->threads), (void **)&s->threads, &s->thread_count},
		{HR_TIMELINE, sizeof(*s->timeline), (void **)&s->timeline, &s->point_count},
		{HR_MARKS, sizeof(*s->marks), (void **)&s->marks, &s->mark_count},
		{HR_LEDGER, sizeof(*s->ledger), (void **)&s->ledger, &s->ledger_count},
		{HR_DOMAINS, sizeof(*s->domains), (void **)&s->domains, &s->domain_count},
		{HR_MODULES, sizeof(*s->modules), (void **)&s->modules, &s->module_count},
		{HR_STRINGS, 1, (void **)&s->strings, &s->string_bytes},
	};
	struct timespec now;

	s->quiet = false;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (read_header(s, fd) != 0 || read_rows(&tables[i], s, fd) != 0)
			return -1;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	s->read_ns = now.tv_sec * 1000000000ull + now.tv_nsec;
	return check_rows(s);
}

void segment_free(struct segment *s)
{
	if (!s)
		return;
	free(s->modules);
	free(s->nodes);
	free(s->sites);
	free(s->domains);
	free(s->mappings);
	free(s->zones);
	free(s->threads);
	free(s->strings);
	free(s->timeline);
	free(s->marks);
	free(s->ledger);
	free(s->path);
	free(s);
}

/* ---- strings ------------------------------------------------------------------------------- */

const char *segment_string(const struct segment *s, struct hr_str string)
{
	/* 32 bits each: the sum cannot overflow 64. */
	const uint64_t end = (uint64_t)string.offset + string.length;

	if (string.offset == 0 || string.length == 0 || end >= s->string_bytes || s->strings[end] != '\0')
		return NULL;
	return s->strings + string.offset;
}

const char *segment_string_at(const struct segment *s, uint64_t offset)
{
	return offset > 0 && offset < s->string_bytes ? s->strings + offset : NULL;
}

const char *segment_domain_name(const struct segment *s, size_t domain)
{
	const char *name = domain < s->domain_count ? segment_string(s, s->domains[domain].name) : NULL;

	return name ? name : domain == 0 ? "allocator" : domain == 1 ? "mmap" : "unnamed";
}
