/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export_listen.c - an HTTP server for Prometheus, by libmicrohttpd, which no other file knows.
 *
 * One loop, no threads. An answer is made by a child: what reading a family leaves in memory goes with it, and a
 * target that ended or a fault costs one answer. The answer is made anew for each scrape, at most one at a time.
 */
#include "export.h"

#include "text.h"
#include "xalloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_CONNECTIONS 16
#define IDLE_SECONDS 10
#define MAKE_MS 20000 /* a child that takes longer is ended */
#define MOST_BYTES (64u << 20)

struct source {
	int (*make)(void *context, FILE *out);
	void *context;
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* ---- an answer ----------------------------------------------------------------------------- */

static void in_child(const struct source *source, int fd)
{
	FILE *out = fdopen(fd, "w");
	const int status = out ? source->make(source->context, out) : 2;

	_exit(out && fclose(out) == 0 ? status : 2);
}

/* Reads until the end, but not for longer than MAKE_MS. False when it took longer, or was too long. */
static bool read_answer(int fd, char **text, size_t *length)
{
	size_t room = 1 << 16;
	ssize_t got = 1;

	*text = xcalloc(room, 1);
	*length = 0;
	while (got > 0 && *length < MOST_BYTES) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		const int n = poll(&ready, 1, MAKE_MS);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		got = read(fd, *text + *length, room - *length);
		*length += got > 0 ? (size_t)got : 0;
		if (*length == room)
			*text = xreallocarray(*text, room *= 2, 1);
	}
	return got == 0;
}

static bool make_answer(const struct source *source, char **text, size_t *length)
{
	int ends[2], status = -1;

	*text = NULL;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	fflush(NULL);
	const pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		in_child(source, ends[1]);
	}
	close(ends[1]);
	const bool whole = pid > 0 && read_answer(ends[0], text, length);
	close(ends[0]);
	if (pid > 0 && !whole)
		kill(pid, SIGKILL);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return whole && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type, char *text, size_t length)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	const enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result plain(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return reply(connection, status, "text/plain; charset=utf-8", (char *)text, strlen(text));
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
	const char *upload, size_t *upload_size, void **state)
{
	static int begun;
	char *text;
	size_t length;

	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return plain(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n"); /* at once: no body is waited for */
	if (!*state) { /* the head alone has come */
		*state = &begun;
		return MHD_YES;
	}
	if (*upload_size) { /* a body, which is dropped */
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(url, "/") == 0)
		return plain(connection, MHD_HTTP_OK, "heapray: /metrics\n");
	if (strcmp(url, "/metrics") != 0)
		return plain(connection, MHD_HTTP_NOT_FOUND, "there is /metrics\n");
	const bool made = make_answer(context, &text, &length);
	const enum MHD_Result result = made ? reply(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, length) :
						    plain(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the processes could not be read\n");
	free(text);
	return result;
}

/* ---- the server ---------------------------------------------------------------------------- */

/* "127.0.0.1:9464", "[::1]:9464", ":9464". Returns 0 or -1. */
static int parse(const char *text, struct sockaddr_storage *address)
{
	struct sockaddr_in *four = (struct sockaddr_in *)address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
	const char *colon = strrchr(text, ':');
	char host[64], *end;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return -1;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	const unsigned long port = strtoul(colon + 1, &end, 10);
	if (end == colon + 1 || *end || port > 65535)
		return -1;
	memset(address, 0, sizeof(*address));
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1 ? 0 : -1;
	}
	four->sin_family = AF_INET;
	four->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, *host ? host : "127.0.0.1", &four->sin_addr) == 1 ? 0 : -1;
}

static void loop(struct MHD_Daemon *daemon)
{
	struct sigaction action = {.sa_handler = stop};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A signal between the look at `stopped` and the wait costs a second. */
	while (!stopped)
		MHD_run_wait(daemon, 1000);
}

int export_listen(const char *address, int (*make)(void *context, FILE *out), void *context)
{
	struct source source = {make, context};
	struct sockaddr_storage where;

	if (parse(address, &where) != 0) {
		text_error("As in --listen 127.0.0.1:9464.", "--listen: %s: not an address and a port", text_safe(address, 60));
		return 2;
	}
	errno = 0;
	struct MHD_Daemon *daemon = MHD_start_daemon(MHD_NO_FLAG | (where.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0), 0, NULL, NULL, handle, &source,
		MHD_OPTION_SOCK_ADDR, &where, MHD_OPTION_CONNECTION_LIMIT, MOST_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
		MHD_OPTION_END);
	if (!daemon) {
		text_error("Is the port taken?", "--listen: %s: %s", text_safe(address, 60), errno ? strerror(errno) : "cannot listen");
		return 2;
	}
	text_note("serving http://%s%s/metrics", address[0] == ':' ? "127.0.0.1" : "", text_safe(address, 60));
	loop(daemon);
	MHD_stop_daemon(daemon);
	return 0;
}
