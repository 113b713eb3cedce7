/* SPDX-License-Identifier: BSD-2-Clause */
/* compare_ready.c - tells the four kinds apart and asks, with short time limits: it is asked again in 10 ms. */
#include "compare_ready.h"

#include "options.h"
#include "xalloc.h"

#include <ctype.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define SECONDS_MOST 60

static bool is_port(const char *text)
{
	const size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits < 6 && text[digits] == '\0' && atoi(text) > 0 && atoi(text) < 65536;
}

static int parse_url(const char *text, struct ready *ready)
{
	const size_t length = strcspn(text, "/");
	char *colon;

	ready->kind = READY_URL;
	ready->host = xalloc_check(strndup(text, length));
	ready->path = xstrdup(text[length] ? text + length : "/");
	colon = strrchr(ready->host, ':');
	if (colon)
		*colon = '\0';
	ready->port = xstrdup(colon ? colon + 1 : "80");
	return *ready->host && is_port(ready->port) ? 0 : -1;
}

int ready_parse(const char *text, struct ready *ready)
{
	const char *colon = strrchr(text, ':');

	*ready = (struct ready){0};
	if (strncmp(text, "http://", 7) == 0)
		return parse_url(text + 7, ready);
	if (strstr(text, "://") || !*text)
		return -1;
	if (is_port(text) && atoi(text) > SECONDS_MOST) {
		*ready = (struct ready){.kind = READY_PORT, .host = xstrdup("127.0.0.1"), .port = xstrdup(text)};
		return 0;
	}
	if (options_parse_duration(text, &ready->ns) == 0) {
		ready->kind = READY_TIME;
		return 0;
	}
	if (colon && is_port(colon + 1) && !strchr(text, '/')) {
		*ready = (struct ready){.kind = READY_PORT, .port = xstrdup(colon + 1),
			.host = colon == text ? xstrdup("127.0.0.1") : xasprintf("%.*s", (int)(colon - text), text)};
		return 0;
	}
	*ready = (struct ready){.kind = READY_FILE, .path = xstrdup(text)};
	return 0;
}

/* A connected socket, or -1. */
static int connect_to(const struct ready *ready)
{
	const struct timeval limit = {.tv_usec = 500000};
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
	int fd = -1;

	if (getaddrinfo(ready->host, ready->port, &hints, &all) != 0)
		return -1;
	for (struct addrinfo *a = all; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		if (connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(all);
	return fd;
}

static bool answers(const struct ready *ready)
{
	char reply[64] = "";
	const int fd = connect_to(ready);

	if (fd < 0)
		return false;
	char *request = xasprintf("GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", ready->path, ready->host);
	const ssize_t length = (ssize_t)strlen(request);
	const bool heard = send(fd, request, (size_t)length, MSG_NOSIGNAL) == length && recv(fd, reply, sizeof(reply) - 1, MSG_WAITALL) > 12;
	free(request);
	close(fd);
	return heard && strncmp(reply, "HTTP/1.", 7) == 0 && reply[9] >= '1' && reply[9] < '5';
}

static bool accepts(const struct ready *ready)
{
	const int fd = connect_to(ready);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool written_since(const char *path, struct timespec then)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	/* The kernel's file times are those of its last tick: up to 10 ms in the past. */
	const int64_t ns = (st.st_mtim.tv_sec - then.tv_sec) * 1000000000ll + st.st_mtim.tv_nsec - then.tv_nsec;
	return ns > -10000000ll;
}

bool ready_yet(const struct ready *ready, uint64_t since_ns, struct timespec started)
{
	switch (ready->kind) {
	case READY_URL:
		return answers(ready);
	case READY_PORT:
		return accepts(ready);
	case READY_FILE:
		return written_since(ready->path, started);
	default:
		return since_ns >= ready->ns;
	}
}
