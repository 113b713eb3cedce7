/* SPDX-License-Identifier: BSD-2-Clause */
/* test_report_stacks.c - the report of `heapray stacks`: its JSON, and its time on a big segment. */
#include "stacks.h"

#include "json.h"
#include "segment_writer.h"
#include "xalloc.h"
#include "run_suite.h"

#include <check.h>
#include <time.h>

static char directory[] = "/tmp/heapray-test.XXXXXX";

static struct family family_of(struct writer *w)
{
	static struct process process;
	char path[256];

	writer_save(w, directory, path);
	writer_end(w);
	const int fd = open(path, O_RDONLY);
	process = (struct process){.pid = 1, .exe = "/bin/example", .parent = SIZE_MAX};
	process.segment = segment_read_header(fd, path, false);
	ck_assert_ptr_nonnull(process.segment);
	ck_assert_int_eq(segment_read_rows(process.segment, fd), 0);
	close(fd);
	unlink(path);
	return (struct family){.members = &process, .count = 1};
}

static struct json *report(const struct family *family, const struct stacks_options *options)
{
	char *text, error[200];
	size_t length;
	FILE *out = open_memstream(&text, &length);

	ck_assert_int_eq(stacks_report(family, options, out), 0);
	fclose(out);
	struct json *json = json_parse(text, length, error, sizeof(error));
	ck_assert_msg(json != NULL, "%s", error);
	free(text);
	return json;
}

static int64_t integer(const struct json *object, const char *key)
{
	return json_to_integer(json_get(object, key));
}

START_TEST(json_has_what_the_contract_says)
{
	struct stacks_options options = {.common.json = true};
	struct writer w;

	writer_begin(&w, 1);
	const uint32_t module = writer_module(&w, "/no/such\xff" "file", 0x1000);
	const uint32_t outer = writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x1100, module);
	const uint32_t inner = writer_node(&w, outer, HR_NODE_NATIVE, 0x1200, module);
	writer_site(&w, inner, 0, 500, 100);
	w.header.unknown_frees = 3;
	w.header.lost[HR_LOST_BOOT] = 2;
	w.header.own_private_bytes = 10;
	w.header.own_segment_bytes = 5;
	const struct family family = family_of(&w);
	const struct json *json = report(&family, &options), *total = json_get(json, "total"), *quality = json_get(json, "quality");
	const struct json *row = json_at(json_get(json, "stacks"), 0), *frames = json_get(row, "frames");

	ck_assert_int_eq(integer(json, "schema"), 1);
	ck_assert_int_eq(integer(total, "live_bytes"), 400);
	ck_assert_int_eq(integer(total, "allocated_bytes"), 500);
	ck_assert_int_eq(integer(row, "allocated_count"), 1);
	ck_assert_int_eq(integer(row, "inherited_bytes"), 0);
	ck_assert_str_eq(json_to_string(json_get(row, "domain")), "allocator");
	ck_assert_uint_eq(json_length(frames), 2);
	ck_assert_int_eq(integer(json_at(frames, 0), "offset"), 0x200); /* innermost first */
	ck_assert_str_eq(json_to_string(json_get(json_at(frames, 0), "module")), "/no/such\xef\xbf\xbd" "file");
	ck_assert_int_eq(integer(quality, "unknown_frees"), 3);
	ck_assert_int_eq(integer(quality, "own_bytes"), 15);
	ck_assert_int_eq(integer(json_get(quality, "lost"), "boot"), 2);
	ck_assert_uint_eq(json_length(json_get(quality, "approximate")), 1); /* the file that cannot be read */
}
END_TEST

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now); /* others may be busy */
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* 100,000 sites on stacks of 16 frames over 10,000 addresses of libc, symbols included: a second of processor
 * time, here thrice that for slower machines. */
START_TEST(a_hundred_thousand_sites_take_a_second)
{
	const struct stacks_options options = {.common.json = true};
	struct writer w;

	writer_begin(&w, 1);
	const uint32_t module = writer_module(&w, "/lib/x86_64-linux-gnu/libc.so.6", 0);
	uint32_t parent = HR_ROOT_STACK;
	for (int i = 0; i < 100000; i++) {
		/* Every tenth site starts a new branch 15 deep; the others are leaves of it. */
		if (i % 10 == 0) {
			parent = HR_ROOT_STACK;
			for (int k = 0; k < 15; k++)
				parent = writer_node(&w, parent, HR_NODE_NATIVE, 0x30000 + (i / 10 * 131 + k * 977) % 10000 * 100, module);
		}
		writer_site(&w, writer_node(&w, parent, HR_NODE_NATIVE, 0x30000 + i * 7919ull % 10000 * 100, module), 0, i + 1, 0);
	}
	const struct family family = family_of(&w);
	FILE *out = fopen("/dev/null", "w");
	const double start = seconds();
	ck_assert_int_eq(stacks_report(&family, &options, out), 0);
	const double took = seconds() - start;
	fclose(out);
	printf("100,000 sites: %.2f s\n", took);
	ck_assert(took < 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report/stacks");
	TCase *t = tcase_create("stacks");

	if (!mkdtemp(directory))
		return 1;
	suite_add_tcase(suite, t);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, json_has_what_the_contract_says);
	tcase_add_test(t, a_hundred_thousand_sites_take_a_second);
	const int failed = run_suite(suite);
	rmdir(directory);
	return failed != 0;
}
