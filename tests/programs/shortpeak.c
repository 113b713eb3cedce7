/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shortpeak.c - a long quiet run with one short burst in it: the peak lasts a few hundred allocations of many
 * thousand, and its composition is neither that of before nor that of after. The books (expect.h) replay it.
 */
#include "expect.h"

#define SLOTS 2000
#define STEPS 60000
#define BURST 400

static struct slot {
	void *p;
	size_t bytes;
	struct site *site;
} slots[SLOTS];
static uint64_t state = 42;

static size_t any(size_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(state >> 33) % below;
}

static void drop(struct slot *slot)
{
	if (!slot->p)
		return;
	unbooked(slot->site, slot->bytes);
	free(slot->p);
	slot->p = NULL;
}

static void keep(struct slot *slot, struct site *site, void *p, size_t bytes)
{
	*slot = (struct slot){booked(site, p, bytes), bytes, site};
}

static void quiet_small(struct slot *slot)
{
	SITE(site, "quiet_small");
	const size_t bytes = 16 + any(200);

	keep(slot, &site, malloc(bytes), bytes);
}

static void quiet_large(struct slot *slot)
{
	SITE(site, "quiet_large");
	const size_t bytes = 1000 + any(5000);

	keep(slot, &site, calloc(1, bytes), bytes);
}

static void in_burst(struct slot *slot)
{
	SITE(site, "in_burst");
	const size_t bytes = 60000 + any(1000);

	keep(slot, &site, malloc(bytes), bytes);
}

static void after_burst(struct slot *slot)
{
	SITE(site, "after_burst");
	const size_t bytes = 3000 + any(100);

	keep(slot, &site, malloc(bytes), bytes);
}

/* One of the quiet slots changes. */
static void step(int number)
{
	struct slot *slot = &slots[BURST + any(SLOTS - BURST)];

	drop(slot);
	if (number > STEPS * 2 / 3)
		after_burst(slot);
	else if (number % 3)
		quiet_small(slot);
	else
		quiet_large(slot);
}

int main(void)
{
	for (int i = 0; i < STEPS; i++) {
		if (i == STEPS / 2) {
			for (int b = 0; b < BURST; b++) {
				in_burst(&slots[b]);
				step(i);
			}
			for (int b = 0; b < BURST; b++)
				drop(&slots[b]);
		}
		step(i);
	}
	expect_print(STDOUT_FILENO);
	return 0;
}
