/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth_limit.c - walks from a cgroup to the root, as each level may have a limit of its own.
 *
 * v2 has one line "0::/path" and memory.max; v1 a line with the controller's name, "5:memory:/path", and
 * memory.limit_in_bytes, where a number near 2^63 means none. In a container the path may be the host's,
 * of which only the root is mounted here: levels that are not there are passed over.
 */
#include "growth_limit.h"

#include "xalloc.h"

#include <inttypes.h>

#define NO_LIMIT (1ull << 60)

/* A number in a file; false for "max", or when it is not there. */
static bool read_number(const char *directory, const char *name, uint64_t *value)
{
	char *path = xasprintf("%s/%s", directory, name);
	FILE *file = fopen(path, "re");
	const bool read = file && fscanf(file, "%" SCNu64, value) == 1;

	if (file)
		fclose(file);
	free(path);
	return read;
}

struct version {
	const char *below; /* of root */
	const char *limit, *usage;
};

static bool walk(const char *root, const struct version *version, const char *path, uint64_t *limit, uint64_t *usage)
{
	char *at = xstrdup(path);
	uint64_t value, used;
	bool found = false;

	for (;;) {
		char *directory = xasprintf("%s%s%s", root, version->below, at);
		if (read_number(directory, version->limit, &value) && value < NO_LIMIT && (!found || value < *limit) &&
			read_number(directory, version->usage, &used)) {
			*limit = value;
			*usage = used;
			found = true;
		}
		free(directory);
		char *slash = strrchr(at, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	free(at);
	return found;
}

/* Whether a comma-separated list has the word. */
static bool lists(const char *list, const char *word)
{
	const size_t length = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += length) {
		if ((p == list || p[-1] == ',') && (p[length] == ',' || p[length] == '\0'))
			return true;
	}
	return false;
}

bool cgroup_limit(const char *root, const char *membership, uint64_t *limit, uint64_t *usage)
{
	static const struct version v1 = {"/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"};
	static const struct version v2 = {"", "memory.max", "memory.current"};
	FILE *file = fopen(membership, "re");
	char line[4096];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		if (controllers[1] == '\0')
			found = walk(root, &v2, path, limit, usage);
		else if (lists(controllers + 1, "memory"))
			found = walk(root, &v1, path, limit, usage);
	}
	if (file)
		fclose(file);
	return found;
}

bool cgroup_limit_of(pid_t pid, uint64_t *limit, uint64_t *usage)
{
	char membership[64];

	snprintf(membership, sizeof(membership), "/proc/%d/cgroup", (int)pid);
	return cgroup_limit("/sys/fs/cgroup", membership, limit, usage);
}
