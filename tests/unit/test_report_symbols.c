/* SPDX-License-Identifier: BSD-2-Clause */
/* test_report_symbols.c - names of our own functions: from debug information, from a stripped copy. */
#include "readable.h"
#include "symbols.h"

#include "xalloc.h"
#include "run_suite.h"

#include <check.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <link.h>
#include <unistd.h>

static unsigned inlined_line, call_line;
static char self[4096], stripped[] = "/tmp/heapray-test.XXXXXX";

/* Link-time address of something in this executable. */
static uint64_t linked(const void *address)
{
	extern const char __executable_start;

	return (uint64_t)address - (uint64_t)&__executable_start;
}

/* An address inside what is inlined into `caller`. */
static inline __attribute__((always_inline)) const void *here(void)
{
	const void *address;

	enum { LINE = __LINE__ + 1 };
	__asm__ volatile("lea 0(%%rip), %0" : "=r"(address));
	inlined_line = LINE;
	return address;
}

static __attribute__((noinline)) const void *caller(void)
{
	enum { LINE = __LINE__ + 1 };
	const void *address = here();
	call_line = LINE;
	__asm__ volatile("" ::: "memory");
	return address;
}

static struct symbols *open_file(const char *path)
{
	return symbols_open((const char *[]){path, NULL}, NULL, 0);
}

static struct symbol innermost(struct symbols *s, uint64_t address)
{
	const struct symbol *found;

	ck_assert_uint_ge(symbols_lookup(s, address, &found), 1);
	return found[0];
}

START_TEST(inlined_functions_are_frames_with_their_lines)
{
	const struct symbol *found;
	struct symbols *s = open_file(self);
	const size_t count = symbols_lookup(s, linked(caller()) - 1, &found);

	ck_assert_uint_eq(count, 2);
	ck_assert_str_eq(found[0].function, "here");
	ck_assert_str_eq(found[1].function, "caller");
	ck_assert_uint_eq(found[0].line, inlined_line);
	ck_assert_uint_eq(found[1].line, call_line);
	ck_assert_ptr_nonnull(strstr(found[1].file, "test_report_symbols.c"));
	symbols_close(s);
}
END_TEST

START_TEST(a_stripped_function_is_named_by_its_unwind_entry)
{
	struct symbols *s = open_file(stripped);
	const uint64_t start = linked((const void *)caller);
	char *expected = xasprintf("%s!fn@0x%" PRIx64, strrchr(stripped, '/') + 1, start);

	ck_assert_str_eq(innermost(s, start).function, expected);
	ck_assert_str_eq(innermost(s, linked(caller())).function, expected);
	ck_assert_ptr_null(innermost(s, linked(caller())).file);
	symbols_close(s);
	free(expected);
}
END_TEST

START_TEST(exported_names_are_found_in_a_library)
{
	Dl_info info;

	ck_assert_int_ne(dladdr((void *)puts, &info), 0);
	struct symbols *s = open_file(info.dli_fname);
	ck_assert_str_eq(innermost(s, (uint64_t)puts - (uint64_t)info.dli_fbase).function, "puts");
	symbols_close(s);
}
END_TEST

START_TEST(another_build_is_not_used)
{
	const uint8_t id[20] = {1, 2, 3};
	struct symbols *s = symbols_open((const char *[]){self, NULL}, id, sizeof(id));

	ck_assert_int_eq(symbols_state(s), SYMBOLS_REPLACED);
	ck_assert_ptr_null(innermost(s, linked((const void *)caller)).function);
	symbols_close(s);
}
END_TEST

START_TEST(no_file_no_names)
{
	struct symbols *s = open_file("/no/such/file");

	ck_assert_int_eq(symbols_state(s), SYMBOLS_MISSING);
	ck_assert_ptr_null(innermost(s, 0x1000).function);
	symbols_close(s);
	s = open_file("/etc/passwd"); /* no ELF */
	ck_assert_int_eq(symbols_state(s), SYMBOLS_MISSING);
	symbols_close(s);
}
END_TEST

/* ---- unnamed callees ----------------------------------------------------------------------- */

static int many;

static __attribute__((noinline)) int unnamed_leaf(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + many;
}

__attribute__((noinline, visibility("default"))) int exported_wrapper(int n);
int exported_wrapper(int n)
{
	__asm__ volatile("" : "+r"(n));
	return unnamed_leaf(n * 3) + 1;
}

static bool is_exported_wrapper(const char *function, void *context)
{
	(void)context;
	return strcmp(function, "exported_wrapper") == 0;
}

static void count_leaf(const char *function, void *context)
{
	const char *expected = xasprintf("!fn@0x%" PRIx64, linked((const void *)unnamed_leaf));

	*(int *)context += strstr(function, expected) != NULL;
}

START_TEST(what_an_exported_wrapper_calls_is_found_in_a_stripped_file)
{
	int found = 0;
	char *keep = xasprintf("%s.keep", stripped);
	char *command = xasprintf("strip -K exported_wrapper -o %s %s", keep, self);

	many = exported_wrapper(1);
	ck_assert_int_eq(system(command), 0);
	struct symbols *s = open_file(keep);
	symbols_unnamed_callees(s, is_exported_wrapper, count_leaf, &found);
	ck_assert_int_eq(found, 1);
	symbols_close(s);
	unlink(keep);
}
END_TEST

START_TEST(names_of_cxx_and_rust_are_made_readable)
{
	ck_assert_str_eq(readable_name("_Znwm"), "operator new(unsigned long)");
	ck_assert_str_eq(readable_name("_ZN3foo3barEi"), "foo::bar(int)");
	ck_assert_str_eq(readable_name("_RNvC6_123foo3bar"), "123foo::bar");
	ck_assert_str_eq(readable_name("ngx_palloc"), "ngx_palloc");
	ck_assert_str_eq(readable_name("_Zgarbage"), "_Zgarbage");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report/symbols");
	TCase *t = tcase_create("symbols");
	const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length <= 0 || mkstemp(stripped) < 0)
		return 1;
	self[length] = '\0';
	char *command = xasprintf("strip -o %s %s", stripped, self);
	if (system(command) != 0)
		return 1;
	suite_add_tcase(suite, t);
	tcase_add_test(t, inlined_functions_are_frames_with_their_lines);
	tcase_add_test(t, a_stripped_function_is_named_by_its_unwind_entry);
	tcase_add_test(t, exported_names_are_found_in_a_library);
	tcase_add_test(t, another_build_is_not_used);
	tcase_add_test(t, no_file_no_names);
	tcase_add_test(t, what_an_exported_wrapper_calls_is_found_in_a_stripped_file);
	tcase_add_test(t, names_of_cxx_and_rust_are_made_readable);
	const int failed = run_suite(suite);
	unlink(stripped);
	return failed != 0;
}
