/* SPDX-License-Identifier: BSD-2-Clause */
/* test_shim_live.c - the live table against a plain array: what is put in comes out, once, and it costs what it says. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shim.h"
#include "run_suite.h"

#define MODEL 4096
static const uintptr_t heap = 0x7f1234560000;

static struct { bool there; struct live_entry entry; } model[MODEL];
static struct live_entry none;

static const void *at(uintptr_t offset)
{
	return (const void *)(heap + offset);
}

static int put(uintptr_t offset, uint32_t site, uint64_t size)
{
	const struct live_entry entry = {.site = site, .size = size, .age = 7};
	return hr_live_place(NULL, at(offset), &entry, &none);
}

static struct hr_live_geometry geometry(void)
{
	struct hr_live_geometry g;
	hr_live_geometry(&g);
	return g;
}

START_TEST(what_is_put_comes_out_once)
{
	struct live_entry e;
	ck_assert_int_eq(put(0x10, 3, 100), 0);
	ck_assert(hr_live_remove(NULL, at(0x10), &e));
	ck_assert_uint_eq(e.site, 3);
	ck_assert_uint_eq(e.size, 100);
	ck_assert_uint_eq(e.age, 7);
	ck_assert(!e.inherited);
	ck_assert(!hr_live_remove(NULL, at(0x10), &e));
	ck_assert(!hr_live_remove(NULL, at(0x18), &e));
	ck_assert(!hr_live_remove(NULL, at(1 << 30), &e));
}
END_TEST

START_TEST(bad_addresses)
{
	struct live_entry e;
	ck_assert_int_eq(hr_live_place(NULL, (void *)(heap + 4), &(struct live_entry){.site = 1}, &e), 0);
	ck_assert_int_eq(hr_live_place(NULL, (void *)(1ull << 47), &(struct live_entry){.site = 1}, &e), 0);
	ck_assert(!hr_live_remove(NULL, (void *)(heap + 4), &e));
	ck_assert(!hr_live_remove(NULL, (void *)UINTPTR_MAX, &e));
}
END_TEST

START_TEST(a_second_block_at_an_address_tells_of_the_first)
{
	ck_assert_int_eq(put(0x40, 1, 0), 0); /* of no bytes, and there */
	ck_assert_int_eq(put(0x40, 2, 1 << 20), 1);
	ck_assert_uint_eq(none.site, 1);
	ck_assert_uint_eq(none.size, 0);
	ck_assert_int_eq(put(0x40, 3, 5), 1);
	ck_assert_uint_eq(none.size, 1 << 20);
	ck_assert_uint_eq(geometry().blocks, 1);
}
END_TEST

START_TEST(the_newest_block_is_in_hand_until_the_next)
{
	const struct live_entry first = {.site = 1, .size = 10}, second = {.site = 2, .size = 20};
	struct thread *t = hr_thread_attach();
	struct live_entry e;
	ck_assert_ptr_null(hr_live_put(t, at(0x100), &first, &e));
	ck_assert(!hr_live_remove(t, at(0x100), &e));
	ck_assert_uint_eq(geometry().blocks, 1);
	ck_assert_ptr_null(hr_live_put(t, at(0x200), &second, &e));
	ck_assert(hr_live_take(t, at(0x100), &e) && e.size == 10);
	ck_assert_ptr_eq(hr_live_put(t, at(0x200), &first, &e), at(0x200)); /* given out again: its free was not seen */
	ck_assert_uint_eq(e.size, 20);
	ck_assert(hr_live_take(t, at(0x200), &e) && e.size == 10);
	ck_assert(!hr_live_take(t, at(0x200), &e));
	ck_assert_uint_eq(geometry().blocks, 0);
}
END_TEST

/*
 * Threads put blocks in, take them out at once or hand them over, and take what others handed over: from the table, or
 * out of the other's hand. An address goes with its block, so pages and areas are soon everybody's. What a block's
 * entry has to be follows from its address.
 */
#define THREADS 4
#define RING 64
#define ADDRESSES 512
static const void *_Atomic ring[RING];
static _Atomic uint32_t wrong;

struct worker {
	unsigned seed;
	uint32_t count; /* addresses it may use */
	const void *addresses[THREADS * ADDRESSES];
};

static void take(struct thread *t, struct worker *w, const void *block)
{
	struct live_entry e = {.size = 0};
	wrong += !hr_live_take(t, block, &e) || e.size != ((uintptr_t)block >> 4) % 100000 || e.site != 5;
	w->addresses[w->count++] = block;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct thread *t = hr_thread_attach();
	for (int n = 0; n < 200000; n++) {
		hr_own_begin(t);
		t->hand_taken = 0; /* or it would soon have no hand */
		hr_own_end(t);
		if (w->count > 0) {
			const void *block = w->addresses[--w->count];
			const struct live_entry entry = {.site = 5, .size = ((uintptr_t)block >> 4) % 100000};
			struct live_entry old;
			wrong += hr_live_put(t, block, &entry, &old) != NULL;
			if (rand_r(&w->seed) % 4 == 0) {
				take(t, w, block);
				continue;
			}
			block = atomic_exchange(&ring[rand_r(&w->seed) % RING], block);
			if (block)
				take(t, w, block);
		}
		const void *another = atomic_exchange(&ring[rand_r(&w->seed) % RING], NULL);
		if (another)
			take(t, w, another);
	}
	return t;
}

