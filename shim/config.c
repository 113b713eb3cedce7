/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.c - the environment, copied in the constructor.
 *
 * nginx wipes its environment and writes its title over it, so nothing is looked up later. The
 * constructor's envp is read, not getenv: before libc's own start-up that finds nothing.
 */
#include <string.h>

#include "shim.h"

struct config hr_config;

static const char *value_of(char **environment, const char *name)
{
	size_t length = strlen(name);
	for (char **e = environment; e && *e; e++)
		if (strncmp(*e, name, length) == 0 && (*e)[length] == '=')
			return *e + length + 1;
	return NULL;
}

static uint64_t number(const char *text, uint64_t otherwise)
{
	if (text == NULL || *text < '0' || *text > '9')
		return otherwise;
	uint64_t n = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		n = n * 10 + (uint64_t)(*text - '0');
	switch (*text) {
	case 'k': case 'K': return n << 10;
	case 'm': case 'M': return n << 20;
	case 'g': case 'G': return n << 30;
	default: return n;
	}
}

static bool is_on(const char *text)
{
	return text != NULL && text[0] == '1' && text[1] == '\0';
}

static bool is_zero(const char *text)
{
	return text != NULL && text[0] == '0' && text[1] == '\0';
}

static void append(char *to, size_t size, const char *text)
{
	size_t used = strlen(to), length = strlen(text);
	if (used + length + 1 <= size)
		memcpy(to + used, text, length + 1);
}

static void append_number(char *to, size_t size, uint64_t n)
{
	char digits[24], *d = digits + sizeof digits - 1;
	*d = '\0';
	do
		*--d = (char)('0' + n % 10);
	while (n /= 10);
	append(to, size, d);
}

static void set_dir(const char *dir)
{
	hr_config.dir[0] = '\0';
	if (dir == NULL || *dir == '\0') {
		hr_config.dir_default = true;
		append(hr_config.dir, sizeof hr_config.dir, "/dev/shm/heapray.");
		append_number(hr_config.dir, sizeof hr_config.dir, (uint64_t)arch_syscall6(SYS_geteuid, 0, 0, 0, 0, 0, 0));
		return;
	}
	if (*dir != '/') { /* the program may change its directory later */
		long n = arch_syscall6(SYS_getcwd, (long)hr_config.dir, sizeof hr_config.dir / 2, 0, 0, 0, 0);
		if (n <= 0)
			hr_config.dir[0] = '\0';
		append(hr_config.dir, sizeof hr_config.dir, "/");
	}
	append(hr_config.dir, sizeof hr_config.dir, dir);
}

void hr_config_read(char **environment)
{
	set_dir(value_of(environment, "HEAPRAY_DIR"));
	hr_config.off = is_on(value_of(environment, "HEAPRAY_OFF"));
	hr_config.check_unwind = is_on(value_of(environment, "HEAPRAY_CHECK_UNWIND"));
	hr_config.hide_cmdline = is_zero(value_of(environment, "HEAPRAY_CMDLINE"));
	hr_config.sample_bytes = number(value_of(environment, "HEAPRAY_SAMPLE"), 0);
	hr_config.lua_sample_bytes = number(value_of(environment, "HEAPRAY_LUA_SAMPLE"), 64u << 10);
	hr_config.publish_ns = number(value_of(environment, "HEAPRAY_PUBLISH_MS"), 1000) * 1000000u;
	hr_config.allocator_ns = number(value_of(environment, "HEAPRAY_ALLOCATOR_MS"), 5) * 1000000u;
	hr_config.follow_exec = !is_zero(value_of(environment, "HEAPRAY_FOLLOW_EXEC"));
	hr_config.root_pid = number(value_of(environment, "HEAPRAY_ROOT"), 0);
	long n = sys_readlink("/proc/self/exe", hr_config.exe, sizeof hr_config.exe - 1);
	hr_config.exe[n > 0 ? n : 0] = '\0';
}
