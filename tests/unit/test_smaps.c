/* SPDX-License-Identifier: BSD-2-Clause */
/* test_smaps.c - what the kernel writes, and what nobody should. */
#include "smaps.h"
#include "run_suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANON "7f0000000000-7f0000004000 rw-p 00000000 00:00 0 \n"
#define PAGES(rss, pss, swap)                                                                                     \
	"Size:                 16 kB\nRss:  " #rss " kB\nPss:  " #pss " kB\nSwap:  " #swap " kB\nSwapPss:  " #swap    \
	" kB\nVmFlags: rd wr mr \n"

static int parse(struct smaps *smaps, const char *text)
{
	return smaps_parse(smaps, strdup(text), strlen(text));
}

START_TEST(fields_of_a_mapping)
{
	struct smaps s;
	ck_assert_int_eq(parse(&s, "559100000000-559100003000 r-xs 0001f000 fe:01 4711        /usr/bin/a b: c\n"
	                           "Rss: 8 kB\nPss: 4 kB\nSwap: 0 kB\nTHPeligible:    0\n"), 0);
	ck_assert_uint_eq(s.count, 1);
	const struct vma *v = &s.vmas[0];
	ck_assert_uint_eq(v->start, 0x559100000000);
	ck_assert_uint_eq(v->end, 0x559100003000);
	ck_assert(v->readable && !v->writable && v->executable && v->shared);
	ck_assert_uint_eq(v->offset, 0x1f000);
	ck_assert_uint_eq(v->device_major, 0xfe);
	ck_assert_uint_eq(v->device_minor, 1);
	ck_assert_uint_eq(v->inode, 4711);
	ck_assert_str_eq(v->name, "/usr/bin/a b: c");
	ck_assert_uint_eq(v->figures.virtual_bytes, 0x3000);
	ck_assert_uint_eq(v->figures.resident_bytes, 8192);
	ck_assert_uint_eq(v->figures.pss_bytes, 4096);
	smaps_free(&s);
}
END_TEST

START_TEST(vsyscall_is_left_out)
{
	struct smaps s;
	ck_assert_int_eq(parse(&s, ANON PAGES(8, 4, 0) "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0     [vsyscall]\n"
	                                               "Rss: 0 kB\n"), 0);
	ck_assert_uint_eq(s.count, 1);
	ck_assert_uint_eq(s.total.virtual_bytes, 0x4000);
	smaps_free(&s);
}
END_TEST

START_TEST(total_is_the_sum)
{
	struct smaps s;
	ck_assert_int_eq(parse(&s, ANON PAGES(8, 4, 4) "7f0000004000-7f0000008000 ---p 00000000 00:00 0 \n" PAGES(12, 12, 0)), 0);
	ck_assert_uint_eq(s.total.resident_bytes, 20480);
	ck_assert_uint_eq(s.total.pss_bytes, 16384);
	ck_assert_uint_eq(s.total.swap_bytes, 4096);
	ck_assert_uint_eq(s.total.virtual_bytes, 0x8000);
	smaps_free(&s);
}
END_TEST

START_TEST(a_name_that_looks_like_figures)
{
	struct smaps s;
	ck_assert_int_eq(parse(&s, "7f0000000000-7f0000004000 rw-p 00000000 fe:00 5   /tmp/Rss: 999 kB\\012Rss: 9 kB (deleted)\n"
	                           PAGES(4, 4, 0)), 0);
	ck_assert_uint_eq(s.vmas[0].figures.resident_bytes, 4096);
	ck_assert_str_eq(s.vmas[0].name, "/tmp/Rss: 999 kB\\012Rss: 9 kB (deleted)");
	smaps_free(&s);
}
END_TEST

