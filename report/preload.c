/* SPDX-License-Identifier: BSD-2-Clause */
/* preload.c - finds libraries and programs, and reads as much of an ELF file as tells whether a loader starts it. */
#include "preload.h"

#include "text.h"
#include "xalloc.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- libraries ----------------------------------------------------------------------------- */

char *preload_library(void)
{
	static const char *const places[] = {"libheapray.so", "../lib/heapray/libheapray.so"};
	char self[4096];

	const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length > 0) {
		self[length] = '\0';
		char *slash = strrchr(self, '/');
		for (size_t i = 0; i < 2; i++) {
			char *path = xasprintf("%.*s/%s", (int)(slash - self), self, places[i]), *real = realpath(path, NULL);
			free(path);
			if (real)
				return real;
		}
	}
	text_error("Run `make', or `make install PREFIX=...' for an installed one.",
		"libheapray.so: not beside this heapray and not in ../lib/heapray");
	return NULL;
}

static const struct {
	const char *name, *library, *package;
} allocators[] = {
	{"glibc", NULL, NULL},
	{"jemalloc", "libjemalloc.so.2", "libjemalloc2"},
	/* Not the full libtcmalloc.so.4: its own libunwind breaks exceptions of LuaJIT. */
	{"tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"},
	{"mimalloc", "libmimalloc.so.2", "libmimalloc2.0"},
};

static char *find_library(const char *library)
{
	const char *path = getenv("LD_LIBRARY_PATH");
	char *places = xasprintf("%s:/usr/local/lib:/usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu:/usr/lib64:/lib64:/usr/lib:/lib",
		path ? path : "");
	char *found = NULL, *rest = places, *place;

	while (!found && (place = strsep(&rest, ":"))) {
		char *candidate = *place ? xasprintf("%s/%s", place, library) : NULL;
		if (candidate && access(candidate, R_OK) == 0)
			found = candidate;
		else
			free(candidate);
	}
	free(places);
	return found;
}

int preload_allocator(const char *name, char **path)
{
	*path = NULL;
	for (size_t i = 0; i < sizeof(allocators) / sizeof(allocators[0]); i++) {
		if (strcmp(name, allocators[i].name) != 0)
			continue;
		if (!allocators[i].library || (*path = find_library(allocators[i].library)))
			return 0;
		char *advice = xasprintf("On Debian it comes with: apt-get install %s", allocators[i].package);
		text_error(advice, "%s: %s is not installed", name, allocators[i].library);
		free(advice);
		return -1;
	}
	if (strchr(name, '/') && access(name, R_OK) == 0 && (*path = realpath(name, NULL)))
		return 0;
	text_error("Name glibc, jemalloc, tcmalloc, mimalloc, or the path of a library.", "--allocator: %s: %s", text_safe(name, 200),
		strchr(name, '/') ? strerror(errno) : "no such allocator");
	return -1;
}

/* ---- programs ------------------------------------------------------------------------------ */

static bool is_program(const char *path, bool *exists)
{
	struct stat st;

	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	*exists = true;
	return access(path, X_OK) == 0;
}

char *preload_find_command(const char *name, int *status)
{
	bool exists = false;
	char *found = NULL;

	if (strchr(name, '/')) {
		struct stat st;
		if (is_program(name, &exists))
			return xstrdup(name);
		exists |= stat(name, &st) == 0;
	} else if (*name) {
		const char *path = getenv("PATH");
		char *places = xstrdup(path ? path : "/bin:/usr/bin"), *rest = places, *place;
		while (!found && (place = strsep(&rest, ":"))) {
			char *candidate = xasprintf("%s/%s", *place ? place : ".", name);
			if (is_program(candidate, &exists))
				found = candidate;
			else
				free(candidate);
		}
		free(places);
	}
	*status = exists ? 126 : 127;
	return found;
}

/* The interpreter of a script, in `line`; false when it is none. */
static bool script_interpreter(const char *head, size_t length, char *line, size_t size)
{
	if (length < 3 || head[0] != '#' || head[1] != '!')
		return false;
	const char *start = head + 2, *end = head + length;
	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	size_t n = 0;
	while (start + n < end && !strchr(" \t\n", start[n]))
		n++;
	if (n == 0 || n >= size)
		return false;
	memcpy(line, start, n);
	line[n] = '\0';
	return true;
}

/* Reads the program headers of a 64-bit ELF file for its loader. */
static const char *elf_obstacle(int fd, const Elf64_Ehdr *e, bool *stumbles)
{
	bool has_loader = false, musl = false;

	*stumbles = e->e_ident[EI_CLASS] != ELFCLASS64;
	if (*stumbles)
		return "a 32-bit program";
	for (unsigned i = 0; i < e->e_phnum && i < 1000; i++) {
		Elf64_Phdr p;
		char loader[256] = "";
		if (pread(fd, &p, sizeof(p), e->e_phoff + i * sizeof(p)) != (ssize_t)sizeof(p))
			break;
		if (p.p_type != PT_INTERP)
			continue;
		has_loader = true;
		if (pread(fd, loader, sizeof(loader) - 1, p.p_offset) > 0)
			musl = strstr(loader, "ld-musl") != NULL;
	}
	*stumbles = musl;
	return !has_loader ? "statically linked" : musl ? "linked with musl, not glibc" : NULL;
}

/* The loader ignores LD_PRELOAD when starting a program changes who we are. */
static const char *privilege_obstacle(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return NULL;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return "setuid";
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid())
		return "setgid";
	if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "has file capabilities";
	return NULL;
}

const char *preload_obstacle(const char *path, bool *stumbles)
{
	char head[256], interpreter[256];
	const char *obstacle = NULL;

	*stumbles = false;
	/* A script's interpreter may be a script: the kernel follows a few. */
	for (int level = 0; level < 5; level++) {
		const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			return NULL;
		const ssize_t length = pread(fd, head, sizeof(head), 0);
		const bool script = length > 0 && script_interpreter(head, length, interpreter, sizeof(interpreter));
		if (!script && length >= (ssize_t)sizeof(Elf64_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0) {
			Elf64_Ehdr e;
			memcpy(&e, head, sizeof(e));
			obstacle = elf_obstacle(fd, &e, stumbles);
			if (!obstacle)
				obstacle = privilege_obstacle(fd);
		}
		close(fd);
		if (!script)
			return obstacle;
		path = interpreter;
	}
	return NULL;
}

/* HEAPRAY_FOLLOW_EXEC=0: the shim records in this process alone, which execs the command. */
void preload_mark_root(void)
{
	const char *follow = getenv("HEAPRAY_FOLLOW_EXEC");
	char pid[24];

	if (!follow || strcmp(follow, "0") != 0)
		return;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("HEAPRAY_ROOT", pid, 1);
}
