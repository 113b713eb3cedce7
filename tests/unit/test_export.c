/* SPDX-License-Identifier: BSD-2-Clause */
/* test_export.c - folded stacks, the profile byte by byte, and labels of Prometheus' text. */
#include "export.h"
#include "gzip.h"
#include "segment_writer.h"
#include "xalloc.h"
#include "run_suite.h"

#include <check.h>

static struct quality quality;
static struct family family;

/* A stack of two frames without a module, a Lua line below a name that is hostile, and a remainder below zero. */
static struct model *make(void)
{
	static char directory[] = "/tmp/heapray-test.XXXXXX";
	struct writer w;
	char path[256];

	writer_begin(&w, 1);
	const uint32_t outer = writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x1000, 0);
	writer_site(&w, writer_node(&w, outer, HR_NODE_NATIVE, 0x2000, 0), 0, 300, 100);
	const struct hr_str chunk = writer_string(&w, "@a;b \"c\"\n.lua");
	writer_site(&w, writer_node(&w, outer, HR_NODE_LUA, (uint64_t)chunk.offset << 32 | 12, 0), 0, 50, 0);
	writer_site(&w, HR_ROOT_NOT_SAMPLED, 1, 10, 30);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	writer_save(&w, directory, path);
	const int fd = open(path, O_RDONLY);
	struct segment *s = segment_read_header(fd, path, false);
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(segment_read_rows(s, fd), 0);
	close(fd);
	unlink(path);
	rmdir(directory);
	strcpy(directory, "/tmp/heapray-test.XXXXXX");
	writer_end(&w);
	struct process *p = xcalloc(1, sizeof(*p));
	*p = (struct process){.pid = 1, .exe = "", .segment = s, .parent = SIZE_MAX};
	family = (struct family){.members = p, .count = 1};
	quality_of(&family, &quality);
	return model_build(&family, &quality);
}

START_TEST(a_folded_line_is_the_heap_then_frames_outermost_first)
{
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	export_folded(make(), BY_LIVE, out);
	fclose(out);
	ck_assert_str_eq(text, "allocator;[none]+0x1000;[none]+0x2000 200\nallocator;[none]+0x1000;a:b \"c\"?.lua:12 50\n");
}
END_TEST

/* ---- pprof ------------------------------------------------------------------------------------- */

struct reader {
	const uint8_t *at, *end;
};

static uint64_t varint(struct reader *r)
{
	uint64_t value = 0;

	for (unsigned shift = 0;; shift += 7) {
		ck_assert(r->at < r->end && shift < 64);
		value |= (uint64_t)(*r->at & 127) << shift;
		if (!(*r->at++ & 128))
			return value;
	}
}

/* The next field: its number; *value of an integer, *inside of a message. 0 at the end. */
static unsigned field(struct reader *r, uint64_t *value, struct reader *inside)
{
	if (r->at == r->end)
		return 0;
	const uint64_t tag = varint(r);
	*value = varint(r);
	if ((tag & 7) == 2) {
		ck_assert_uint_le(*value, (uint64_t)(r->end - r->at));
		*inside = (struct reader){r->at, r->at + *value};
		r->at += *value;
	} else {
		ck_assert_uint_eq(tag & 7, 0);
	}
	return (unsigned)(tag >> 3);
}

struct seen {
	uint64_t types, samples, locations, functions, strings, values[4], live_first;
};

static void see_sample(struct reader r, struct seen *seen)
{
	uint64_t value;
	struct reader inside;

	seen->samples++;
	for (unsigned number; (number = field(&r, &value, &inside));) {
		for (size_t i = 0; number == 2 && inside.at < inside.end; i++) {
			ck_assert_uint_lt(i, 4);
			seen->values[i] += varint(&inside);
		}
	}
}

START_TEST(the_profile_has_every_sample_with_its_four_values)
{
	struct seen seen = {0};
	char *packed;
	size_t length, unpacked;
	FILE *out = open_memstream(&packed, &length);

	export_pprof(&family, make(), 1700000000000000000ull, 5, out);
	fclose(out);
	const char *bytes = gzip_unpack(packed, length, 1 << 20, &unpacked);
	ck_assert_ptr_nonnull(bytes);
	struct reader r = {(const uint8_t *)bytes, (const uint8_t *)bytes + unpacked}, inside = {0};
	uint64_t value, taken = 0;
	for (unsigned number; (number = field(&r, &value, &inside));) {
		seen.types += number == 1;
		seen.locations += number == 4;
		seen.functions += number == 5;
		taken = number == 9 ? value : taken;
		if (number == 2)
			see_sample(inside, &seen);
		if (number == 6 && seen.strings++ == 0)
			ck_assert_ptr_eq(inside.at, inside.end); /* string 0 is empty */
	}
	ck_assert_uint_eq(seen.types, 4);
	ck_assert_uint_eq(seen.samples, 3);
	ck_assert_uint_eq(seen.locations, 4);
	ck_assert_uint_eq(seen.functions, 4);
	ck_assert_uint_eq(seen.values[0], 3);
	ck_assert_uint_eq(seen.values[1], 360);
	ck_assert_uint_eq(seen.values[3], 250); /* what is below zero by the sampling error is 0 */
	ck_assert_uint_eq(taken, 1700000000000000000ull);
}
END_TEST

