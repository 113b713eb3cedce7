/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment_writer.h - makes segments row by row, as the shim would, for tests of the reader. The file it
 * writes is well formed; a test then damages what it wants to see refused.
 */
#ifndef SEGMENT_WRITER_H
#define SEGMENT_WRITER_H

#include "heapray_segment.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRITER_CREATED 1700000000000000000ull

struct writer {
	struct hr_header header;
	char *bytes[HR_SECTION_COUNT];
	size_t used[HR_SECTION_COUNT], capacity[HR_SECTION_COUNT]; /* rows */
};

static const size_t writer_strides[HR_SECTION_COUNT] = {
	[HR_MODULES] = sizeof(struct hr_module), [HR_NODES] = sizeof(struct hr_node), [HR_SITES] = sizeof(struct hr_site),
	[HR_DOMAINS] = sizeof(struct hr_domain), [HR_MAPPINGS] = sizeof(struct hr_mapping), [HR_ZONES] = sizeof(struct hr_zone),
	[HR_THREADS] = sizeof(struct hr_thread), [HR_STRINGS] = 1, [HR_TIMELINE] = sizeof(struct hr_point),
	[HR_MARKS] = sizeof(struct hr_mark), [HR_LEDGER] = sizeof(struct hr_ledger_row),
};

/* Appends zeroed rows; the first one's address is good until the next append. */
static inline void *writer_rows(struct writer *w, enum hr_section_kind kind, size_t count)
{
	if (w->used[kind] + count > w->capacity[kind]) {
		w->capacity[kind] = (w->used[kind] + count) * 2;
		w->bytes[kind] = realloc(w->bytes[kind], w->capacity[kind] * writer_strides[kind]);
	}
	char *rows = w->bytes[kind] + w->used[kind] * writer_strides[kind];
	memset(rows, 0, count * writer_strides[kind]);
	w->used[kind] += count;
	return rows;
}

static inline struct hr_str writer_string(struct writer *w, const char *text)
{
	const struct hr_str at = {(uint32_t)w->used[HR_STRINGS], (uint32_t)strlen(text)};

	memcpy(writer_rows(w, HR_STRINGS, at.length + 1), text, at.length);
	return at;
}

static inline uint32_t writer_module(struct writer *w, const char *path, uint64_t bias)
{
	const struct hr_str name = writer_string(w, path);
	struct hr_module *m = writer_rows(w, HR_MODULES, 1);

	m->path = name;
	m->bias = bias;
	return w->used[HR_MODULES] - 1;
}

static inline uint32_t writer_node(struct writer *w, uint32_t parent, enum hr_node_kind kind, uint64_t value, uint32_t module)
{
	struct hr_node *n = writer_rows(w, HR_NODES, 1);

	*n = (struct hr_node){.value = value, .parent = parent, .kind = kind, .module = module};
	return w->used[HR_NODES] - 1;
}

static inline uint16_t writer_domain(struct writer *w, const char *name, enum hr_domain_kind kind)
{
	const struct hr_str text = writer_string(w, name);
	struct hr_domain *d = writer_rows(w, HR_DOMAINS, 1);

	d->name = text;
	d->kind = kind;
	return w->used[HR_DOMAINS] - 1;
}

/* A site whose blocks are all of one allocation's bytes. */
static inline struct hr_site *writer_site(struct writer *w, uint32_t node, uint16_t domain, uint64_t allocated, uint64_t freed)
{
	struct hr_site *s = writer_rows(w, HR_SITES, 1);

	s->node = node;
	s->domain = domain;
	s->allocated_bytes = allocated;
	s->allocated_count = 1;
	s->freed_bytes = freed;
	s->freed_count = freed > 0;
	return s;
}

/* A segment with its roots and the two domains every process has; row 0 of modules, sites, strings is none. */
static inline void writer_begin(struct writer *w, uint64_t pid)
{
	memset(w, 0, sizeof(*w));
	w->header.magic = HR_MAGIC;
	w->header.version = HR_VERSION;
	w->header.header_size = HR_HEADER_SIZE;
	w->header.pid = pid;
	w->header.uid = geteuid();
	w->header.state = HR_STATE_RECORDING;
	w->header.created_realtime_ns = w->header.start_realtime_ns = WRITER_CREATED + pid;
	w->header.hot[HR_HOT_PEAK_EPOCH] = 1;
	writer_rows(w, HR_STRINGS, 1);
	writer_rows(w, HR_MODULES, 1);
	writer_rows(w, HR_SITES, 1);
	for (uint32_t i = 0; i < HR_ROOT_COUNT; i++)
		writer_node(w, 0, HR_NODE_ROOT, i, 0);
	writer_domain(w, "allocator", HR_DOMAIN_ALLOCATOR);
	writer_domain(w, "mmap", HR_DOMAIN_MMAP);
	w->header.exe = writer_string(w, "/bin/example");
	w->header.allocator_name = writer_string(w, "glibc");
}

/* Writes DIR/PID.CREATED.seg into path (of at least 256 bytes). */
static inline void writer_save(struct writer *w, const char *dir, char *path)
{
	uint64_t at = HR_HEADER_SIZE;

	for (int i = 0; i < HR_SECTION_COUNT; i++) {
		w->header.sections[i] = (struct hr_section){at, writer_strides[i] ? writer_strides[i] : 1, w->used[i], w->used[i]};
		at += (w->used[i] * writer_strides[i] + 4095) / 4096 * 4096;
	}
	w->header.file_size = at;
	snprintf(path, 256, "%s/%llu.%llu.seg", dir, (unsigned long long)w->header.pid,
		(unsigned long long)w->header.created_realtime_ns);
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, at) != 0 || pwrite(fd, &w->header, sizeof(w->header), 0) != (ssize_t)sizeof(w->header))
		abort();
	for (int i = 0; i < HR_SECTION_COUNT; i++) {
		const ssize_t bytes = w->used[i] * writer_strides[i];
		if (bytes > 0 && pwrite(fd, w->bytes[i], bytes, w->header.sections[i].offset) != bytes)
			abort();
	}
	close(fd);
}

static inline void writer_end(struct writer *w)
{
	for (int i = 0; i < HR_SECTION_COUNT; i++)
		free(w->bytes[i]);
}

#endif
