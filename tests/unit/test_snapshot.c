/* SPDX-License-Identifier: BSD-2-Clause */
/* test_snapshot.c - a snapshot's container and its symbols; what is damaged is refused, not believed. */
#include "gzip.h"
#include "snapshot.h"
#include "snapshot_symbols.h"
#include "text.h"
#include "xalloc.h"
#include "run_suite.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/heapray-unit.XXXXXX";

static void set_up(void)
{
	strcpy(path + strlen(path) - 6, "XXXXXX");
	const int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr)); /* the refusals are said, and not of interest here */
}

static void tear_down(void)
{
	unlink(path);
}

static void write_file(const void *bytes, size_t length)
{
	FILE *file = fopen(path, "w");
	ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
	fclose(file);
}

/* A packed file of this text; returns how opening it ends. */
static int opens(const char *text)
{
	struct family family;
	size_t length;
	void *packed = gzip_pack(text, strlen(text), &length);

	write_file(packed, length);
	free(packed);
	const int result = snapshot_open(path, false, &family);
	if (result == 0)
		family_close(&family);
	return result;
}

/* ---- gzip ---------------------------------------------------------------------------------- */

START_TEST(bytes_come_back)
{
	const size_t size = 5000000;
	char *bytes = xcalloc(size, 1);
	size_t packed_length, length;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * i >> 7);
	void *packed = gzip_pack(bytes, size, &packed_length);
	ck_assert(gzip_is(packed, packed_length));
	char *back = gzip_unpack(packed, packed_length, size, &length);
	ck_assert_ptr_nonnull(back);
	ck_assert_uint_eq(length, size);
	ck_assert_int_eq(memcmp(back, bytes, size), 0);
	ck_assert_ptr_null(gzip_unpack(packed, packed_length, size - 1, &length)); /* longer than allowed */
	ck_assert_ptr_null(gzip_unpack(packed, packed_length - 9, size, &length)); /* cut off */
	((char *)packed)[packed_length / 2] ^= 1;
	ck_assert_ptr_null(gzip_unpack(packed, packed_length, size, &length)); /* a bit flipped */
	free(packed);
	free(back);
	free(bytes);
}
END_TEST

START_TEST(nothing_packs_too)
{
	size_t packed_length, length;
	void *packed = gzip_pack("", 0, &packed_length);
	char *back = gzip_unpack(packed, packed_length, 10, &length);
	ck_assert_ptr_nonnull(back);
	ck_assert_uint_eq(length, 0);
	free(packed);
	free(back);
}
END_TEST

/* ---- the container ------------------------------------------------------------------------- */

#define FAMILY "{\"members\":[{\"pid\":12,\"parent_pid\":1,\"role\":0,\"parent\":-1,\"exe\":\"/bin/x\"}]}"

START_TEST(smallest_snapshot_opens)
{
	char text[400];
	snprintf(text, sizeof(text), "heapray snapshot 1\nfamily\t%zu\n%s\n", strlen(FAMILY), FAMILY);
	ck_assert_int_eq(opens(text), 0);
}
END_TEST

START_TEST(other_versions_and_files_are_refused)
{
	ck_assert_int_eq(opens(""), -1);
	ck_assert_int_eq(opens("heapray snapshot 2\n"), -1);
	ck_assert_int_eq(opens("heapray snapshot 1\n"), -1);
	write_file("\x1f\x8b garbage", 10);
	struct family family;
	ck_assert(snapshot_is(path));
	ck_assert_int_eq(snapshot_open(path, false, &family), -1);
}
END_TEST

START_TEST(lengths_that_lie_are_refused)
{
	ck_assert_int_eq(opens("heapray snapshot 1\nfamily\t99999\n{}\n"), -1);
	ck_assert_int_eq(opens("heapray snapshot 1\nfamily\t18446744073709551615\n{}\n"), -1);
	ck_assert_int_eq(opens("heapray snapshot 1\nfamily\t-1\n{}\n"), -1);
	ck_assert_int_eq(opens("heapray snapshot 1\nfamily\t1\n{}\n"), -1);
	ck_assert_int_eq(opens("heapray snapshot 1\nfamily"), -1);
}
END_TEST

START_TEST(members_that_lie_are_tamed)
{
	static const char family_text[] = "{\"members\":[{\"pid\":12,\"role\":77,\"parent\":5,\"exe\":7}]}";
	char text[400];
	struct family family;
	size_t length;
	snprintf(text, sizeof(text), "heapray snapshot 1\nfamily\t%zu\n%s\n", strlen(family_text), family_text);
	void *packed = gzip_pack(text, strlen(text), &length);
	write_file(packed, length);
	free(packed);
	ck_assert_int_eq(snapshot_open(path, false, &family), 0);
	ck_assert_uint_eq(family.members[0].parent, SIZE_MAX);
	ck_assert_uint_eq(family.members[0].role, HR_ROLE_PROCESS);
	ck_assert_str_eq(family.members[0].exe, "");
	ck_assert(!family.members[0].alive);
	family_close(&family);
}
END_TEST

