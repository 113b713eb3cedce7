/* SPDX-License-Identifier: BSD-2-Clause */
/* test_report_segment.c - the reader takes what is well formed and refuses, whole, what is not. */
#include "segment.h"

#include "segment_writer.h"
#include "xalloc.h"
#include "run_suite.h"

#include <byteswap.h>
#include <check.h>
#include <sys/stat.h>

static char directory[] = "/tmp/heapray-test.XXXXXX", path[256], said[8192];

/* Damages the header of a written file: sets one field. */
#define DAMAGE(field, value)                                                                                     \
	do {                                                                                                     \
		struct hr_header h_;                                                                             \
		const int fd_ = open(path, O_RDWR);                                                              \
		ck_assert(pread(fd_, &h_, sizeof(h_), 0) == sizeof(h_));                                         \
		h_.field = (value);                                                                              \
		ck_assert(pwrite(fd_, &h_, sizeof(h_), 0) == sizeof(h_));                                        \
		close(fd_);                                                                                      \
	} while (0)

static void write_example(struct writer *w)
{
	writer_begin(w, 4711);
	const uint32_t module = writer_module(w, "/bin/example", 0x1000);
	const uint32_t outer = writer_node(w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x2000, module);
	const uint32_t inner = writer_node(w, outer, HR_NODE_NATIVE, 0x3000, module);
	writer_site(w, inner, 0, 500, 100);
	writer_site(w, outer, 1, 4096, 0);
}

/* The segment, read with what it prints caught in `said`; NULL when it is refused. */
static struct segment *read_it(void)
{
	FILE *capture = tmpfile();
	const int before = dup(STDERR_FILENO), fd = open(path, O_RDONLY);

	fflush(stderr);
	dup2(fileno(capture), STDERR_FILENO);
	struct segment *segment = segment_read_header(fd, path, false);
	if (segment && segment_read_rows(segment, fd) != 0) {
		segment_free(segment);
		segment = NULL;
	}
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
	close(fd);
	rewind(capture);
	said[fread(said, 1, sizeof(said) - 1, capture)] = '\0';
	fclose(capture);
	return segment;
}

static void make_example(void)
{
	struct writer w;

	write_example(&w);
	writer_save(&w, directory, path);
	writer_end(&w);
}

/* It is refused, with `reason` in one line that begins with our name, and one line on what to try. */
static void assert_refused(const char *reason)
{
	ck_assert_ptr_null(read_it());
	ck_assert_msg(strncmp(said, "heapray: /", 10) == 0, "%s", said);
	ck_assert_msg(strstr(said, reason) != NULL, "%s", said);
	const char *line = strchr(said, '\n');
	ck_assert(line && line[1]);
}

START_TEST(reads_what_was_written)
{
	make_example();
	struct segment *s = read_it();

	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->site_count, 3);
	ck_assert_uint_eq(s->sites[1].allocated_bytes, 500);
	ck_assert_uint_eq(s->nodes[s->sites[1].node].value, 0x3000);
	ck_assert_str_eq(segment_string(s, s->modules[1].path), "/bin/example");
	ck_assert_str_eq(segment_string(s, s->header.allocator_name), "glibc");
	ck_assert_str_eq(segment_domain_name(s, 1), "mmap");
	segment_free(s);
}
END_TEST

START_TEST(a_shorter_row_of_an_older_writer_is_filled_with_zero)
{
	struct writer w;

	write_example(&w);
	struct hr_domain *d = (struct hr_domain *)w.bytes[HR_DOMAINS];
	d[0].live_bytes = 77;
	writer_save(&w, directory, path);
	/* Rows of 32 bytes: the second begins where the first one's live_bytes lie. */
	DAMAGE(sections[HR_DOMAINS].stride, 32);
	struct segment *s = read_it();
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->domains[0].live_bytes, 77);
	ck_assert_uint_eq(s->domains[0].live_count, 0);
	ck_assert_uint_eq(s->domains[0].created_ns, 0);
	segment_free(s);
	writer_end(&w);
}
END_TEST

START_TEST(refuses_another_magic)
{
	make_example();
	DAMAGE(magic, 0x1234);
	assert_refused("not a segment");
}
END_TEST

START_TEST(refuses_the_other_byte_order)
{
	make_example();
	DAMAGE(magic, bswap_64(HR_MAGIC));
	assert_refused("byte order");
}
END_TEST

START_TEST(says_what_to_do_about_another_version)
{
	make_example();
	DAMAGE(version, HR_VERSION + 1);
	assert_refused("version 2, this heapray reads version 1");
	ck_assert_ptr_nonnull(strstr(said, "libheapray.so that wrote it"));
}
END_TEST

START_TEST(refuses_every_truncation)
{
	struct stat st;

	make_example();
	ck_assert_int_eq(stat(path, &st), 0);
	for (off_t size = 0; size < st.st_size; size += 1021) {
		make_example();
		ck_assert_int_eq(truncate(path, size), 0);
		assert_refused("truncated");
	}
}
END_TEST

