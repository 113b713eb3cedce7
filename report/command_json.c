/* SPDX-License-Identifier: BSD-2-Clause */
/* command_json.c - forks, lets the command print into a pipe, and parses it. */
#include "command_json.h"

#include "text.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_WORDS 16

static void run_it(int (*run)(int argc, char **argv), const char *name, const struct options *options, const char *target,
	const char *const *more)
{
	char *argv[MOST_WORDS] = {xasprintf("heapray %s", name), xstrdup("--json")};
	int argc = 2;

	if (options->one)
		argv[argc++] = xstrdup("--one");
	if (options->dir) {
		argv[argc++] = xstrdup("--dir");
		argv[argc++] = xstrdup(options->dir);
	}
	while (more && *more && argc < MOST_WORDS - 3)
		argv[argc++] = xstrdup(*more++);
	argv[argc++] = xstrdup("--");
	argv[argc++] = xstrdup(target);
	const int status = run(argc, argv);
	_exit(fflush(stdout) == 0 && !ferror(stdout) ? status : 2);
}

struct command_json command_json_start(int (*run)(int argc, char **argv), const char *name, const struct options *options, const char *target,
	const char *const *more)
{
	struct command_json command = {.pid = -1, .fd = -1};
	int ends[2];

	fflush(NULL); /* or the child would write what is still in our buffers once more */
	if (pipe2(ends, O_CLOEXEC) != 0) {
		text_error(NULL, "pipe: %s", strerror(errno));
		return command;
	}
	command.pid = fork();
	if (command.pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		run_it(run, name, options, target, more);
	}
	close(ends[1]);
	command.fd = ends[0];
	if (command.pid < 0)
		text_error(NULL, "fork: %s", strerror(errno));
	return command;
}

static char *read_all(int fd, size_t *length)
{
	size_t capacity = 1 << 16;
	char *text = xcalloc(capacity, 1);
	ssize_t got;

	*length = 0;
	while ((got = read(fd, text + *length, capacity - *length)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		*length += (size_t)got;
		if (*length == capacity)
			text = xreallocarray(text, capacity *= 2, 1);
	}
	return text;
}

struct json *command_json_finish(struct command_json *command)
{
	struct json *json = NULL;
	char *text, why[200];
	size_t length;
	int status = -1;

	if (command->fd < 0)
		return NULL;
	text = read_all(command->fd, &length);
	close(command->fd);
	while (command->pid > 0 && waitpid(command->pid, &status, 0) < 0 && errno == EINTR)
		;
	/* 1: the answer is bad (something grows), and is an answer. */
	if (WIFEXITED(status) && WEXITSTATUS(status) <= 1) {
		json = json_parse(text, length, why, sizeof(why));
		if (!json)
			text_error(NULL, "its own JSON does not parse: %s", why);
	}
	free(text);
	command->fd = -1;
	return json;
}
