/* SPDX-License-Identifier: BSD-2-Clause */
/* test_report_model.c - merging sites of stripes, of forked processes; the peak; groups and their order. */
#include "model.h"

#include "segment_writer.h"
#include "owners.h"
#include "xalloc.h"
#include "run_suite.h"

#include <check.h>

static char directory[] = "/tmp/heapray-test.XXXXXX";

static struct segment *finish(struct writer *w)
{
	char path[256];

	writer_save(w, directory, path);
	const int fd = open(path, O_RDONLY);
	struct segment *s = segment_read_header(fd, path, false);
	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(segment_read_rows(s, fd), 0);
	close(fd);
	unlink(path);
	writer_end(w);
	return s;
}

static struct model *model_of(struct process *members, size_t count)
{
	static struct quality quality;
	const struct family family = {.members = members, .count = count};

	quality_of(&family, &quality);
	return model_build(&family, &quality);
}

static struct model *model_of_one(struct segment *segment)
{
	struct process *p = xcalloc(1, sizeof(*p));

	*p = (struct process){.pid = 1, .exe = "", .segment = segment, .parent = SIZE_MAX};
	return model_of(p, 1);
}

/* ---- figures ------------------------------------------------------------------------------- */

START_TEST(stripes_of_one_site_are_summed)
{
	struct writer w;

	writer_begin(&w, 1);
	const uint32_t node = writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x10, 0);
	writer_site(&w, node, 0, 100, 40);
	writer_site(&w, node, 0, 7, 0)->stripe = 1;
	writer_site(&w, node, 1, 5000, 0); /* another domain: a row of its own */
	struct model *m = model_of_one(finish(&w));
	ck_assert_uint_eq(m->row_count, 2);
	ck_assert_int_eq(m->rows[0].figures.live_bytes, 67);
	ck_assert_uint_eq(m->rows[0].figures.allocated_count, 2);
	ck_assert_int_eq(m->total.live_bytes, 5067);
}
END_TEST

START_TEST(the_peak_is_what_rows_of_its_epoch_kept)
{
	struct writer w;

	writer_begin(&w, 1);
	const uint32_t a = writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x10, 0);
	const uint32_t b = writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x20, 0);
	w.header.hot[HR_HOT_PEAK_LIVE] = 1300;
	w.header.hot[HR_HOT_PEAK_EPOCH] = 9;
	struct hr_site *s = writer_site(&w, a, 0, 2000, 1900);
	s->peak_epoch = 9;
	s->live_at_peak = 1000;
	s = writer_site(&w, b, 0, 300, 0);
	s->peak_epoch = 4; /* not changed since: what it holds is what it held */
	s->live_at_peak = 77;
	struct model *m = model_of_one(finish(&w));
	ck_assert_uint_eq(m->rows[0].figures.peak_bytes, 1000);
	ck_assert_uint_eq(m->rows[1].figures.peak_bytes, 300);
	ck_assert_uint_eq(m->total.peak_bytes, 1300);
}
END_TEST

START_TEST(while_the_total_rises_the_peak_is_now)
{
	struct writer w;

	writer_begin(&w, 1);
	const uint32_t a = writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x10, 0);
	w.header.hot[HR_HOT_PEAK_LIVE] = 50;
	w.header.hot[HR_HOT_PEAK_EPOCH] = 2;
	struct hr_site *s = writer_site(&w, a, 0, 80, 0);
	s->peak_epoch = 2;
	s->live_at_peak = 50;
	struct model *m = model_of_one(finish(&w));
	ck_assert_uint_eq(m->total.peak_bytes, 80);
}
END_TEST

