/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_file.h - one file that lies in memory, for targets whose reader wants a descriptor: no system call a run.
 *
 * run.sh links such a target with --wrap for the calls below, so that the reader's own come here. The input is
 * MEMORY_FD, opened as MEMORY_PATH; memfd_create gives a second one, MEMORY_FD + 1, which pwrite fills. All else goes
 * to libc.
 */
#ifndef HEAPRAY_FUZZ_MEMORY_FILE_H
#define HEAPRAY_FUZZ_MEMORY_FILE_H

#include "heapray_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_FD 1000000
#define MEMORY_PATH "/fuzzed"

static struct memory_file {
	const uint8_t *bytes;
	size_t length, at;
} memory_files[2];

static struct memory_file *memory_file(int fd)
{
	return fd == MEMORY_FD || fd == MEMORY_FD + 1 ? &memory_files[fd - MEMORY_FD] : NULL;
}

static void memory_set(const void *bytes, size_t length)
{
	memory_files[0] = (struct memory_file){bytes, length, 0};
}

/* A corpus outlives a new version of the segment: it is said to be of this one. */
static void memory_set_version(const void *segment, size_t length)
{
	const uint64_t magic = HR_MAGIC;
	const uint32_t version = HR_VERSION;

	if (length >= sizeof(struct hr_header) && memcmp(segment, &magic, sizeof(magic)) == 0)
		memcpy((char *)segment + offsetof(struct hr_header, version), &version, sizeof(version));
}

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_fstat(int fd, struct stat *st);
ssize_t __real_read(int fd, void *to, size_t length);
ssize_t __real_pread(int fd, void *to, size_t length, off_t at);

int __wrap_open(const char *path, int flags, ...)
{
	va_list args;

	if (strcmp(path, MEMORY_PATH) == 0) {
		memory_files[0].at = 0;
		return MEMORY_FD;
	}
	va_start(args, flags);
	const int mode = flags & O_CREAT ? va_arg(args, int) : 0;
	va_end(args);
	return __real_open(path, flags, mode);
}

int __wrap_memfd_create(const char *name, unsigned flags)
{
	memory_files[1] = (struct memory_file){0};
	return MEMORY_FD + 1;
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t length, off_t at)
{
	/* The reader writes a segment that stays where it is until it was read. */
	if (fd != MEMORY_FD + 1 || at != 0)
		abort();
	memory_files[1] = (struct memory_file){from, length, 0};
	memory_set_version(from, length);
	return (ssize_t)length;
}

int __wrap_close(int fd)
{
	return memory_file(fd) ? 0 : __real_close(fd);
}

int __wrap_fstat(int fd, struct stat *st)
{
	const struct memory_file *file = memory_file(fd);

	if (!file)
		return __real_fstat(fd, st);
	*st = (struct stat){.st_mode = S_IFREG | 0600, .st_size = (off_t)file->length, .st_blocks = (blkcnt_t)(file->length / 512)};
	return 0;
}

ssize_t __wrap_pread(int fd, void *to, size_t length, off_t at)
{
	const struct memory_file *file = memory_file(fd);

	if (!file)
		return __real_pread(fd, to, length, at);
	if (at < 0) {
		errno = EINVAL;
		return -1;
	}
	const size_t from = (uint64_t)at < file->length ? (size_t)at : file->length;
	const size_t n = length < file->length - from ? length : file->length - from;
	memcpy(to, file->bytes + from, n);
	return (ssize_t)n;
}

ssize_t __wrap_read(int fd, void *to, size_t length)
{
	struct memory_file *file = memory_file(fd);

	if (!file)
		return __real_read(fd, to, length);
	const ssize_t n = __wrap_pread(fd, to, length, (off_t)file->at);
	file->at += (size_t)n;
	return n;
}

#endif
