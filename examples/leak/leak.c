/*
 * leak.c - a server's life in short: each request allocates, and one kind of request forgets to free. Run it
 * under heapray, and ask which.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session {
	char name[64];
	char *history;
};

static struct session *open_session(int number)
{
	struct session *s = malloc(sizeof *s);
	snprintf(s->name, sizeof s->name, "session %d", number);
	s->history = malloc(512);
	memset(s->history, 0, 512);
	return s;
}

static void close_session(struct session *s)
{
	free(s); /* and the history? */
}

static void answer(int number)
{
	char *body = malloc(4096 + number % 1000);
	memset(body, 'x', 4096);
	free(body);
}

int main(int argc, char **argv)
{
	const int requests = argc > 1 ? atoi(argv[1]) : 20000;
	for (int i = 0; i < requests; i++) {
		answer(i);
		if (i % 5 == 0)
			close_session(open_session(i));
		if (argc > 2)
			usleep(1000);
	}
	printf("%d requests\n", requests);
	return 0;
}
