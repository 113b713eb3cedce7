/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_shim_threads.c - the parts that threads share, used by several at once: no block is lost or found twice, one
 * stack is one node, and what they count adds up. `make sanitize` runs it under the thread sanitizer.
 */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "live.h"
#include "sites.h"
#include "run_suite.h"

#define THREADS 4
#define ROUNDS 20000
#define BLOCKS 512 /* of each thread */
#define STACKS 700 /* that all of them make: the index of nodes grows meanwhile */

static const uintptr_t heap = 0x7f1234560000;
static pthread_barrier_t together;
static uint64_t failures; /* Check's assertions are for the first thread */

static void wrong(void)
{
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
}

/* Blocks of each thread lie between those of the others. */
static const void *block_of(unsigned thread, unsigned i)
{
	return (const void *)(heap + 16ul * (i * THREADS + thread));
}

static void in_threads(void *(*work)(void *))
{
	pthread_t threads[THREADS];
	failures = 0;
	pthread_barrier_init(&together, NULL, THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&together);
	ck_assert_uint_eq(failures, 0);
}

static struct thread *attach(void)
{
	struct thread *t = hr_self = hr_thread_attach();
	pthread_barrier_wait(&together);
	return t;
}

/* ---- the live table ----------------------------------------------------------------------------- */

static void *own_blocks(void *arg)
{
	const unsigned me = (unsigned)(uintptr_t)arg;
	struct thread *t = attach();
	for (unsigned n = 0; n < ROUNDS; n++) {
		const struct live_entry entry = {.site = me + 1, .size = n};
		struct live_entry got;
		if (hr_live_put(t, block_of(me, n % BLOCKS), &entry, &got))
			wrong();
		if (n % 2 && (!hr_live_take(t, block_of(me, n % BLOCKS), &got) || got.size != n || got.site != me + 1))
			wrong();
		if (n % 2 == 0 && n >= BLOCKS / 2 && (!hr_live_take(t, block_of(me, (n - BLOCKS / 2) % BLOCKS), &got) || got.size != n - BLOCKS / 2))
			wrong();
	}
	return NULL;
}

START_TEST(threads_blocks_between_each_others)
{
	struct hr_live_geometry before, after;
	hr_live_geometry(&before);
	in_threads(own_blocks);
	hr_live_geometry(&after);
	ck_assert_uint_eq(after.blocks - before.blocks, THREADS * BLOCKS / 4);
}
END_TEST

/* Each thread takes what the one before it has put, as soon as it is told that it is there. */
static _Atomic uint64_t there[THREADS];

static void *handed_over(void *arg)
{
	const unsigned me = (unsigned)(uintptr_t)arg, before = (me + THREADS - 1) % THREADS;
	struct thread *t = attach();
	for (unsigned n = 1; n <= ROUNDS; n++) {
		const struct live_entry entry = {.site = me + 1, .size = n};
		struct live_entry got;
		if (hr_live_put(t, block_of(me, n % BLOCKS), &entry, &got))
			wrong();
		atomic_store_explicit(&there[me], n, memory_order_release);
		while (atomic_load_explicit(&there[before], memory_order_acquire) < n)
			sched_yield();
		if (!hr_live_take(t, block_of(before, n % BLOCKS), &got) || got.size != n || got.site != before + 1)
			wrong();
		pthread_barrier_wait(&together);
	}
	return NULL;
}

START_TEST(blocks_freed_by_another_thread)
{
	struct hr_live_geometry before, after;
	hr_live_geometry(&before);
	in_threads(handed_over);
	hr_live_geometry(&after);
	ck_assert_uint_eq(after.blocks, before.blocks);
}
END_TEST

/* All of them want the same block: one gets it. */
static uint64_t taken;

