/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ledger_cut.c - mappings cut by claims: who wins, what is left, and that it always adds up. */
#include "ledger.h"
#include "run_suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0x7f0000000000ull
#define PAGE 4096ull

static struct vma vmas[16];
static struct smaps smaps = {.vmas = vmas};
static struct claims claims;
static struct pieces pieces;

static struct vma *map(uint64_t page, uint64_t pages, const char *permissions, const char *name)
{
	struct vma *v = &vmas[smaps.count++];
	*v = (struct vma){
		.start = BASE + page * PAGE,
		.end = BASE + (page + pages) * PAGE,
		.readable = permissions[0] == 'r',
		.writable = permissions[1] == 'w',
		.executable = permissions[2] == 'x',
		.shared = permissions[3] == 's',
		.inode = name[0] == '/',
		.name = name,
		.figures = {.virtual_bytes = pages * PAGE},
	};
	return v;
}

static void claim(uint64_t page, uint64_t pages, enum claim_rank rank, enum component component)
{
	claims_add(&claims, BASE + page * PAGE, BASE + (page + pages) * PAGE, rank, component, "x");
}

static void cut(void)
{
	claims_settle(&claims);
	ledger_cut(&smaps, &claims, true, &pieces);
}

/* "component:pages ..." of all pieces. */
static const char *shape(void)
{
	static char text[1024];
	text[0] = 0;
	for (size_t i = 0; i < pieces.count; i++) {
		const struct piece *p = &pieces.list[i];
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s:%d", i ? " " : "", component_id(p->component),
			(int)((p->end - p->start) / PAGE));
	}
	return text;
}

static void setup(void)
{
	smaps.count = 0;
	claims = (struct claims){0};
}

static void teardown(void)
{
	claims_free(&claims);
	pieces_free(&pieces);
}

START_TEST(told_by_nature)
{
	map(0, 1, "r--p", "/bin/a");
	map(1, 2, "r-xp", "/bin/a");
	map(3, 1, "rw-p", "/bin/a");
	map(10, 4, "rw-p", "[heap]");
	map(20, 8, "rw-s", "/dev/zero (deleted)");
	map(30, 1, "---p", "");
	map(31, 4, "rw-p", "");
	map(40, 2, "r--s", "/dev/shm/heapray.0/17.1795573061366978316.seg");
	map(50, 2, "rw-p", "[stack]");
	map(60, 1, "r-xp", "[vdso]");
	cut();
	ck_assert_str_eq(shape(), "file:1 text:2 file:1 allocator:4 nginx_shm:8 reserved:1 unexplained:4 heapray:2 stacks:2 kernel:1");
}
END_TEST

START_TEST(a_claim_in_the_middle)
{
	map(0, 10, "rw-p", "");
	claim(3, 2, RANK_LUAJIT, C_LUAJIT_HTTP);
	cut();
	ck_assert_str_eq(shape(), "unexplained:3 luajit_http:2 unexplained:5");
}
END_TEST

/* zones and files are told by their nature, then LuaJIT, direct mmaps, stacks, heapray, the allocator. */
START_TEST(the_order_of_owners)
{
	map(0, 60, "rw-p", "");
	claim(0, 60, RANK_ALLOCATOR, C_ALLOCATOR);
	claim(0, 50, RANK_HEAPRAY, C_HEAPRAY);
	claim(0, 40, RANK_STACK, C_STACKS);
	claim(0, 30, RANK_DIRECT, C_MMAP);
	claim(0, 20, RANK_LUAJIT, C_LUAJIT_OTHER);
	cut();
	ck_assert_str_eq(shape(), "luajit_other:20 mmap:10 stacks:10 heapray:10 allocator:10");
}
END_TEST

START_TEST(claims_touch_no_file)
{
	map(0, 10, "rw-p", "/tmp/data");
	claim(0, 10, RANK_LUAJIT, C_LUAJIT_HTTP);
	cut();
	ck_assert_str_eq(shape(), "file:10");
}
END_TEST

START_TEST(a_claim_over_two_mappings_and_a_hole)
{
	map(0, 2, "rw-p", "");
	map(4, 2, "rw-p", "");
	claim(1, 4, RANK_DIRECT, C_MMAP);
	cut();
	ck_assert_str_eq(shape(), "unexplained:1 mmap:1 mmap:1 unexplained:1");
}
END_TEST

START_TEST(claims_of_one_rank_that_overlap)
{
	map(0, 10, "rw-p", "");
	claim(2, 4, RANK_DIRECT, C_MMAP);
	claim(4, 4, RANK_DIRECT, C_LUAJIT_OTHER);
	claim(5, 1, RANK_DIRECT, C_STACKS);
	cut();
	ck_assert_str_eq(shape(), "unexplained:2 mmap:4 luajit_other:2 unexplained:2");
}
END_TEST

START_TEST(nonsense_claims)
{
	map(0, 2, "rw-p", "");
	claims_add(&claims, BASE + PAGE, BASE, RANK_DIRECT, C_MMAP, "x");
	claims_add(&claims, 5, 5, RANK_DIRECT, C_MMAP, "x");
	claims_add(&claims, 0, UINT64_MAX, RANK_DIRECT, C_MMAP, "x");
	claims_add(&claims, UINT64_MAX - 1, UINT64_MAX, RANK_DIRECT, C_MMAP, "x");
	cut();
	ck_assert_str_eq(shape(), "unexplained:2");
}
END_TEST