START_TEST(refuses_sections_outside_the_file)
{
	make_example();
	DAMAGE(sections[HR_SITES].offset, 1ull << 40);
	assert_refused("section 2: outside the file");
	make_example();
	DAMAGE(sections[HR_SITES].offset, UINT64_MAX - 8);
	assert_refused("section 2: outside the file");
	make_example();
	DAMAGE(sections[HR_SITES].offset, h_.file_size - 8); /* begins in it, ends behind it */
	assert_refused("section 2: outside the file");
	make_example();
	DAMAGE(sections[HR_SITES].offset, 64);
	assert_refused("section 2: outside the file");
}
END_TEST

START_TEST(refuses_counts_that_overflow)
{
	make_example();
	DAMAGE(sections[HR_NODES].capacity, UINT64_MAX);
	DAMAGE(sections[HR_NODES].used, 1ull << 60);
	assert_refused("section 1: impossible number of rows");
	make_example();
	DAMAGE(sections[HR_NODES].used, 1000);
	assert_refused("section 1: more rows than it can hold");
	make_example();
	DAMAGE(sections[HR_NODES].stride, 0);
	assert_refused("section 1: impossible stride");
}
END_TEST

START_TEST(refuses_indices_that_lead_nowhere)
{
	struct writer w;

	for (int fault = 0; fault < 5; fault++) {
		write_example(&w);
		struct hr_node *nodes = (struct hr_node *)w.bytes[HR_NODES];
		struct hr_site *sites = (struct hr_site *)w.bytes[HR_SITES];
		if (fault == 0)
			nodes[HR_ROOT_COUNT].parent = HR_ROOT_COUNT; /* its own parent */
		else if (fault == 1)
			nodes[HR_ROOT_COUNT].module = 999;
		else if (fault == 2)
			nodes[HR_ROOT_COUNT].kind = 17;
		else if (fault == 3)
			sites[1].node = 999;
		else
			sites[1].domain = 999;
		writer_save(&w, directory, path);
		writer_end(&w);
		assert_refused(fault < 3 ? "scribbled: node 6" : "scribbled: site 1");
	}
}
END_TEST

START_TEST(refuses_a_stack_without_end)
{
	struct writer w;

	write_example(&w);
	uint32_t at = HR_ROOT_COUNT;
	for (int i = 0; i < 100000; i++)
		at = writer_node(&w, at, HR_NODE_NATIVE, i, 0);
	writer_save(&w, directory, path);
	writer_end(&w);
	assert_refused("too deep");
}
END_TEST

START_TEST(strings_end_within_their_section)
{
	struct writer w;

	write_example(&w);
	writer_save(&w, directory, path);
	struct segment *s = read_it();
	ck_assert_ptr_null(segment_string(s, (struct hr_str){1, UINT32_MAX}));
	ck_assert_ptr_null(segment_string(s, (struct hr_str){UINT32_MAX, UINT32_MAX}));
	ck_assert_ptr_null(segment_string(s, (struct hr_str){1, 3})); /* no NUL there */
	ck_assert_ptr_null(segment_string(s, (struct hr_str){0, 0}));
	ck_assert_ptr_null(segment_string_at(s, 1ull << 40));
	segment_free(s);
	writer_end(&w);
}
END_TEST

/* Any bytes: refused or read, never a crash. Seeds are fixed, so a failure can be had again. */
START_TEST(survives_scribbling)
{
	struct stat st;

	srandom(_i);
	make_example();
	ck_assert_int_eq(stat(path, &st), 0);
	const int fd = open(path, O_RDWR);
	for (int i = 0; i < 40; i++) {
		const uint64_t junk = (uint64_t)random() << 33 ^ random();
		const off_t limit = i % 2 ? 1024 : st.st_size - 8;
		ck_assert(pwrite(fd, &junk, 1 + random() % 8, random() % limit) > 0);
		segment_free(read_it());
		if (random() % 4 == 0)
			make_example();
	}
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report/segment");
	TCase *t = tcase_create("segment");

	if (!mkdtemp(directory))
		return 1;
	suite_add_tcase(suite, t);
	tcase_add_test(t, reads_what_was_written);
	tcase_add_test(t, a_shorter_row_of_an_older_writer_is_filled_with_zero);
	tcase_add_test(t, refuses_another_magic);
	tcase_add_test(t, refuses_the_other_byte_order);
	tcase_add_test(t, says_what_to_do_about_another_version);
	tcase_add_test(t, refuses_every_truncation);
	tcase_add_test(t, refuses_sections_outside_the_file);
	tcase_add_test(t, refuses_counts_that_overflow);
	tcase_add_test(t, refuses_indices_that_lead_nowhere);
	tcase_add_test(t, refuses_a_stack_without_end);
	tcase_add_test(t, strings_end_within_their_section);
	tcase_add_loop_test(t, survives_scribbling, 0, 25);
	const int failed = run_suite(suite);
	unlink(path);
	make_example(); /* its path, which the forked tests had and we did not */
	unlink(path);
	rmdir(directory);
	return failed != 0;
}
