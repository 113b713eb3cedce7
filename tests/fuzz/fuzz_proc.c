/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_proc.c - a hostile /proc/PID, executable, memory and marks through all that asks them without a report's frame:
 * process.c, directory.c (which segments are mapped), marks.c, growth_limit.c (cgroups), zone_cycle.c (an ELF file's
 * symbols and nginx's list of zones), preload.c (ELF or script?).
 *
 * An input is a text, a byte 0xff, and bytes. Whatever text file is opened holds the text: every line of it may be one
 * of maps, status or cgroup, or a mark. Every other file holds the bytes, and so does the process's memory, again and again.
 * own_X stands for libc's X there (run.sh); process_list knows one process.
 */
#include "directory.h"
#include "growth_limit.h"
#include "marks.h"
#include "memory_file.h"
#include "preload.h"
#include "process.h"
#include "zone_name.h"

#include <stdio.h>
#include <sys/uio.h>

#define PID 4711

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static struct {
	const uint8_t *text, *bytes;
	size_t text_length, length;
} input;

static bool ends_with(const char *path, const char *end)
{
	const size_t length = strlen(path), tail = strlen(end);

	return length >= tail && strcmp(path + length - tail, end) == 0;
}

int own_open(const char *path, int flags, ...)
{
	static const char *const texts[] = {"/status", "/stat", "/statm", "/cmdline", "/maps", ".marks"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (ends_with(path, texts[i])) {
			memory_files[0] = (struct memory_file){input.text, input.text_length, 0};
			return MEMORY_FD;
		}
	}
	memory_files[1] = (struct memory_file){input.bytes, input.length, 0};
	return MEMORY_FD + 1;
}

FILE *own_fopen(const char *path, const char *mode) { return fmemopen((void *)input.text, input.text_length, "r"); }
FILE *own_fdopen(int fd, const char *mode) { return own_fopen("", mode); }

/* No file here is so long: what is made for such a table would only take time. */
void *own_calloc(size_t count, size_t size) { return count * size > 1u << 16 ? NULL : calloc(count, size); }

void *own_opendir(const char *path)
{
	errno = ENOENT;
	return NULL;
}

ssize_t own_readlink(const char *path, char *to, size_t size)
{
	const size_t length = input.text_length < size ? input.text_length : size;

	memcpy(to, input.text, length);
	return (ssize_t)length;
}

ssize_t own_process_vm_readv(pid_t pid, const struct iovec *local, unsigned long count, const struct iovec *remote, unsigned long remotes,
	unsigned long flags)
{
	const size_t at = input.length ? (uintptr_t)remote->iov_base % input.length : 0;
	const size_t n = local->iov_len < input.length - at ? local->iov_len : input.length - at;

	memcpy(local->iov_base, input.bytes + at, n);
	return (ssize_t)n;
}

size_t __wrap_process_list(pid_t **pids)
{
	*pids = malloc(sizeof(**pids));
	**pids = PID;
	return 1;
}

static void look_at_process(void)
{
	volatile uint64_t sum = process_exists(PID) + process_resident_bytes(PID) + process_start_ns(PID);
	char *exe = process_exe(PID), *title = process_cmdline(PID);
	uid_t uids[4];
	pid_t parent;

	sum += process_is_known_as(PID, 12) + process_uids(PID, uids) + process_parent(PID, &parent);
	sum += strlen(role_name(role_from_title(title))) + title_is_draining(title) + (exe ? strlen(exe) : 0);
	free(exe);
	free(title);
}

static void look_at_marks(void)
{
	struct segment segment = {.path = "/x.seg"};
	struct process member = {.segment = &segment};
	const struct family family = {.members = &member, .count = 1};
	struct mark *marks;
	uint64_t ns;

	const size_t count = marks_read(&family, &marks);
	for (size_t i = 0; i < count; i++) {
		if (strnlen(marks[i].name, sizeof(marks[i].name)) == sizeof(marks[i].name))
			abort();
	}
	marks_since(&family, "warm", &ns);
	free(marks);
}

static void look_at_files(void)
{
	const struct options options = {0};
	struct directory directory;
	struct zone_name name;
	uint64_t limit, usage;
	bool stumbles;

	if (directory_open(&options, false, &directory) == 0)
		directory_close(&directory);
	cgroup_limit_of(PID, &limit, &usage);
	zone_process_is_nginx(PID);
	if (zone_name_from_cycle(PID, 0x7000, 0x17000, &name) &&
		(strnlen(name.name, sizeof(name.name)) == sizeof(name.name) || strnlen(name.kind, sizeof(name.kind)) == sizeof(name.kind)))
		abort();
	preload_obstacle("/x", &stumbles);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static bool begun;
	const uint8_t *cut = length ? memchr(data, 0xff, length) : NULL;

	if (!begun) {
		setvbuf(stderr, NULL, _IOFBF, 1 << 16);
		begun = true;
	}
	input.text = data;
	input.text_length = cut ? (size_t)(cut - data) : length;
	input.bytes = cut ? cut + 1 : data + length;
	input.length = length - input.text_length - (cut != NULL);
	look_at_process();
	look_at_marks();
	look_at_files();
	return 0;
}