START_TEST(a_remainder_below_zero_stays_in_the_total)
{
	struct writer w;

	writer_begin(&w, 1);
	const uint16_t vm = writer_domain(&w, "luajit:http:0", HR_DOMAIN_LUAJIT);
	const uint32_t a = writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x10, 0);
	writer_site(&w, a, vm, 1000, 0)->flags = HR_SITE_ESTIMATED;
	writer_site(&w, HR_ROOT_NOT_SAMPLED, vm, 100, 150);
	struct model *m = model_of_one(finish(&w));
	ck_assert_int_eq(m->total.live_bytes, 950); /* exact, whatever the estimates say */
	ck_assert(m->rows[0].estimated);
	model_sort(m, BY_LIVE);
	ck_assert_int_eq(m->rows[0].figures.live_bytes, 950); /* the estimate was too high by what lacks below zero */
	ck_assert_int_eq(m->rows[1].figures.live_bytes, 0);
	ck_assert_uint_eq(model_measure(&m->rows[1].figures, BY_LIVE), 0);
}
END_TEST

START_TEST(what_lacks_is_taken_off_all_estimates_of_the_domain)
{
	struct writer w;
	int64_t sum = 0;

	writer_begin(&w, 1);
	const uint16_t vm = writer_domain(&w, "luajit:http:0", HR_DOMAIN_LUAJIT), other = writer_domain(&w, "luajit:http:1", HR_DOMAIN_LUAJIT);
	for (uint64_t i = 1; i <= 7; i++)
		writer_site(&w, writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x10 * i, 0), vm, 100 * i + 1, 0)->flags = HR_SITE_ESTIMATED;
	writer_site(&w, writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x1000, 0), other, 500, 0)->flags = HR_SITE_ESTIMATED;
	writer_site(&w, HR_ROOT_NOT_SAMPLED, vm, 0, 1404); /* half of 2807 and a bit */
	struct model *m = model_of_one(finish(&w));
	for (size_t i = 0; i < m->row_count; i++) {
		const int64_t live = m->rows[i].figures.live_bytes;
		if (strcmp(m->domains[m->rows[i].domain], "luajit:http:1") == 0)
			ck_assert_int_eq(live, 500);
		else
			sum += live;
		ck_assert_int_ge(live, 0);
	}
	ck_assert_int_eq(sum, 2807 - 1404);
	ck_assert_int_eq(m->total.live_bytes, 2807 - 1404 + 500);
}
END_TEST

/* ---- families ------------------------------------------------------------------------------ */

static int64_t union_of(size_t count, const struct share *given, const size_t *parents, int64_t *inherited)
{
	struct share shares[8];

	memcpy(shares, given, count * sizeof(*given));
	*inherited = 0;
	return family_live(shares, parents, count, inherited);
}

START_TEST(inherited_blocks_count_once)
{
	int64_t inherited;

	/* The parent holds 100, two children hold the same 100 and 10 and 20 of their own. */
	ck_assert_int_eq(union_of(3, (struct share[]){{100, 0}, {10, 100}, {20, 100}}, (size_t[]){SIZE_MAX, 0, 0}, &inherited), 130);
	ck_assert_int_eq(inherited, 0);
	/* The parent has freed 70 of them, a child 95. */
	ck_assert_int_eq(union_of(3, (struct share[]){{30, 0}, {0, 100}, {0, 5}}, (size_t[]){SIZE_MAX, 0, 0}, &inherited), 100);
	/* Alone, a process shows what it was born with. */
	ck_assert_int_eq(union_of(1, (struct share[]){{10, 100}}, (size_t[]){SIZE_MAX}, &inherited), 110);
	ck_assert_int_eq(inherited, 100);
}
END_TEST

START_TEST(inherited_blocks_count_once_over_generations)
{
	int64_t inherited;
	const size_t chain[] = {SIZE_MAX, 0, 1};

	/* The child has freed what the grandchild still holds; the parent has it too. */
	ck_assert_int_eq(union_of(3, (struct share[]){{10, 0}, {0, 0}, {0, 10}}, chain, &inherited), 10);
	/* It was the child's own, and is the grandchild's alone now. */
	ck_assert_int_eq(union_of(3, (struct share[]){{0, 0}, {0, 0}, {0, 5}}, chain, &inherited), 5);
	/* 10 of the parent's, 5 of the child's, both gone there. */
	ck_assert_int_eq(union_of(3, (struct share[]){{10, 0}, {0, 0}, {0, 15}}, chain, &inherited), 15);
}
END_TEST

