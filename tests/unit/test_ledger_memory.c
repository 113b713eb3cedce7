/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_ledger_memory.c - what is read from a process's memory: that reading does not change it, which pages are
 * resident, stacks, arenas, .bss, the live table. The process is this one, or a child that sleeps.
 */
#include "ledger_nature.h"
#include "ledger_threads.h"
#include "live_table.h"
#include "run_suite.h"

#include <check.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u

static struct smaps smaps;
static struct peek peek;
static struct claims claims;

static void look_at(int pid)
{
	ck_assert_int_eq(smaps_read(pid, &smaps), 0);
	peek_open(&peek, pid);
}

static char *map(size_t pages)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static bool claimed(const void *address, enum component component)
{
	for (size_t i = 0; i < claims.count; i++)
		if (claims.list[i].start <= (uintptr_t)address && (uintptr_t)address < claims.list[i].end &&
			claims.list[i].component == component)
			return true;
	return false;
}

static uint64_t resident(int pid, const void *p, size_t pages)
{
	struct pagemap pagemap;
	uint64_t r = 0, s = 0;
	pagemap_open(&pagemap, pid);
	ck_assert_int_eq(pagemap_range(&pagemap, (uintptr_t)p, (uintptr_t)p + pages * PAGE, &r, &s), 0);
	pagemap_close(&pagemap);
	return r;
}

START_TEST(reading_changes_nothing)
{
	char *p = map(64), buffer[4 * PAGE];
	p[10 * PAGE] = 7;
	const int pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	peek_open(&peek, pid);
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(peek_at(&peek, (uintptr_t)p + (size_t)i * PAGE, buffer, 16), i == 10);
	ck_assert(!peek_at(&peek, (uintptr_t)p + 9 * PAGE, buffer, 2 * PAGE));
	memset(buffer, 1, sizeof buffer);
	ck_assert(peek_range(&peek, (uintptr_t)p + 8 * PAGE + 100, buffer, 3 * PAGE));
	ck_assert_int_eq(buffer[2 * PAGE - 100], 7);
	ck_assert_int_eq(buffer[0], 0);
	ck_assert_int_eq(buffer[2 * PAGE - 101], 0);
	ck_assert_uint_eq(resident(pid, p, 64), PAGE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert(!peek_at(&peek, (uintptr_t)p + 10 * PAGE, buffer, 16));
	ck_assert(!peek_at(&peek, UINT64_MAX - 4, buffer, 16));
}
END_TEST

START_TEST(resident_bytes_of_a_part)
{
	char *p = map(100);
	for (int i = 20; i < 50; i++)
		p[i * PAGE] = 1;
	struct pagemap best, plain;
	uint64_t r, s;
	pagemap_open(&best, getpid());
	plain = best;
	plain.way = PAGEMAP_WORDS;
	ck_assert_int_eq(pagemap_range(&best, (uintptr_t)p + 10 * PAGE, (uintptr_t)p + 30 * PAGE, &r, &s), 0);
	ck_assert_uint_eq(r, 10 * PAGE);
	ck_assert_uint_eq(s, 0);
	ck_assert_int_eq(pagemap_range(&plain, (uintptr_t)p + 10 * PAGE, (uintptr_t)p + 30 * PAGE, &r, &s), 0);
	ck_assert_uint_eq(r, 10 * PAGE);
	uint8_t a[100], b[100];
	ck_assert_int_eq(pagemap_pages(&best, (uintptr_t)p, 100, a), 0);
	ck_assert_int_eq(pagemap_pages(&plain, (uintptr_t)p, 100, b), 0);
	ck_assert_mem_eq(a, b, sizeof a);
	ck_assert(!a[19] && a[20] && a[49] && !a[50]);
	best.way = PAGEMAP_NONE;
	ck_assert_int_eq(pagemap_range(&best, (uintptr_t)p, (uintptr_t)p + PAGE, &r, &s), -1);
	pagemap_close(&plain);
}
END_TEST

static pthread_barrier_t there;
static void *tops[3];

static void *sleeper(void *at)
{
	volatile char local = 1;
	*(void **)at = (void *)&local;
	pthread_barrier_wait(&there);
	pause();
	return NULL;
}

static void start_threads(void)
{
	pthread_t thread;
	pthread_barrier_init(&there, NULL, 4);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&thread, NULL, sleeper, &tops[i]), 0);
	pthread_barrier_wait(&there);
	usleep(50000); /* until they sleep */
}

START_TEST(stacks_of_threads)
{
	struct threads threads;
	start_threads();
	threads_read(getpid(), &threads);
	ck_assert_uint_eq(threads.count, 4);
	look_at(getpid());
	threads_claim(&threads, &peek, &smaps, &claims);
	for (int i = 0; i < 3; i++)
		ck_assert(claimed(tops[i], C_STACKS));
	for (size_t i = 1; i < 4; i++)
		ck_assert_uint_eq(threads.list[i].end - threads.list[i].start, 8u << 20);
	threads_free(&threads);
}
END_TEST