START_TEST(a_live_block_names_its_memory)
{
	map(0, 10, "rw-p", "");
	map(20, 10, "rw-p", "");
	claim(4, 2, RANK_STACK, C_STACKS);
	cut();
	ck_assert_uint_eq(pieces.claimable, 3);
	ck_assert_uint_eq(ledger_block(&pieces, BASE + 5 * PAGE), 3); /* in the stack: not its own */
	ck_assert_uint_eq(ledger_block(&pieces, BASE + 15 * PAGE), 3); /* nowhere */
	ck_assert_uint_eq(ledger_block(&pieces, 0), 3);
	ck_assert_uint_eq(ledger_block(&pieces, UINT64_MAX), 3);
	ck_assert_uint_eq(ledger_block(&pieces, BASE + 7 * PAGE + 16), 2);
	ck_assert_uint_eq(ledger_block(&pieces, BASE + 7 * PAGE + 32), 2);
	ck_assert_str_eq(shape(), "unexplained:4 stacks:2 allocator:4 unexplained:10");
}
END_TEST

START_TEST(the_loader_lies_beside_files)
{
	map(0, 3, "rw-p", "");
	map(3, 2, "r--p", "/lib/libc.so.6");
	map(5, 20, "rw-p", "");
	map(40, 3, "rw-p", "");
	cut();
	ledger_rest(&pieces, NULL);
	ck_assert_str_eq(shape(), "file:3 file:2 unexplained:20 unexplained:3");
	pieces_free(&pieces);
	cut();
	ledger_rest(&pieces, "anonymous maps");
	ck_assert_str_eq(shape(), "file:3 file:2 allocator:20 allocator:3");
}
END_TEST

START_TEST(shared_memory_of_no_nginx_is_a_direct_mmap)
{
	map(0, 3, "rw-s", "/dev/zero (deleted)");
	claims_settle(&claims);
	ledger_cut(&smaps, &claims, false, &pieces);
	ck_assert_str_eq(shape(), "mmap:3");
}
END_TEST

/* Whatever is claimed: pieces cover each mapping once, in order, and their figures sum to the mapping's. */
START_TEST(it_always_adds_up)
{
	const struct pagemap none = {.fd = -1};
	srand((unsigned)_i);
	uint64_t page = 0;
	while (smaps.count < 12) {
		const uint64_t pages = 1 + (uint64_t)rand() % 40;
		struct vma *v = map(page, pages, rand() % 4 ? "rw-p" : "---p", rand() % 5 ? "" : "/tmp/f");
		v->figures.resident_bytes = (uint64_t)rand() % (pages + 1) * PAGE;
		v->figures.pss_bytes = v->figures.resident_bytes / 3;
		v->figures.swap_bytes = (uint64_t)rand() % (pages + 1) * PAGE;
		v->figures.swap_pss_bytes = v->figures.swap_bytes / 2;
		page += pages + (uint64_t)rand() % 3;
	}
	for (int i = 0; i < 60; i++)
		claim((uint64_t)rand() % page, 1 + (uint64_t)rand() % 30, (enum claim_rank)(rand() % RANK_COUNT), (enum component)(rand() % C_RESERVED));
	cut();
	ledger_measure(&pieces, &none);
	size_t next = 0;
	for (size_t i = 0; i < smaps.count; i++) {
		struct usage sum = {0};
		uint64_t at = vmas[i].start;
		for (; next < pieces.count && pieces.list[next].vma == &vmas[i]; next++) {
			const struct piece *p = &pieces.list[next];
			ck_assert_uint_eq(p->start, at);
			ck_assert_uint_lt(p->start, p->end);
			ck_assert_uint_le(p->figures.resident_bytes, p->end - p->start);
			at = p->end;
			usage_add(&sum, &p->figures);
		}
		ck_assert_uint_eq(at, vmas[i].end);
		ck_assert_mem_eq(&sum, &vmas[i].figures, sizeof sum);
	}
	ck_assert_uint_eq(next, pieces.count);
}
END_TEST

START_TEST(split_takes_the_measured_where_it_can)
{
	uint64_t sizes[] = {10, 20, 30}, measured[] = {10, 5, 25};
	split_exactly(40, sizes, measured, 3, 2);
	ck_assert(measured[0] == 10 && measured[1] == 5 && measured[2] == 25);
	split_exactly(60, sizes, measured, 3, 2); /* all of it */
	ck_assert(measured[0] == 10 && measured[1] == 20 && measured[2] == 30);
	split_exactly(0, sizes, measured, 3, 2);
	ck_assert(measured[0] == 0 && measured[1] == 0 && measured[2] == 0);
	measured[0] = 1000; /* above its size, and above what there is */
	split_exactly(12, sizes, measured, 3, 2);
	ck_assert(measured[0] == 10 && measured[1] == 0 && measured[2] == 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ledger_cut");
	TCase *tests = tcase_create("ledger_cut");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, told_by_nature);
	tcase_add_test(tests, a_claim_in_the_middle);
	tcase_add_test(tests, the_order_of_owners);
	tcase_add_test(tests, claims_touch_no_file);
	tcase_add_test(tests, a_claim_over_two_mappings_and_a_hole);
	tcase_add_test(tests, claims_of_one_rank_that_overlap);
	tcase_add_test(tests, nonsense_claims);
	tcase_add_test(tests, a_live_block_names_its_memory);
	tcase_add_test(tests, the_loader_lies_beside_files);
	tcase_add_test(tests, shared_memory_of_no_nginx_is_a_direct_mmap);
	tcase_add_loop_test(tests, it_always_adds_up, 0, 300);
	tcase_add_test(tests, split_takes_the_measured_where_it_can);
	suite_add_tcase(suite, tests);
	return run_suite(suite) != 0;
}