/* A parent with 1000 live, its child with those and 24 of its own, at other addresses of the same file. */
static struct model *parent_and_child(bool with_parent)
{
	struct process *members = xcalloc(2, sizeof(*members));
	struct writer w;

	writer_begin(&w, 100);
	uint32_t module = writer_module(&w, "/bin/example", 0x10000);
	uint32_t node = writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x10000 + 0x44, module);
	writer_site(&w, node, 0, 1000, 0);
	members[0] = (struct process){.pid = 100, .exe = "", .segment = finish(&w), .parent = SIZE_MAX};

	writer_begin(&w, 101);
	module = writer_module(&w, "/bin/other", 0x700000);
	module = writer_module(&w, "/bin/example", 0x500000); /* loaded elsewhere, other row numbers */
	writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x9999, 0);
	node = writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x500000 + 0x44, module);
	struct hr_site *s = writer_site(&w, node, 0, 1024, 0);
	s->allocated_count = 2;
	s->inherited_bytes = 1000;
	s->inherited_count = 1;
	members[1] = (struct process){.pid = 101, .exe = "", .segment = finish(&w), .parent = with_parent ? 0 : SIZE_MAX};
	return with_parent ? model_of(members, 2) : model_of(members + 1, 1);
}

START_TEST(stacks_are_merged_by_file_and_offset)
{
	struct model *m = parent_and_child(true);

	ck_assert_uint_eq(m->row_count, 1);
	ck_assert_int_eq(m->total.live_bytes, 1024);
	ck_assert_int_eq(m->total.live_count, 2);
	ck_assert_uint_eq(m->total.allocated_bytes, 1024);
	ck_assert_uint_eq(m->total.allocated_count, 2);
}
END_TEST

START_TEST(one_shows_the_process_with_what_it_inherited)
{
	struct model *m = parent_and_child(false);

	ck_assert_int_eq(m->total.live_bytes, 1024);
	ck_assert_int_eq(m->total.inherited_bytes, 1000);
	ck_assert_uint_eq(m->total.allocated_bytes, 1024);
}
END_TEST

/* ---- groups -------------------------------------------------------------------------------- */

static uint32_t lua_node(struct writer *w, uint32_t parent, const char *chunk, unsigned line, const char *function)
{
	const struct hr_str name = writer_string(w, chunk), called = writer_string(w, function);
	const uint32_t node = writer_node(w, parent, HR_NODE_LUA, (uint64_t)name.offset << 32 | line, 0);

	((struct hr_node *)w->bytes[HR_NODES])[node].extra = called.offset;
	return node;
}

static struct model *lua_example(void)
{
	struct writer w;

	writer_begin(&w, 1);
	const uint16_t vm = writer_domain(&w, "luajit:http:0", HR_DOMAIN_LUAJIT);
	const uint32_t native = writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x10, 0);
	const uint32_t other = writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x20, 0);
	writer_site(&w, lua_node(&w, native, "@/srv/app.lua", 7, "handle"), vm, 60, 0);
	writer_site(&w, lua_node(&w, other, "@/srv/app.lua", 7, "handle"), vm, 40, 0);
	writer_site(&w, native, 0, 5, 0);
	writer_site(&w, other, 0, 6, 0);
	return model_of_one(finish(&w));
}

START_TEST(lua_groups_are_the_lua_frames)
{
	struct model *m = lua_example();
	const uint32_t *frames;

	model_group(m, GROUP_LUA);
	model_sort(m, BY_LIVE);
	ck_assert_uint_eq(m->row_count, 2);
	ck_assert_int_eq(m->rows[0].figures.live_bytes, 100);
	ck_assert_uint_eq(model_frames(m, &m->rows[0], &frames), 1);
	ck_assert_str_eq(m->frames[frames[0]].function, "handle");
	ck_assert_str_eq(m->frames[frames[0]].file, "/srv/app.lua");
	ck_assert_str_eq(m->frames[frames[0]].module, "lua");
	ck_assert_uint_eq(m->frames[frames[0]].line, 7);
	ck_assert_int_eq(m->rows[1].figures.live_bytes, 11); /* those that have none */
	ck_assert_uint_eq(model_frames(m, &m->rows[1], &frames), 0);
}
END_TEST

