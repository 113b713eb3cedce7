/* SPDX-License-Identifier: BSD-2-Clause */
/* test_report_family.c - TARGET to members: ended families, exec, pids used again, what is not a target. */
#include "family.h"

#include "segment_writer.h"
#include "xalloc.h"
#include "run_suite.h"

#include <check.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char directory[] = "/tmp/heapray-test.XXXXXX";

/* Pids that no live process has: beyond the kernel's largest. */
#define PID 900000000u

static char *write_segment(uint64_t pid, uint64_t created, uint64_t parent_pid, uint64_t parent_created)
{
	static char path[256];
	struct writer w;

	writer_begin(&w, pid);
	w.header.created_realtime_ns = created;
	w.header.parent_pid = parent_pid;
	w.header.parent_created_realtime_ns = parent_created;
	writer_site(&w, writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x10, 0), 0, 8, 0);
	writer_save(&w, directory, path);
	writer_end(&w);
	return path;
}

static void empty_directory(void)
{
	char *command = xasprintf("rm -rf %s && mkdir %s", directory, directory);

	ck_assert_int_eq(system(command), 0);
	free(command);
}

static int open_target(const char *target, bool one, struct family *family)
{
	const struct options options = {.target = target, .dir = directory, .one = one};

	return family_open(&options, family);
}

static char *number(uint64_t pid)
{
	return xasprintf("%llu", (unsigned long long)pid);
}

START_TEST(an_ended_family_is_found_by_the_pid_of_its_root)
{
	struct family f;

	write_segment(PID + 1, 1000, 1, 0);
	write_segment(PID + 2, 2000, PID + 1, 1000); /* a child */
	write_segment(PID + 3, 3000, PID + 2, 2000); /* its child */
	write_segment(PID + 4, 4000, PID + 1, 0);    /* a child that did exec */
	write_segment(PID + 5, 5000, PID + 1, 999);  /* child of an older process of that pid */
	ck_assert_int_eq(open_target(number(PID + 1), false, &f), 0);
	ck_assert_uint_eq(f.count, 3);
	ck_assert_int_eq(f.members[0].pid, PID + 1);
	ck_assert_uint_eq(f.members[0].parent, SIZE_MAX);
	ck_assert_uint_eq(f.members[1].parent, 0);
	ck_assert_uint_eq(f.members[2].parent, 1);
	ck_assert(!f.members[0].alive);
	ck_assert_uint_eq(f.members[2].segment->site_count, 2);
	family_close(&f);
	ck_assert_int_eq(open_target(number(PID + 2), false, &f), 0);
	ck_assert_uint_eq(f.count, 2);
	family_close(&f);
	ck_assert_int_eq(open_target(number(PID + 1), true, &f), 0);
	ck_assert_uint_eq(f.count, 1);
	family_close(&f);
}
END_TEST

START_TEST(of_a_pid_used_twice_the_newest_is_taken)
{
	struct family f;

	write_segment(PID + 1, 2000, 1, 0);
	write_segment(PID + 1, 1000, 1, 0);
	ck_assert_int_eq(open_target(number(PID + 1), false, &f), 0);
	ck_assert_uint_eq(f.count, 1);
	ck_assert_uint_eq(f.members[0].segment->header.created_realtime_ns, 2000);
	family_close(&f);
}
END_TEST

START_TEST(a_path_names_its_family_too)
{
	struct family f;

	write_segment(PID + 2, 2000, PID + 1, 1000);
	char *path = xstrdup(write_segment(PID + 1, 1000, 1, 0));
	const struct options options = {.target = path};
	ck_assert_int_eq(family_open(&options, &f), 0);
	ck_assert_uint_eq(f.count, 2);
	ck_assert_int_eq(f.members[0].pid, PID + 1);
	family_close(&f);
}
END_TEST

START_TEST(one_bad_segment_does_not_hide_the_others)
{
	struct family f;
	char *bad = xasprintf("%s/%u.77.seg", directory, PID + 9);
	FILE *file = fopen(bad, "w");

	fputs("nothing of the kind", file);
	fclose(file);
	ck_assert_int_eq(mkfifo(xasprintf("%s/1.1.seg", directory), 0600), 0); /* must not be waited for */
	write_segment(PID + 1, 1000, 1, 0);
	ck_assert_int_eq(open_target(number(PID + 1), false, &f), 0);
	ck_assert_uint_eq(f.count, 1);
	family_close(&f);
	ck_assert_int_eq(open_target(bad, false, &f), -1);
}
END_TEST

START_TEST(what_is_no_target_is_refused)
{
	static const char *const bad[] = {"900000001", "0", "99999999999999999999", "-1", "", "/no/such/file.seg", "/etc", "/dev/zero", "12x"};
	struct family f;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(open_target(bad[i], false, &f) == -1, "%s", bad[i]);
	ck_assert_int_eq(open_target(NULL, false, &f), -1); /* nothing live in our directory */
}
END_TEST

START_TEST(a_process_without_a_segment_is_one_with_what_it_forked)
{
	struct family f;
	const pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	ck_assert_int_eq(open_target(number(getpid()), false, &f), 0);
	ck_assert_uint_ge(f.count, 2);
	ck_assert_ptr_null(f.members[0].segment);
	ck_assert_int_eq(f.members[0].pid, getpid());
	ck_assert(f.members[1].alive);
	ck_assert_uint_eq(f.members[1].parent, 0);
	family_close(&f);
	ck_assert_int_eq(open_target(number(getpid()), true, &f), 0);
	ck_assert_uint_eq(f.count, 1);
	family_close(&f);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report/family");
	TCase *t = tcase_create("family");

	if (!mkdtemp(directory))
		return 1;
	suite_add_tcase(suite, t);
	tcase_add_checked_fixture(t, empty_directory, NULL);
	tcase_add_test(t, an_ended_family_is_found_by_the_pid_of_its_root);
	tcase_add_test(t, of_a_pid_used_twice_the_newest_is_taken);
	tcase_add_test(t, a_path_names_its_family_too);
	tcase_add_test(t, one_bad_segment_does_not_hide_the_others);
	tcase_add_test(t, what_is_no_target_is_refused);
	tcase_add_test(t, a_process_without_a_segment_is_one_with_what_it_forked);
	const int failed = run_suite(suite);
	return system(xasprintf("rm -rf %s", directory)) != 0 || failed != 0;
}