/* Running threads have no stack pointer in /proc: their control blocks tell. */
START_TEST(stacks_without_stack_pointers)
{
	struct threads threads;
	start_threads();
	threads_read(getpid(), &threads);
	for (size_t i = 0; i < threads.count; i++)
		threads.list[i].stack_pointer = 0;
	look_at(getpid());
	threads_claim(&threads, &peek, &smaps, &claims);
	for (size_t i = 1; i < 4; i++)
		ck_assert_uint_eq(threads.list[i].end - threads.list[i].start, 8u << 20);
	threads_free(&threads);
}
END_TEST

/* What lies right above a stack is merged with it: the stack ends at its control block. */
START_TEST(a_stack_merged_with_what_is_above)
{
	struct threads threads;
	pthread_attr_t attributes;
	pthread_t thread;
	char *guard = map(1 + 64 + 4), *stack = guard + PAGE, *above = stack + 64 * PAGE;
	memset(above, 1, 4 * PAGE);
	mprotect(guard, PAGE, PROT_NONE);
	pthread_barrier_init(&there, NULL, 2);
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, 64 * PAGE);
	ck_assert_int_eq(pthread_create(&thread, &attributes, sleeper, &tops[0]), 0);
	pthread_barrier_wait(&there);
	usleep(50000);
	threads_read(getpid(), &threads);
	look_at(getpid());
	ck_assert_uint_ge(smaps_find(&smaps, (uintptr_t)stack)->end, (uintptr_t)above + 4 * PAGE);
	threads_claim(&threads, &peek, &smaps, &claims);
	ck_assert(claimed(stack, C_STACKS));
	ck_assert(claimed(above - 1, C_STACKS));
	ck_assert(!claimed(above, C_STACKS));
	ck_assert(claimed(guard, C_RESERVED));
	threads_free(&threads);
}
END_TEST

static void *arena_block;

static void *allocates(void *unused)
{
	arena_block = malloc(5000);
	memset(arena_block, 1, 5000);
	pthread_barrier_wait(&there);
	pause();
	return unused;
}

START_TEST(arenas_and_mapped_blocks_of_glibc)
{
	pthread_t thread;
	pthread_barrier_init(&there, NULL, 2);
	char *large = malloc(3 << 20);
	memset(large, 1, 3 << 20);
	pthread_create(&thread, NULL, allocates, NULL);
	pthread_barrier_wait(&there);
	look_at(getpid());
	nature_claim_glibc(&peek, &smaps, "x", &claims);
	ck_assert(claimed(arena_block, C_ALLOCATOR));
	ck_assert(claimed(large, C_ALLOCATOR));
	ck_assert(claimed(large + (3 << 20) - 1, C_ALLOCATOR));
	ck_assert(!claimed(map(4), C_ALLOCATOR));
}
END_TEST

/* What only looks like a header at its first glance is not taken for one. */
START_TEST(no_arena_where_the_fields_disagree)
{
	uint64_t *mapped = (uint64_t *)map(4);
	mapped[0] = 0;
	mapped[1] = (64u * PAGE) | 2; /* longer than its mapping can be told to be */
	mprotect((char *)mapped + 3 * PAGE, PAGE, PROT_NONE);
	uint64_t *page = (uint64_t *)map(4);
	page[1] = 4 * PAGE | 3; /* not the flag of a mapped block */
	look_at(getpid());
	nature_claim_glibc(&peek, &smaps, "x", &claims);
	ck_assert(!claimed(mapped, C_ALLOCATOR));
	ck_assert(!claimed(page, C_ALLOCATOR));
}
END_TEST

static char zeros[1 << 20];

START_TEST(bss_of_the_executable)
{
	zeros[sizeof zeros / 2] = 1;
	look_at(getpid());
	nature_claim_images(&peek, &smaps, &claims);
	ck_assert(claimed(&zeros[sizeof zeros / 2], C_FILE));
	ck_assert(!claimed(map(1), C_FILE));
}
END_TEST

/* ---- the live table ---- */

static struct live_block seen[16];
static size_t seen_count;

static bool see(void *limit, const struct live_block *block)
{
	seen[seen_count++] = *block;
	return seen_count < *(size_t *)limit;
}

static struct hr_live_pool pools[3];

static struct hr_header *a_table(void)
{
	static struct hr_header header;
	static uint64_t leaves[] = {
		HR_LIVE_HEAD(0x7f0000001, 2, 0), 0, 0, 0, 0,
		HR_LIVE_HEAD(0x7f0000002, 1, 1), 0, 0, 0, 0,
		HR_LIVE_HEAD_UNUSED(1), 12345678, 0,
		HR_LIVE_HEAD(0x7ffffffff, 0, 1), 0, 0,
	};
	leaves[2] = HR_LIVE_ENTRY(0x400, 100, 3, 2, 2);
	leaves[4] = HR_LIVE_ENTRY(0xc08, 50, 99, 2, 2); /* no such site */
	leaves[8] = HR_LIVE_ENTRY(0x800, HR_LIVE_SIZE_WIDE, 4, 2, 1);
	leaves[9] = 1 << 20;
	leaves[14] = HR_LIVE_ENTRY(0x0, HR_LIVE_SIZE_WIDE, 1, 2, 2);
	leaves[15] = 8192; /* beyond what a program can have */
	pools[0] = (struct hr_live_pool){(uintptr_t)leaves, sizeof leaves, sizeof leaves};
	pools[1] = (struct hr_live_pool){64, 4096, 4096};                          /* nothing is mapped there */
	pools[2] = (struct hr_live_pool){(uintptr_t)leaves, 1ull << 50, 1ull << 51}; /* no pool is like that */
	header.live = (struct hr_live_geometry){.pools = (uintptr_t)pools, .pool_count = 3, .label = 2};
	seen_count = 0;
	peek_open(&peek, getpid());
	return &header;
}