static void *one_block(void *arg)
{
	const unsigned me = (unsigned)(uintptr_t)arg;
	struct thread *t = attach();
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct live_entry got;
		if (n % THREADS == me)
			hr_live_put(t, block_of(0, n % BLOCKS), &(struct live_entry){.site = 1, .size = n}, &got);
		pthread_barrier_wait(&together);
		if (hr_live_take(t, block_of(0, n % BLOCKS), &got))
			__atomic_fetch_add(&taken, got.size == n, __ATOMIC_RELAXED);
		pthread_barrier_wait(&together);
	}
	return NULL;
}

START_TEST(a_block_is_taken_once)
{
	taken = 0;
	in_threads(one_block);
	ck_assert_uint_eq(taken, ROUNDS);
}
END_TEST

/* ---- stacks and counters ------------------------------------------------------------------------ */

static uint32_t nodes[THREADS][STACKS], rows[THREADS][STACKS];

static void *same_stacks(void *arg)
{
	const unsigned me = (unsigned)(uintptr_t)arg;
	struct thread *t = attach();
	for (unsigned i = 0; i < STACKS; i++) {
		const unsigned stack = me % 2 ? STACKS - 1 - i : i;
		uint32_t node = HR_ROOT_STACK;
		for (unsigned depth = 0; depth < 8; depth++)
			node = hr_node_child(t, (struct node_key){.value = depth < 4 ? depth + 1 : stack + 1, .parent = node, .kind = HR_NODE_NATIVE});
		nodes[me][stack] = node;
		rows[me][stack] = hr_site(t, node, DOMAIN_ALLOCATOR);
		for (unsigned n = 0; n < 50; n++) {
			hr_site_allocated(t, rows[me][stack], stack + 1);
			if (n % 2)
				hr_site_freed(t, rows[me][stack], stack + 1, false, false);
		}
	}
	return NULL;
}

START_TEST(one_stack_is_one_node_and_its_rows_add_up)
{
	struct hr_site before, after;
	hr_sites_sum(&before, DOMAIN_ALLOCATOR);
	in_threads(same_stacks);
	hr_sites_sum(&after, DOMAIN_ALLOCATOR);
	const uint64_t bytes = (uint64_t)STACKS * (STACKS + 1) / 2;
	ck_assert_uint_eq(after.allocated_count - before.allocated_count, THREADS * STACKS * 50);
	ck_assert_uint_eq(after.allocated_bytes - before.allocated_bytes, THREADS * bytes * 50);
	ck_assert_uint_eq(after.freed_count - before.freed_count, THREADS * STACKS * 25);
	ck_assert_uint_eq(after.freed_bytes - before.freed_bytes, THREADS * bytes * 25);
	for (unsigned i = 0; i < STACKS; i++) {
		ck_assert_uint_ge(nodes[0][i], HR_ROOT_COUNT);
		for (unsigned t = 0; t < THREADS; t++) {
			ck_assert_uint_eq(nodes[t][i], nodes[0][i]);
			ck_assert_uint_eq(hr_site_node(rows[t][i]), nodes[0][i]);
		}
	}
	ck_assert_uint_ne(nodes[0][0], nodes[0][1]);
}
END_TEST

/* The first thread is always there first. Check has forked, and a forked child makes its rows at its first event. */
static void first_event(void)
{
	hr_self = hr_thread_attach();
	ck_assert(hr_gate_ask());
}

int main(void)
{
	Suite *suite = suite_create("shim_threads");
	TCase *live = tcase_create("live");
	tcase_set_timeout(live, 30);
	tcase_add_checked_fixture(live, first_event, NULL);
	tcase_add_test(live, threads_blocks_between_each_others);
	tcase_add_test(live, blocks_freed_by_another_thread);
	tcase_add_test(live, a_block_is_taken_once);
	suite_add_tcase(suite, live);
	TCase *sites = tcase_create("sites");
	tcase_set_timeout(sites, 30);
	tcase_add_checked_fixture(sites, first_event, NULL);
	tcase_add_test(sites, one_stack_is_one_node_and_its_rows_add_up);
	suite_add_tcase(suite, sites);
	return run_suite(suite) != 0;
}
