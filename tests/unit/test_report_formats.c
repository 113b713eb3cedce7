/* SPDX-License-Identifier: BSD-2-Clause */
/* test_report_formats.c - sizes and durations read and printed, JSON printed, hostile text made safe. */
#include "json.h"
#include "options.h"
#include "process.h"
#include "text.h"

#include "xalloc.h"
#include "run_suite.h"

#include <check.h>

static uint64_t bytes(const char *text)
{
	uint64_t value;

	return options_parse_bytes(text, &value) == 0 ? value : UINT64_MAX;
}

START_TEST(sizes_are_read)
{
	ck_assert_uint_eq(bytes("4096"), 4096);
	ck_assert_uint_eq(bytes("9007199254740993"), 9007199254740993ull); /* a double has no such number */
	ck_assert_uint_eq(bytes("64K"), 65536);
	ck_assert_uint_eq(bytes("64KB"), 65536);
	ck_assert_uint_eq(bytes("1.5m"), 1572864);
	ck_assert_uint_eq(bytes("2GiB"), 2ull << 30);
	ck_assert_uint_eq(bytes("10B"), 10);
	ck_assert_uint_eq(bytes(""), UINT64_MAX);
	ck_assert_uint_eq(bytes("-1"), UINT64_MAX);
	ck_assert_uint_eq(bytes("K"), UINT64_MAX);
	ck_assert_uint_eq(bytes("1iB"), UINT64_MAX);
	ck_assert_uint_eq(bytes("1Q"), UINT64_MAX);
	ck_assert_uint_eq(bytes("1Kx"), UINT64_MAX);
	ck_assert_uint_eq(bytes("99999E"), UINT64_MAX);
	ck_assert_uint_eq(bytes("nan"), UINT64_MAX);
}
END_TEST

static uint64_t duration(const char *text)
{
	uint64_t ns;

	return options_parse_duration(text, &ns) == 0 ? ns : UINT64_MAX;
}

START_TEST(durations_are_read)
{
	ck_assert_uint_eq(duration("30"), 30000000000ull);
	ck_assert_uint_eq(duration("0.5s"), 500000000ull);
	ck_assert_uint_eq(duration("500ms"), 500000000ull);
	ck_assert_uint_eq(duration("5m"), 300000000000ull);
	ck_assert_uint_eq(duration("2h"), 7200000000000ull);
	ck_assert_uint_eq(duration("5 m"), UINT64_MAX);
	ck_assert_uint_eq(duration("x"), UINT64_MAX);
	ck_assert_uint_eq(duration("1e300"), UINT64_MAX);
}
END_TEST

START_TEST(sizes_are_printed)
{
	ck_assert_str_eq(text_bytes(0), "0 B");
	ck_assert_str_eq(text_bytes(1023), "1023 B");
	ck_assert_str_eq(text_bytes(1536), "1.5 KiB");
	ck_assert_str_eq(text_bytes(1048575), "1.0 MiB");
	ck_assert_str_eq(text_bytes(UINT64_MAX), "unknown");
	ck_assert_str_eq(text_signed_bytes(-1536), "-1.5 KiB");
	ck_assert_str_eq(text_count(1234567), "1,234,567");
	ck_assert_str_eq(text_duration(3200000000ull), "3.2 s");
	ck_assert_str_eq(text_duration(7800000000000ull), "2 h 10 min");
}
END_TEST

START_TEST(hostile_text_is_made_safe)
{
	ck_assert_str_eq(text_safe("a\033[31mb\n", 50), "a?[31mb?");
	ck_assert_str_eq(text_safe("0123456789", 8), "01234...");
	ck_assert_str_eq(text_safe("\xc3\xa4\xc3\xa4\xc3\xa4", 5), "\xc3\xa4...");
}
END_TEST

static char *printed(struct json *value)
{
	static char *text;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	json_print(value, out);
	fclose(out);
	return text;
}