START_TEST(the_live_table)
{
	size_t all = 16;
	ck_assert_int_eq(live_table_walk(&peek, a_table(), 10, see, &all), 2);
	ck_assert_uint_eq(seen[0].address, 0x7f0000001400);
	ck_assert_uint_eq(seen[0].size, 100);
	ck_assert_uint_eq(seen[0].site, 3);
	ck_assert(!seen[0].inherited);
	ck_assert_uint_eq(seen[1].address, 0x7f0000002800);
	ck_assert_uint_eq(seen[1].size, 1 << 20);
	ck_assert(seen[1].inherited);
}
END_TEST

START_TEST(the_blocks_in_hand)
{
	size_t all = 16;
	struct { uint64_t other[3]; struct hr_live_hand hand; } threads[] = {
		{.hand = {.block = 0x7f0000005010, .site = 5, .size = 70000}},
		{.hand = {.block = 0}},
		{.hand = {.block = 0x7f0000006010, .site = 6, .size = 8, .inherited = 1}},
	};
	const uint64_t addresses[] = {(uintptr_t)&threads[0], (uintptr_t)&threads[1], (uintptr_t)&threads[2], 1};
	struct hr_header *header = a_table();
	header->live.threads = (uintptr_t)addresses;
	header->live.thread_count = 4; /* the last one is gone */
	header->live.hand_offset = sizeof threads[0].other;
	ck_assert_int_eq(live_table_walk(&peek, header, 10, see, &all), 4);
	ck_assert_uint_eq(seen[0].address, 0x7f0000005010);
	ck_assert_uint_eq(seen[0].size, 70000);
	ck_assert_uint_eq(seen[0].site, 5);
	ck_assert(!seen[0].inherited);
	ck_assert_uint_eq(seen[1].address, 0x7f0000006010);
	ck_assert(seen[1].inherited);
}
END_TEST

START_TEST(the_live_table_until_enough)
{
	size_t one = 1;
	ck_assert_int_eq(live_table_walk(&peek, a_table(), 10, see, &one), 1);
}
END_TEST

START_TEST(hostile_geometry)
{
	size_t all = 16;
	struct hr_header header = *a_table();
	struct hr_live_geometry good = header.live;
	header.live.pool_count = UINT64_MAX;
	ck_assert_int_eq(live_table_walk(&peek, &header, 10, see, &all), -1);
	header.live = good;
	header.live.pools = UINT64_MAX - 10;
	ck_assert_int_eq(live_table_walk(&peek, &header, 10, see, &all), -1);
	header.live = (struct hr_live_geometry){0};
	ck_assert_int_eq(live_table_walk(&peek, &header, 10, see, &all), -1);
	ck_assert_uint_eq(seen_count, 0);
}
END_TEST

START_TEST(hostile_leaves)
{
	size_t all = 16;
	struct hr_header *header = a_table();
	static uint64_t junk[4] = {15, 1, 2, 3}; /* a leaf of a class there is not */
	pools[0] = (struct hr_live_pool){(uintptr_t)junk, sizeof junk, sizeof junk};
	ck_assert_int_eq(live_table_walk(&peek, header, 10, see, &all), 0);
	junk[0] = HR_LIVE_HEAD(1, 9, 0); /* longer than its pool */
	ck_assert_int_eq(live_table_walk(&peek, header, 10, see, &all), 0);
	junk[0] = HR_LIVE_HEAD(1, 0, 0) | 1 << 8; /* wide, with room for one word */
	ck_assert_int_eq(live_table_walk(&peek, header, 10, see, &all), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger_memory");
	TCase *tests = tcase_create("ledger_memory");
	tcase_add_test(tests, reading_changes_nothing);
	tcase_add_test(tests, resident_bytes_of_a_part);
	tcase_add_test(tests, stacks_of_threads);
	tcase_add_test(tests, stacks_without_stack_pointers);
	tcase_add_test(tests, a_stack_merged_with_what_is_above);
	tcase_add_test(tests, arenas_and_mapped_blocks_of_glibc);
	tcase_add_test(tests, no_arena_where_the_fields_disagree);
	tcase_add_test(tests, bss_of_the_executable);
	tcase_add_test(tests, the_live_table);
	tcase_add_test(tests, the_blocks_in_hand);
	tcase_add_test(tests, the_live_table_until_enough);
	tcase_add_test(tests, hostile_geometry);
	tcase_add_test(tests, hostile_leaves);
	suite_add_tcase(suite, tests);
	return run_suite(suite) != 0;
}