/* Each is refused as a whole: half a ledger would not add up. */
static const char *const bad[] = {
	ANON "Rss: 8 kB\nPss: 4",                                              /* cut short */
	"Rss: 8 kB\n",                                                          /* figures of nothing */
	ANON "Rss: -8 kB\n", ANON "Rss: 8\n", ANON "Rss: 99999999999999999999 kB\n", ANON "Rss: 18014398509481984 kB\n",
	ANON PAGES(20, 4, 0),                                                   /* more resident than there is */
	ANON PAGES(8, 12, 0),                                                   /* Pss above Rss */
	"7f0000004000-7f0000000000 rw-p 00000000 00:00 0 \n",                   /* backwards */
	"7f0000004000-7f0000004000 rw-p 00000000 00:00 0 \n",                   /* empty */
	ANON "7f0000003000-7f0000008000 rw-p 00000000 00:00 0 \n",              /* overlap */
	ANON "7e0000000000-7e0000001000 rw-p 00000000 00:00 0 \n",              /* out of order */
	"1ffffffffffffffff-2ffffffffffffffff rw-p 00000000 00:00 0 \nRss: 0 kB\n", /* no address */
};

START_TEST(impossible_text_is_refused)
{
	struct smaps s;
	ck_assert_int_eq(parse(&s, bad[_i]), -1);
}
END_TEST

/* Whatever the bytes: no crash, and what is accepted is ordered, disjoint, and sums. */
START_TEST(scribbled_text)
{
	size_t length, accepted = 0;
	char *real = proc_read("/proc/self/smaps", &length);
	ck_assert_ptr_nonnull(real);
	real[16000] = 0; /* some mappings are enough */
	length = (size_t)(strrchr(real, '\n') + 1 - real);
	srand(1);
	for (int round = 0; round < 3000; round++) {
		char *text = malloc(length + 1);
		memcpy(text, real, length + 1);
		for (int n = rand() % 4; n >= 0; n--)
			text[(size_t)rand() % length] = (char)rand();
		size_t cut = rand() % 4 ? length : (size_t)rand() % length;
		struct smaps s;
		if (smaps_parse(&s, text, cut))
			continue;
		accepted++;
		struct usage sum = {0};
		for (size_t i = 0; i < s.count; i++) {
			ck_assert(s.vmas[i].start < s.vmas[i].end);
			ck_assert(i == 0 || s.vmas[i - 1].end <= s.vmas[i].start);
			ck_assert(s.vmas[i].figures.resident_bytes <= s.vmas[i].figures.virtual_bytes);
			usage_add(&sum, &s.vmas[i].figures);
		}
		ck_assert_mem_eq(&sum, &s.total, sizeof sum);
		smaps_free(&s);
	}
	ck_assert_uint_gt(accepted, 100);
	free(real);
}
END_TEST

START_TEST(own_process)
{
	struct smaps s;
	int local = 0;
	ck_assert_int_eq(smaps_read(getpid(), &s), 0);
	const struct vma *stack = smaps_find(&s, (uint64_t)(uintptr_t)&local);
	ck_assert_ptr_nonnull(stack);
	ck_assert_str_eq(stack->name, "[stack]");
	ck_assert(vma_is_anonymous(stack));
	ck_assert_ptr_null(smaps_find(&s, 1));
	ck_assert_ptr_null(smaps_find(&s, UINT64_MAX));
	smaps_free(&s);
}
END_TEST

START_TEST(no_such_process)
{
	struct smaps s;
	ck_assert_int_eq(smaps_read(0x7ffffff0, &s), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("smaps");
	TCase *tests = tcase_create("smaps");
	tcase_add_test(tests, fields_of_a_mapping);
	tcase_add_test(tests, vsyscall_is_left_out);
	tcase_add_test(tests, total_is_the_sum);
	tcase_add_test(tests, a_name_that_looks_like_figures);
	tcase_add_loop_test(tests, impossible_text_is_refused, 0, sizeof bad / sizeof *bad);
	tcase_add_test(tests, scribbled_text);
	tcase_add_test(tests, own_process);
	tcase_add_test(tests, no_such_process);
	suite_add_tcase(suite, tests);
	return run_suite(suite) != 0;
}