/* ---- Prometheus -------------------------------------------------------------------------------- */

static char *metrics(const char *breakdown, const char *zones)
{
	char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	export_prometheus(breakdown ? json_parse(breakdown, strlen(breakdown), NULL, 0) : NULL, zones ? json_parse(zones, strlen(zones), NULL, 0) : NULL,
		0.5, out);
	fclose(out);
	return text;
}

START_TEST(a_zones_name_cannot_leave_its_label)
{
	const char *text = metrics("{\"processes\":[]}",
		"{\"zones\":[{\"name\":\"a\\\"} 1\\nfake{x=\\\"\\\\\",\"kind\":\"k\",\"generation\":1,\"size_bytes\":5}]}");

	ck_assert_ptr_nonnull(strstr(text, "\nheapray_zone_size_bytes{zone=\"a\\\"} 1\\nfake{x=\\\"\\\\\",kind=\"k\",generation=\"1\"} 5\n"));
	ck_assert_ptr_null(strstr(text, "\nfake"));
}
END_TEST

START_TEST(what_is_unknown_has_no_sample)
{
	const char *text = metrics("{\"processes\":[{\"role\":\"worker\",\"allocator\":null,\"system\":{\"resident_bytes\":7}}]}", NULL);

	ck_assert_ptr_nonnull(strstr(text, "\nheapray_resident_bytes{process=\"worker-0\"} 7\n"));
	ck_assert_ptr_null(strstr(text, "\nheapray_allocator_held_bytes{"));
}
END_TEST

START_TEST(two_zones_without_a_name_are_one_series)
{
	const char *zone = "{\"name\":\"\",\"kind\":\"other\",\"generation\":1,\"size_bytes\":5}";
	char zones[400];

	snprintf(zones, sizeof(zones), "{\"zones\":[%s,%s]}", zone, zone);
	const char *first = strstr(metrics("{\"processes\":[]}", zones), "\nheapray_zone_size_bytes{");
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_null(strstr(first + 1, "\nheapray_zone_size_bytes{"));
}
END_TEST

START_TEST(only_the_largest_owners_have_a_series)
{
	char *json = xstrdup("{\"processes\":[],\"total\":{\"modules\":[");

	for (int i = 0; i < 30; i++) {
		char *more = xasprintf("%s%s{\"name\":\"m%d\",\"live_bytes\":%d}", json, i ? "," : "", i, 1000 - i);
		free(json);
		json = more;
	}
	const char *text = metrics(xasprintf("%s]}}", json), NULL);
	ck_assert_ptr_nonnull(strstr(text, "{owner=\"m19\"} 981\n"));
	ck_assert_ptr_null(strstr(text, "{owner=\"m20\"}"));
	ck_assert_ptr_nonnull(strstr(text, "{owner=\"all others\"} 9755\n"));
}
END_TEST

START_TEST(nothing_to_read_is_not_up)
{
	const char *text = metrics(NULL, NULL);

	ck_assert_ptr_nonnull(strstr(text, "\nheapray_up 0\n"));
	ck_assert_ptr_null(strstr(text, "heapray_resident_bytes"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("export");
	TCase *tests = tcase_create("export");

	suite_add_tcase(suite, tests);
	tcase_add_test(tests, a_folded_line_is_the_heap_then_frames_outermost_first);
	tcase_add_test(tests, the_profile_has_every_sample_with_its_four_values);
	tcase_add_test(tests, a_zones_name_cannot_leave_its_label);
	tcase_add_test(tests, what_is_unknown_has_no_sample);
	tcase_add_test(tests, two_zones_without_a_name_are_one_series);
	tcase_add_test(tests, only_the_largest_owners_have_a_series);
	tcase_add_test(tests, nothing_to_read_is_not_up);
	return run_suite(suite) != 0;
}
