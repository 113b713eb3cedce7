/* SPDX-License-Identifier: BSD-2-Clause */
/* process.c - reads /proc/PID. */
#include "process.h"

#include "xalloc.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

/* The whole of /proc/PID/NAME, NUL-terminated; NULL when it cannot be read. */
static char *slurp(pid_t pid, const char *name, size_t *length)
{
	char path[64], *text = NULL;
	size_t used = 0, capacity = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	do {
		if (capacity - used < 4096) {
			capacity = capacity ? capacity * 2 : 8192;
			text = xreallocarray(text, capacity, 1);
		}
		n = read(fd, text + used, capacity - used - 1);
		used += n > 0 ? n : 0;
	} while (n > 0);
	close(fd);
	text[used] = '\0';
	if (length)
		*length = used;
	return text;
}

/* The value behind "Name:" in /proc/PID/status, within `status`; NULL when it has none. */
static const char *field(const char *status, const char *name)
{
	const size_t length = strlen(name);

	for (const char *line = status; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1;
	}
	return NULL;
}

bool process_exists(pid_t pid)
{
	char *status = slurp(pid, "status", NULL);
	const char *state = status ? field(status, "State") : NULL;
	const bool exists = state && !strchr("ZX", state[strspn(state, " \t")]);

	free(status);
	return exists;
}

char *process_exe(pid_t pid)
{
	static const char deleted[] = " (deleted)";
	char path[64], target[4096];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	if (length <= 0)
		return NULL;
	const ssize_t cut = length - (ssize_t)strlen(deleted);
	if (cut > 0 && memcmp(target + cut, deleted, strlen(deleted)) == 0)
		length = cut;
	target[length] = '\0';
	return xstrdup(target);
}

char *process_cmdline(pid_t pid)
{
	size_t length;
	char *text = slurp(pid, "cmdline", &length);

	if (!text || length == 0) {
		free(text);
		return NULL;
	}
	while (length > 0 && text[length - 1] == '\0')
		length--;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\0')
			text[i] = ' ';
	}
	return text;
}

int process_parent(pid_t pid, pid_t *parent)
{
	char *status = slurp(pid, "status", NULL);
	const char *text = status ? field(status, "PPid") : NULL;

	if (text)
		*parent = atoi(text);
	free(status);
	return text ? 0 : -1;
}

int process_uids(pid_t pid, uid_t uids[4])
{
	char *status = slurp(pid, "status", NULL);
	const char *text = status ? field(status, "Uid") : NULL;
	const bool read = text && sscanf(text, "%u %u %u %u", &uids[0], &uids[1], &uids[2], &uids[3]) == 4;

	free(status);
	return read ? 0 : -1;
}

bool process_is_known_as(pid_t pid, pid_t inner)
{
	char *status = slurp(pid, "status", NULL);
	const char *text = status ? field(status, "NSpid") : NULL;
	bool known = pid == inner;

	while (text && !known && *text && *text != '\n') {
		char *end;
		known = strtol(text, &end, 10) == inner && end != text;
		if (end == text)
			break;
		text = end;
	}
	free(status);
	return known;
}

uint64_t process_resident_bytes(pid_t pid)
{
	char *statm = slurp(pid, "statm", NULL);
	unsigned long long size, resident;
	const bool read = statm && sscanf(statm, "%llu %llu", &size, &resident) == 2;

	free(statm);
	return read ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : UINT64_MAX;
}

uint64_t process_start_ns(pid_t pid)
{
	char *stat = slurp(pid, "stat", NULL);
	/* The name may hold spaces and parentheses: the last ')' ends it. starttime is field 22. */
	const char *p = stat ? strrchr(stat, ')') : NULL;
	unsigned long long ticks = 0;

	for (int i = 2; p && i < 22; i++)
		p = strchr(p + 1, ' ');
	if (p)
		ticks = strtoull(p, NULL, 10);
	free(stat);
	return ticks * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
}

static int by_pid(const void *a, const void *b)
{
	const pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

size_t process_list(pid_t **pids)
{
	size_t count = 0, capacity = 0;
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	*pids = NULL;
	while (proc && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		xgrow(*pids, count, capacity);
		(*pids)[count++] = atoi(entry->d_name);
	}
	if (proc)
		closedir(proc);
	if (count > 0)
		qsort(*pids, count, sizeof(**pids), by_pid);
	return count;
}

/* ---- roles --------------------------------------------------------------------------------- */

uint32_t role_from_title(const char *title)
{
	if (!title || strncmp(title, "nginx: ", 7) != 0)
		return HR_ROLE_PROCESS;
	title += 7;
	if (strncmp(title, "master process", 14) == 0)
		return HR_ROLE_MASTER;
	if (strncmp(title, "worker process", 14) == 0)
		return HR_ROLE_WORKER;
	if (strncmp(title, "cache manager process", 21) == 0)
		return HR_ROLE_CACHE_MANAGER;
	if (strncmp(title, "cache loader process", 20) == 0)
		return HR_ROLE_CACHE_LOADER;
	return HR_ROLE_PROCESS;
}

bool title_is_draining(const char *title)
{
	return title && strncmp(title, "nginx: ", 7) == 0 && strstr(title, " is shutting down");
}

const char *role_name(uint32_t role)
{
	static const char *const names[] = {"process", "master", "worker", "cache manager", "cache loader"};

	return role < sizeof(names) / sizeof(names[0]) ? names[role] : names[0];
}