START_TEST(segment_in_it_is_checked_like_any)
{
	char text[600];
	struct family family;
	size_t length;
	snprintf(text, sizeof(text), "heapray snapshot 1\nfamily\t%zu\n%s\nsegment 0\t7\ngarbage\n", strlen(FAMILY), FAMILY);
	void *packed = gzip_pack(text, strlen(text), &length);
	write_file(packed, length);
	free(packed);
	ck_assert_int_eq(snapshot_open(path, false, &family), 0);
	ck_assert_ptr_null(family.members[0].segment);
	family_close(&family);
}
END_TEST

/* ---- symbols ------------------------------------------------------------------------------- */

static const uint8_t id[4] = {0xde, 0xad, 0xbe, 0xef};

START_TEST(symbols_are_found_by_module_build_and_offset)
{
	struct snapshot_symbols *s = snapshot_symbols_parse(xstrdup("M\tdeadbeef\t/bin/x\n"
								     "A\t20\nF\t7\tb.c\tinner\nF\t9\tb.c\touter\n"
								     "A\t10\nF\t3\ta.c\tfirst one\n"
								     "A\t30\nF\t0\t-\t-\n"
								     "C\tx!fn@0x5\n"
								     "M\t-\t/bin/y\nA\t10\nF\t1\ty.c\ty\n"));
	const struct symbol *found;
	ck_assert_uint_eq(snapshot_symbols_lookup(s, "/bin/x", id, 4, 0x20, &found), 2);
	ck_assert_str_eq(found[0].function, "inner");
	ck_assert_str_eq(found[1].function, "outer");
	ck_assert_uint_eq(found[1].line, 9);
	ck_assert_uint_eq(snapshot_symbols_lookup(s, "/bin/x", id, 4, 0x10, &found), 1);
	ck_assert_str_eq(found[0].function, "first one");
	ck_assert_uint_eq(snapshot_symbols_lookup(s, "/bin/x", id, 4, 0x30, &found), 1);
	ck_assert_ptr_null(found[0].function);
	ck_assert_uint_eq(snapshot_symbols_lookup(s, "/bin/x", id, 3, 0x10, &found), 0); /* another build */
	ck_assert_uint_eq(snapshot_symbols_lookup(s, "/bin/x", id, 4, 0x11, &found), 0);
	ck_assert_uint_eq(snapshot_symbols_lookup(s, "/bin/y", NULL, 0, 0x10, &found), 1);
	ck_assert(snapshot_symbols_is_callee(s, "/bin/x", "x!fn@0x5"));
	ck_assert(!snapshot_symbols_is_callee(s, "/bin/y", "x!fn@0x5"));
	snapshot_symbols_free(s);
}
END_TEST

START_TEST(malformed_symbols_are_left_out)
{
	struct snapshot_symbols *s = snapshot_symbols_parse(xstrdup("F\t1\ta\tb\nA\t10\nC\tx\nM\tx\n\nnoise\nM\t-\t/bin/z\nF\t1\ta\tb\nA\t10\nF\t1\n"));
	const struct symbol *found;
	ck_assert_uint_eq(snapshot_symbols_lookup(s, "/bin/z", NULL, 0, 0x10, &found), 0);
	snapshot_symbols_free(s);
}
END_TEST

START_TEST(symbols_of_several_are_one)
{
	struct snapshot_symbols *a = snapshot_symbols_parse(xstrdup("M\t-\t/bin/x\nA\t10\nF\t1\ta.c\ta\n"));
	struct snapshot_symbols *b = snapshot_symbols_parse(xstrdup("M\t-\t/bin/x\nA\t20\nF\t2\tb.c\tb\n"));
	const struct symbol *found;
	snapshot_symbols_merge(a, b);
	ck_assert_uint_eq(snapshot_symbols_lookup(a, "/bin/x", NULL, 0, 0x10, &found), 1);
	ck_assert_uint_eq(snapshot_symbols_lookup(a, "/bin/x", NULL, 0, 0x20, &found), 1);
	ck_assert_str_eq(found[0].function, "b");
	snapshot_symbols_free(a);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot");
	TCase *tests = tcase_create("snapshot");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, bytes_come_back);
	tcase_add_test(tests, nothing_packs_too);
	tcase_add_test(tests, smallest_snapshot_opens);
	tcase_add_test(tests, other_versions_and_files_are_refused);
	tcase_add_test(tests, lengths_that_lie_are_refused);
	tcase_add_test(tests, members_that_lie_are_tamed);
	tcase_add_test(tests, segment_in_it_is_checked_like_any);
	tcase_add_test(tests, symbols_are_found_by_module_build_and_offset);
	tcase_add_test(tests, malformed_symbols_are_left_out);
	tcase_add_test(tests, symbols_of_several_are_one);
	suite_add_tcase(suite, tests);
	return run_suite(suite) != 0;
}