START_TEST(groups_sum_to_the_total)
{
	for (enum group group = GROUP_STACK; group <= GROUP_LUA; group++) {
		struct model *m = lua_example();
		int64_t sum = 0;
		model_group(m, group);
		for (size_t i = 0; i < m->row_count; i++)
			sum += m->rows[i].figures.live_bytes;
		ck_assert_int_eq(sum, m->total.live_bytes);
	}
}
END_TEST

START_TEST(a_domain_is_kept_by_its_name_or_its_kind)
{
	struct model *m = lua_example();

	ck_assert_uint_eq(model_keep_domain(m, "luajit"), 2);
	ck_assert_int_eq(m->total.live_bytes, 100);
	ck_assert_uint_eq(model_keep_domain(m, "luajit:http:0"), 2);
	ck_assert_uint_eq(model_keep_domain(m, "luajit:ht"), 0);
}
END_TEST

START_TEST(order_is_by_value_then_by_birth)
{
	struct writer w;
	const uint32_t *frames;

	writer_begin(&w, 1);
	for (int i = 0; i < 50; i++)
		writer_site(&w, writer_node(&w, HR_ROOT_STACK, HR_NODE_NATIVE, 0x1000 - i, 0), 0, 10 + i % 2, 0);
	struct model *m = model_of_one(finish(&w));
	model_sort(m, BY_LIVE);
	for (int i = 0; i < 50; i++) {
		ck_assert_uint_eq(model_frames(m, &m->rows[i], &frames), 1);
		ck_assert_uint_eq(m->frames[frames[0]].offset, 0x1000 - (i < 25 ? 2 * i + 1 : 2 * (i - 25)));
	}
}
END_TEST

START_TEST(wrappers_are_a_table_that_can_be_extended)
{
	ck_assert(owners_is_wrapper("ngx_palloc_small"));
	ck_assert(owners_is_wrapper("ngx_array_push_n"));
	ck_assert(owners_is_wrapper("CRYPTO_zalloc"));
	ck_assert(owners_is_wrapper("operator new[](unsigned long, std::nothrow_t const&)"));
	ck_assert(owners_is_wrapper("strdup"));
	ck_assert(!owners_is_wrapper("ngx_http_create_request"));
	ck_assert(!owners_is_wrapper("strdup_all"));
	ck_assert(!owners_is_wrapper("my_alloc_1"));
	owners_add("my_alloc_*");
	ck_assert(owners_is_wrapper("my_alloc_1"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report/model");
	TCase *t = tcase_create("model");

	if (!mkdtemp(directory))
		return 1;
	suite_add_tcase(suite, t);
	tcase_add_test(t, stripes_of_one_site_are_summed);
	tcase_add_test(t, the_peak_is_what_rows_of_its_epoch_kept);
	tcase_add_test(t, while_the_total_rises_the_peak_is_now);
	tcase_add_test(t, a_remainder_below_zero_stays_in_the_total);
	tcase_add_test(t, what_lacks_is_taken_off_all_estimates_of_the_domain);
	tcase_add_test(t, inherited_blocks_count_once);
	tcase_add_test(t, inherited_blocks_count_once_over_generations);
	tcase_add_test(t, stacks_are_merged_by_file_and_offset);
	tcase_add_test(t, one_shows_the_process_with_what_it_inherited);
	tcase_add_test(t, lua_groups_are_the_lua_frames);
	tcase_add_test(t, groups_sum_to_the_total);
	tcase_add_test(t, a_domain_is_kept_by_its_name_or_its_kind);
	tcase_add_test(t, order_is_by_value_then_by_birth);
	tcase_add_test(t, wrappers_are_a_table_that_can_be_extended);
	const int failed = run_suite(suite);
	rmdir(directory);
	return failed != 0;
}