START_TEST(json_is_exact_and_in_order)
{
	struct json *object = json_object(), *list = json_array();

	json_set_integer(object, "z", INT64_MAX);
	json_set_integer(object, "a", INT64_MIN);
	json_set_bytes(object, "unknown", JSON_UNKNOWN);
	json_set_bytes(object, "large", UINT64_MAX - 1); /* as large as it gets */
	json_set_string(object, "none", NULL);
	json_set_bool(object, "yes", true);
	json_set_real(object, "half", 0.5);
	json_append(list, json_integer(1));
	json_append(list, json_integer(2));
	json_set(object, "list", list);
	json_set(object, "empty", json_object());
	ck_assert_str_eq(printed(object), "{\"z\":9223372036854775807,\"a\":-9223372036854775808,\"unknown\":null,"
		"\"large\":9223372036854775807,\"none\":null,\"yes\":true,\"half\":0.5,\"list\":[1,2],\"empty\":{}}\n");
}
END_TEST

START_TEST(json_strings_are_valid_whatever_comes)
{
	ck_assert_str_eq(printed(json_string("q\"b\\c\n\x7f")), "\"q\\\"b\\\\c\\u000a\\u007f\"\n");
	ck_assert_str_eq(printed(json_string("\xc3\xa4")), "\"\xc3\xa4\"\n");
	ck_assert_str_eq(printed(json_string("\xff x")), "\"\xef\xbf\xbd x\"\n");
	ck_assert_str_eq(printed(json_string("\xc0\xaf")), "\"\xef\xbf\xbd\xef\xbf\xbd\"\n");     /* overlong */
	ck_assert_str_eq(printed(json_string("\xed\xa0\x80")), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"\n"); /* surrogate */
	ck_assert_str_eq(printed(json_string("\xe2\x82")), "\"\xef\xbf\xbd\xef\xbf\xbd\"\n");     /* cut off */
}
END_TEST

START_TEST(shared_values_print_as_copies)
{
	struct json *list = json_array(), *frame = json_object();

	json_set_string(frame, "f", "main");
	json_append(list, json_share(frame));
	json_append(list, json_share(frame));
	json_append(list, frame);
	ck_assert_str_eq(printed(list), "[\n{\"f\":\"main\"},\n{\"f\":\"main\"},\n{\"f\":\"main\"}]\n");
}
END_TEST

static struct json *numbered_row(size_t index, void *context)
{
	struct json *row = json_object();

	json_set_integer(row, "i", *(int64_t *)context + (int64_t)index);
	return row;
}

START_TEST(rows_are_made_while_they_are_printed)
{
	struct json *report = json_object();
	int64_t first = 10;
	size_t length;
	char *text;

	json_set(report, "rows", json_null());
	json_set_integer(report, "after", 1);
	FILE *out = open_memstream(&text, &length);
	json_print_rows(report, "rows", 2, numbered_row, &first, out);
	fclose(out);
	ck_assert_str_eq(text, "{\"rows\":[\n{\"i\":10},\n{\"i\":11}],\"after\":1}\n");
}
END_TEST

START_TEST(roles_come_from_nginx_titles)
{
	ck_assert_str_eq(role_name(role_from_title("nginx: master process nginx -c x")), "master");
	ck_assert_str_eq(role_name(role_from_title("nginx: worker process")), "worker");
	ck_assert_str_eq(role_name(role_from_title("nginx: worker process is shutting down")), "worker");
	ck_assert_str_eq(role_name(role_from_title("nginx: cache manager process")), "cache manager");
	ck_assert_str_eq(role_name(role_from_title("nginx: cache loader process")), "cache loader");
	ck_assert_str_eq(role_name(role_from_title("bash")), "process");
	ck_assert_str_eq(role_name(role_from_title(NULL)), "process");
	ck_assert(title_is_draining("nginx: worker process is shutting down"));
	ck_assert(!title_is_draining("nginx: worker process"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report/formats");
	TCase *t = tcase_create("formats");

	suite_add_tcase(suite, t);
	tcase_add_test(t, sizes_are_read);
	tcase_add_test(t, durations_are_read);
	tcase_add_test(t, sizes_are_printed);
	tcase_add_test(t, hostile_text_is_made_safe);
	tcase_add_test(t, json_is_exact_and_in_order);
	tcase_add_test(t, json_strings_are_valid_whatever_comes);
	tcase_add_test(t, shared_values_print_as_copies);
	tcase_add_test(t, rows_are_made_while_they_are_printed);
	tcase_add_test(t, roles_come_from_nginx_titles);
	return run_suite(suite) != 0;
}
