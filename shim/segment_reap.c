/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment_reap.c - removing the files of ended processes, so that the directory stays bounded.
 *
 * A file may go when the process it names is gone, or a zombie, as they stay where the first process of a container waits
 * for nobody: that is asked of the pid in its name, and only for files whose header says they were made in our pid
 * namespace. The newest 64 such files stay.
 */
#include <string.h>
#include <sys/stat.h>

#include "segment_private.h"
#include "shim.h"

#define KEEP 64u
#define DEAD_MAX 4096u
#define BUFFER 8192u /* not on the stack: it may be a small one that forks */

struct dirent64 {
	uint64_t ino, offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

struct dead {
	uint64_t pid, created;
};

static bool parse(const char *name, struct dead *file)
{
	uint64_t n[2] = {0, 0};
	for (int i = 0; i < 2; i++) {
		if (*name < '0' || *name > '9')
			return false;
		while (*name >= '0' && *name <= '9')
			n[i] = n[i] * 10 + (uint64_t)(*name++ - '0');
		if (*name++ != '.')
			return false;
	}
	*file = (struct dead){n[0], n[1]};
	return strcmp(name, "seg") == 0;
}

static bool is_gone(uint64_t pid)
{
	char path[64] = "/proc/", first = '1';
	if (arch_syscall6(SYS_kill, (long)pid, 0, 0, 0, 0, 0) == -ESRCH)
		return true;
	memcpy(hr_segment_number(path + 6, pid), "/statm", sizeof "/statm");
	long fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
	if (!sys_failed(fd)) {
		sys_read((int)fd, &first, 1); /* its size in pages: a zombie has none */
		sys_close((int)fd);
	}
	return first == '0';
}

static bool of_our_namespace(int dir, const char *name)
{
	struct hr_header h;
	long fd = arch_syscall6(SYS_openat, dir, (long)name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0, 0, 0);
	if (sys_failed(fd))
		return false;
	long n = sys_read((int)fd, &h, sizeof h);
	sys_close((int)fd);
	return n == (long)sizeof h && h.magic == HR_MAGIC && h.pid_namespace == hr_identity.pid_namespace;
}

static void remove_one(int dir, const struct dead *file)
{
	char name[64], *end = hr_segment_number(name, file->pid);
	*end++ = '.';
	memcpy(hr_segment_number(end, file->created), ".seg", sizeof ".seg");
	arch_syscall6(SYS_unlinkat, dir, (long)name, 0, 0, 0, 0);
}

static size_t collect(int dir, struct dead *dead, char *buffer)
{
	size_t count = 0;
	long n;
	while ((n = arch_syscall6(SYS_getdents64, dir, (long)buffer, BUFFER, 0, 0, 0)) > 0)
		for (long at = 0; at < n;) {
			struct dirent64 *entry = (struct dirent64 *)(buffer + at);
			at += entry->length;
			struct dead file;
			if (count < DEAD_MAX && parse(entry->name, &file) &&
			    is_gone(file.pid) && of_our_namespace(dir, entry->name))
				dead[count++] = file;
		}
	return count;
}

void hr_segment_reap(void)
{
	if (hr_identity.pid_namespace == 0) /* without /proc nobody's life can be told from its pid */
		return;
	long dir = sys_open(hr_config.dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	struct dead *dead = sys_alloc(DEAD_MAX * sizeof *dead + BUFFER);
	if (!sys_failed(dir) && dead) {
		size_t count = collect((int)dir, dead, (char *)(dead + DEAD_MAX));
		while (count > KEEP) { /* drop the oldest */
			size_t oldest = 0;
			for (size_t i = 1; i < count; i++)
				if (dead[i].created < dead[oldest].created)
					oldest = i;
			remove_one((int)dir, &dead[oldest]);
			dead[oldest] = dead[--count];
		}
	}
	if (dead)
		sys_free(dead, DEAD_MAX * sizeof *dead + BUFFER);
	if (!sys_failed(dir))
		sys_close((int)dir);
}
