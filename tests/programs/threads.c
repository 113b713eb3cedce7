/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threads.c [ROUNDS] - threads that keep blocks, free their own, and free each other's; books as JSON.
 *
 * Each of four threads allocates on a stack of its own kind and on one all share, and hands every second
 * block to its neighbour, who frees it. What is left over is known exactly; the peak is not.
 */
#include "expect.h"

#define THREADS 4
#define RING 256

SITE(own, "site_own");
SITE(handed, "site_handed");
SITE(kept, "site_kept");

static void *site_own(size_t n) { return malloc(n); }
static void *site_handed(size_t n) { return malloc(n); }
static void *site_kept(size_t n) { return malloc(n); }

struct mailbox {
	pthread_mutex_t lock;
	void *blocks[RING];
	size_t count;
};
static struct mailbox mail[THREADS];
static size_t rounds = 2000;

static void empty(struct mailbox *box)
{
	pthread_mutex_lock(&box->lock);
	while (box->count > 0) {
		unbooked(&handed, 200);
		free(box->blocks[--box->count]);
	}
	pthread_mutex_unlock(&box->lock);
}

static void hand_over(struct mailbox *box, void *block)
{
	for (;;) {
		pthread_mutex_lock(&box->lock);
		const int fits = box->count < RING;
		if (fits)
			box->blocks[box->count++] = block;
		pthread_mutex_unlock(&box->lock);
		if (fits)
			return;
		empty(box);
	}
}

static void *work(void *argument)
{
	const size_t self = (size_t)argument;
	for (size_t i = 0; i < rounds; i++) {
		const size_t n = 16 + i % 500;
		void *p = booked(&own, site_own(n), n);
		hand_over(&mail[(self + 1) % THREADS], booked(&handed, site_handed(200), 200));
		if (i % 10 == 0)
			booked(&kept, site_kept(48 + self), 48 + self);
		empty(&mail[self]);
		unbooked(&own, n);
		free(p);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 10);
	pthread_t threads[THREADS];
	for (size_t i = 0; i < THREADS; i++)
		pthread_mutex_init(&mail[i].lock, NULL);
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* The last blocks stay in the mailboxes: handed over and never freed. */
	expect_print(1);
	return 0;
}
