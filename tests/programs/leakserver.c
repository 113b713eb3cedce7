/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leakserver.c - a small HTTP server that leaks by the book, and a client that asks at a given rate.
 *
 *   leakserver serve PORT     GET /leak    keeps 1,024 bytes for ever (leak_path)
 *                             GET /work    churn alone
 *                             GET /truth   JSON: what it leaked, what its cache holds, requests
 *                             GET /burst   30 MB of small blocks come and go: the allocator keeps the memory
 *   leakserver load PORT RATE SECONDS PATH...   requests of the paths in turn, RATE a second; prints how many
 *
 * Every request churns (churn), and puts something into a cache (cache_put) that holds CACHE_ENTRIES and
 * then drops the oldest.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../include/heapray.h"

#define LEAK_BYTES 1024
#define CACHE_ENTRIES 500
#define CACHE_BYTES 700
#define CHURN_BLOCKS 50
#define BURST_BLOCKS 30000
#define CLIENTS 64

static struct leaked {
	struct leaked *next;
	char bytes[LEAK_BYTES - sizeof(struct leaked *)];
} *leaked;
static void *cache[CACHE_ENTRIES];
static unsigned long requests, leaks;

static void leak_path(void)
{
	struct leaked *block = malloc(sizeof(*block));

	block->next = leaked;
	leaked = block;
	leaks++;
}

static void cache_put(void)
{
	void **entry = &cache[requests % CACHE_ENTRIES];

	free(*entry);
	*entry = malloc(CACHE_BYTES);
}

static void churn(void)
{
	void *blocks[CHURN_BLOCKS];

	for (int i = 0; i < CHURN_BLOCKS; i++)
		blocks[i] = malloc(16 + (requests * 37 + i * 101) % 4000);
	for (int i = 0; i < CHURN_BLOCKS; i++)
		free(blocks[i]);
}

/* The last block is freed after all others: it keeps the heap from shrinking until then, and after it too. */
static void burst(void)
{
	static void *blocks[BURST_BLOCKS], *stopper;

	for (int i = 0; i < BURST_BLOCKS; i++)
		memset(blocks[i] = malloc(1000), 1, 1000);
	if (!stopper)
		stopper = malloc(1000);
	for (int i = 0; i < BURST_BLOCKS; i++)
		free(blocks[i]);
}

static void answer(int client, const char *path)
{
	char body[200] = "ok\n", reply[400];

	requests++;
	heapray_mark("request");
	if (strncmp(path, "/truth ", 7) == 0)
		snprintf(body, sizeof(body), "{\"requests\":%lu,\"leaked_bytes\":%lu,\"leak_bytes\":%d}\n", requests, leaks * LEAK_BYTES, LEAK_BYTES);
	else
		churn();
	if (strncmp(path, "/leak ", 6) == 0)
		leak_path();
	if (strncmp(path, "/burst ", 7) == 0)
		burst();
	cache_put();
	const int n = snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	if (write(client, reply, n) != n)
		perror("write");
}

/* One request a read: the client waits for the answer. */
static int serve_client(int client)
{
	char request[2000];
	const ssize_t n = read(client, request, sizeof(request) - 1);

	if (n <= 0)
		return -1;
	request[n] = '\0';
	if (strncmp(request, "GET ", 4) == 0)
		answer(client, request + 4);
	return 0;
}

static struct sockaddr_in address_of(const char *port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int serve(const char *port)
{
	const struct sockaddr_in address = address_of(port);
	struct pollfd polled[CLIENTS] = {{.fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN}};
	const int on = 1;
	int count = 1;

	setsockopt(polled[0].fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(polled[0].fd, (const struct sockaddr *)&address, sizeof(address)) != 0 || listen(polled[0].fd, 16) != 0) {
		perror("listen");
		return 1;
	}
	for (;;) {
		poll(polled, count, -1);
		for (int i = count - 1; i > 0; i--) {
			if ((polled[i].revents & (POLLIN | POLLHUP | POLLERR)) && serve_client(polled[i].fd) != 0) {
				close(polled[i].fd);
				polled[i] = polled[--count];
			}
		}
		if ((polled[0].revents & POLLIN) && count < CLIENTS)
			polled[count++] = (struct pollfd){.fd = accept(polled[0].fd, NULL, NULL), .events = POLLIN};
	}
}

/* ---- the client ---------------------------------------------------------------------------- */

static int ask(int server, const char *path)
{
	char text[8000];
	const int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);

	if (write(server, text, n) != n)
		return -1;
	return read(server, text, sizeof(text)) > 0 ? 0 : -1;
}

static int dial(const char *port)
{
	const struct sockaddr_in address = address_of(port);
	const int server = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return connect(server, (const struct sockaddr *)&address, sizeof(address)) == 0 ? server : -1;
}

static int load(const char *port, double rate, double seconds, char **paths, int count)
{
	struct timespec next;
	long done = 0;
	int server = dial(port);

	clock_gettime(CLOCK_MONOTONIC, &next);
	for (long i = 0; (double)i < rate * seconds; i++) {
		if (server < 0 || ask(server, paths[i % count]) != 0) { /* nginx closes a connection after 1,000 */
			close(server);
			server = dial(port);
			if (server < 0 || ask(server, paths[i % count]) != 0)
				break;
		}
		done++;
		next.tv_nsec += (long)(1e9 / rate);
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	printf("%ld\n", done);
	return done > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc > 5 && strcmp(argv[1], "load") == 0)
		return load(argv[2], atof(argv[3]), atof(argv[4]), argv + 5, argc - 5);
	fputs("leakserver serve PORT | load PORT RATE SECONDS PATH...\n", stderr);
	return 2;
}