START_TEST(threads_take_what_others_put)
{
	static struct worker workers[THREADS + 1];
	pthread_t ids[THREADS];
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].seed = i + 1;
		for (uintptr_t j = 0; j < ADDRESSES; j++) /* of an area of its own, to begin with */
			workers[i].addresses[workers[i].count++] = at(((uintptr_t)i << 26) + j * 80);
		pthread_create(&ids[i], NULL, work, &workers[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	struct thread *t = hr_thread_attach();
	for (unsigned i = 0; i < RING; i++)
		if (ring[i])
			take(t, &workers[THREADS], ring[i]);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_eq(geometry().blocks, 0);
}
END_TEST

static uint64_t seen_count, seen_bytes;

static void see(void *arg, const void *block, uint32_t site, uint64_t size)
{
	const uintptr_t i = ((uintptr_t)block - heap) / 8;
	ck_assert(i < MODEL && model[i].there);
	ck_assert_uint_eq(model[i].entry.site, site);
	ck_assert_uint_eq(model[i].entry.size, size);
	seen_count++;
	seen_bytes += size;
}

/* Eight pages, a block may begin at each 8 bytes; sizes on both sides of what a narrow slot takes. */
START_TEST(any_order_of_events)
{
	static const uint64_t sizes[] = {0, 1, 65533, 65534, 65535, 65536, 1ull << 46};
	uint64_t blocks = 0, bytes = 0;
	srandom((unsigned)_i);
	for (int n = 0; n < 60000; n++) {
		const uint32_t i = (uint32_t)random() % MODEL;
		struct live_entry e;
		if (n % 20000 == 19999)
			hr_live_new_generation();
		if (random() % 2) {
			const struct live_entry new = {.site = (uint32_t)random() % SITES_MAX, .size = sizes[random() % 7], .age = 9};
			ck_assert_int_eq(hr_live_place(NULL, at(i * 8), &new, &e), model[i].there);
			if (model[i].there)
				ck_assert_uint_eq(e.size, model[i].entry.size);
			blocks += !model[i].there;
			bytes += new.size - (model[i].there ? model[i].entry.size : 0);
			model[i].there = true;
			model[i].entry = new;
		} else {
			ck_assert_int_eq(hr_live_remove(NULL, at(i * 8), &e), model[i].there);
			if (model[i].there) {
				ck_assert_uint_eq(e.size, model[i].entry.size);
				ck_assert_uint_eq(e.site, model[i].entry.site);
				bytes -= e.size;
				blocks--;
			}
			model[i].there = false;
		}
	}
	seen_count = seen_bytes = 0;
	hr_live_each(see, NULL);
	ck_assert_uint_eq(seen_count, blocks);
	ck_assert_uint_eq(seen_bytes, bytes);
	ck_assert_uint_eq(geometry().blocks, blocks);
}
END_TEST

START_TEST(blocks_from_before_a_fork_are_inherited)
{
	struct live_entry e;
	for (int forks = 1; forks < 9; forks++) { /* labels wrap */
		put(0x100, 1, 8);
		put(0x8, 1, 8);
		hr_live_remove(NULL, at(0x8), &e);
		for (int n = 0; n < forks; n++)
			hr_live_new_generation();
		put(0x200, 1, 8);
		ck_assert(hr_live_remove(NULL, at(0x100), &e));
		ck_assert_msg(e.inherited, "after %d forks", forks);
		ck_assert_int_eq(hr_live_place(NULL, at(0x100), &e, &none), 0);
		ck_assert(hr_live_remove(NULL, at(0x100), &e) && e.inherited);
		ck_assert(hr_live_remove(NULL, at(0x200), &e) && !e.inherited);
	}
}
END_TEST

/* glibc's blocks of 64 bytes are 80 apart. */
START_TEST(a_million_blocks_of_64_bytes_cost_24_bytes_each_at_most)
{
	for (uintptr_t i = 0; i < 1000000; i++)
		put(i * 80 + 16, 1, 64);
	ck_assert_uint_eq(geometry().blocks, 1000000);
	ck_assert_uint_le(geometry().bytes_of_table, 24000000);
}
END_TEST

START_TEST(blocks_of_4_kib_cost_a_hundredth_of_the_heap_at_most)
{
	for (uintptr_t i = 0; i < 100000; i++)
		put(i * 4112 + 16, 1, 4096);
	ck_assert_uint_le(geometry().bytes_of_table, 100000 * 4112 / 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shim_live");
	TCase *tests = tcase_create("shim_live");
	tcase_add_checked_fixture(tests, hr_live_start, NULL);
	tcase_add_test(tests, what_is_put_comes_out_once);
	tcase_add_test(tests, bad_addresses);
	tcase_add_test(tests, a_second_block_at_an_address_tells_of_the_first);
	tcase_add_test(tests, the_newest_block_is_in_hand_until_the_next);
	tcase_add_test(tests, threads_take_what_others_put);
	tcase_add_loop_test(tests, any_order_of_events, 0, 3);
	tcase_add_test(tests, blocks_from_before_a_fork_are_inherited);
	tcase_add_test(tests, a_million_blocks_of_64_bytes_cost_24_bytes_each_at_most);
	tcase_add_test(tests, blocks_of_4_kib_cost_a_hundredth_of_the_heap_at_most);
	suite_add_tcase(suite, tests);
	return run_suite(suite) != 0;
}
