/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_arms.c - from the list a user types to arms with a library and an environment.
 *
 *   glibc,jemalloc:MALLOC_CONF=dirty_decay_ms:0,muzzy_decay_ms:0,/opt/lib/libmine.so
 *
 * Values have colons and commas of their own. So a comma begins an arm only before an allocator's name
 * or a path, and a colon begins a variable only before NAME= in capitals.
 *
 * The glibc arm preloads libc.so.6: a program that is linked with another allocator (Debian's
 * redis-server with jemalloc) would otherwise be served by that.
 */
#include "compare.h"

#include "preload.h"
#include "text.h"
#include "xalloc.h"

#include <ctype.h>
#include <dlfcn.h>
#include <gnu/libc-version.h>

static bool begins_arm(const char *text)
{
	static const char *const names[] = {"glibc", "jemalloc", "tcmalloc", "mimalloc"};

	if (text[0] == '/' || strncmp(text, "./", 2) == 0 || strncmp(text, "../", 3) == 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const size_t length = strlen(names[i]);
		if (strncmp(text, names[i], length) == 0 && (text[length] == '\0' || text[length] == ',' || text[length] == ':'))
			return true;
	}
	return false;
}

/* At NAME= ? */
static bool begins_variable(const char *text)
{
	size_t n = 0;

	while (isupper((unsigned char)text[n]) || text[n] == '_' || (n > 0 && isdigit((unsigned char)text[n])))
		n++;
	return n > 0 && text[n] == '=';
}

/* The next colon before a variable, or the end. */
static char *variable_end(char *text)
{
	while (*text && !(*text == ':' && begins_variable(text + 1)))
		text++;
	return text;
}

static int parse_variables(struct arm *arm, char *text)
{
	while (*text) {
		if (!begins_variable(text)) {
			text_error("Write it like 'jemalloc:MALLOC_CONF=dirty_decay_ms:0'.", "--allocators: %s: no NAME=VALUE after the colon",
				text_safe(arm->name, 200));
			return -1;
		}
		char *end = variable_end(text);
		const bool more = *end;
		*end = '\0';
		arm->variables = xreallocarray(arm->variables, arm->variable_count + 1, sizeof(*arm->variables));
		arm->variables[arm->variable_count++] = xstrdup(text);
		text = more ? end + 1 : end;
	}
	return 0;
}

static char *own_libc(void)
{
	Dl_info info;

	return dladdr((void *)gnu_get_libc_version, &info) && info.dli_fname ? realpath(info.dli_fname, NULL) : NULL;
}

static int parse_arm(struct arm *arm, const char *text)
{
	*arm = (struct arm){.name = text, .allocator = xstrdup(text)};
	char *colon = strchr(arm->allocator, ':');
	if (colon) {
		*colon = '\0';
		if (parse_variables(arm, colon + 1) != 0)
			return -1;
	}
	if (preload_allocator(arm->allocator, &arm->library) != 0) {
		arm->void_why = xasprintf("%s: its library is not there", arm->allocator);
		return 0;
	}
	if (!arm->library)
		arm->library = own_libc();
	if (arm->library && strpbrk(arm->library, " :"))
		arm->void_why = xasprintf("%s: LD_PRELOAD takes no path with spaces or colons", arm->library);
	return 0;
}

int compare_arms(struct compare *compare, const char *list)
{
	char *rest = xstrdup(list);
	size_t capacity = 0;

	while (rest) {
		char *begin = rest, *comma = rest;
		while ((comma = strchr(comma, ',')) && !begins_arm(comma + 1))
			comma++;
		if (comma)
			*comma++ = '\0';
		rest = comma;
		if (!begins_arm(begin)) {
			text_error("Name glibc, jemalloc, tcmalloc, mimalloc, or paths of libraries, with commas between them.",
				"--allocators: '%s': no such allocator", text_safe(begin, 200));
			return -1;
		}
		xgrow(compare->arms, compare->arm_count, capacity);
		if (parse_arm(&compare->arms[compare->arm_count], begin) != 0)
			return -1;
		for (size_t i = 0; i < compare->arm_count; i++)
			if (strcmp(compare->arms[i].name, begin) == 0) {
				text_error(NULL, "--allocators: %s: named twice", text_safe(begin, 200));
				return -1;
			}
		compare->arm_count++;
	}
	return 0;
}
