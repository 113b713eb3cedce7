/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_shim_lua.c - the parts of Lua memory by line that can be tried alone: the samples' arithmetic, the
 * table of sampled blocks, walks over stacks that are made up and broken, and LuaJIT's own allocator.
 */
#include <check.h>
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua_layout.h"
#include "lua_private.h"
#include "run_suite.h"

/* ---- samples ---------------------------------------------------------------------------------- */

#define INTERVAL 65536u

static const uint64_t sizes[] = {16, 40, 100, 1000, 30000, 65536, 500000};

/* A stream of allocations; what its samples say, against the truth. */
static void stream(uint64_t *seed, double *bytes, double *count, double *variance, double *true_bytes, double *true_count)
{
	int64_t left = hr_sample_next(seed, INTERVAL);

	*bytes = *count = *variance = *true_bytes = *true_count = 0;
	for (int i = 0; i < 20000; i++) {
		const uint64_t size = sizes[i % 7 == 6 ? (i / 7) % 7 : i % 4];
		*true_bytes += (double)size;
		*true_count += 1;
		left -= (int64_t)size;
		if (left >= 0)
			continue;
		left = hr_sample_next(seed, INTERVAL);
		const struct estimate e = hr_sample_estimate(INTERVAL, size);
		*bytes += (double)e.bytes;
		*variance += e.variance;
		*count += hr_sample_count(INTERVAL, size, seed);
	}
}

START_TEST(estimates_are_right_on_average_and_state_their_error)
{
	uint64_t seed = 1;
	double error = 0, squares = 0, variances = 0, counts = 0, bytes, count, variance, true_bytes = 0, true_count = 0;
	const int trials = 400;

	for (int i = 0; i < trials; i++) {
		stream(&seed, &bytes, &count, &variance, &true_bytes, &true_count);
		error += bytes - true_bytes;
		squares += (bytes - true_bytes) * (bytes - true_bytes);
		variances += variance;
		counts += count;
	}
	ck_assert(fabs(error / trials) < 4 * sqrt(squares / trials / trials)); /* no bias beyond chance */
	ck_assert(squares > 0.75 * variances && squares < 1.33 * variances);   /* the stated variance is the real one */
	ck_assert(fabs(counts / trials - true_count) < true_count * 0.05);
}
END_TEST

START_TEST(what_is_much_larger_than_the_interval_is_exact)
{
	uint64_t seed = 1;
	const struct estimate e = hr_sample_estimate(INTERVAL, 50u << 20);

	ck_assert_uint_eq(e.bytes, 50u << 20);
	ck_assert(e.variance == 0);
	ck_assert_uint_eq(hr_sample_count(INTERVAL, 50u << 20, &seed), 1);
}
END_TEST

START_TEST(interval_one_is_every_allocation_and_zero_is_none)
{
	uint64_t seed = 1;
	const struct estimate e = hr_sample_estimate(1, 24);

	ck_assert_int_eq(hr_sample_next(&seed, 1), 0);
	ck_assert_int_eq(hr_sample_next(&seed, 0), INT64_MAX);
	ck_assert_uint_eq(e.bytes, 24);
	ck_assert(!e.estimated && e.variance == 0);
	ck_assert_uint_eq(hr_sample_count(1, 24, &seed), 1);
}
END_TEST

/* ---- the table of blocks ---------------------------------------------------------------------- */

#define MODEL 3000
static struct { bool there; struct lua_block block; } model[MODEL];

static void sum_up(void *arg, struct lua_block *block)
{
	*(uint64_t *)arg += block->bytes;
}

START_TEST(the_table_of_blocks_does_what_an_array_does)
{
	struct lua_blocks blocks = {0};
	struct lua_block out;
	uint64_t sum = 0, want = 0;

	srandom(7);
	for (int i = 0; i < 200000; i++) {
		const uint32_t n = (uint32_t)random() % MODEL;
		const uintptr_t address = 0x7f0000000000 + n * 16;
		if (model[n].there) {
			ck_assert(hr_lua_blocks_have(&blocks, (void *)address));
			ck_assert(hr_lua_blocks_take(&blocks, (void *)address, &out));
			ck_assert_mem_eq(&out, &model[n].block, sizeof out);
		} else {
			ck_assert(!hr_lua_blocks_take(&blocks, (void *)address, &out));
			model[n].block = (struct lua_block){.bytes = (uint64_t)random(), .site = n, .count = n};
			ck_assert(hr_lua_blocks_put(&blocks, (void *)address, model[n].block));
		}
		model[n].there = !model[n].there;
	}
	for (int n = 0; n < MODEL; n++)
		want += model[n].there ? model[n].block.bytes : 0;
	hr_lua_blocks_each(&blocks, sum_up, &sum);
	ck_assert_uint_eq(sum, want);
	hr_lua_blocks_clear(&blocks);
	ck_assert(!hr_lua_blocks_have(&blocks, (void *)0x7f0000000000));
}
END_TEST

START_TEST(code_that_is_watched_is_told_when_it_goes)
{
	struct lua_blocks blocks = {0};
	struct lua_block out;

	hr_lua_blocks_put(&blocks, (void *)64, (struct lua_block){.bytes = 10, .site = 3, .count = 1});
	hr_lua_blocks_watch(&blocks, 64); /* sampled, and code too */
	hr_lua_blocks_watch(&blocks, 128);
	ck_assert(hr_lua_blocks_take(&blocks, (void *)64, &out));
	ck_assert(out.code && out.bytes == 10 && out.site == 3);
	ck_assert(hr_lua_blocks_take(&blocks, (void *)128, &out));
	ck_assert(out.code && out.bytes == 0);
}
END_TEST

/* ---- walks ------------------------------------------------------------------------------------ */

/* A state with the stack: main (Lua) called inner (Lua) called a C function, which runs. */
static uint64_t g[64], L[16], stack[64], functions[3][8], native[8];
static uint32_t code[3][8];
static const struct lua_layout layout = {.cur_L = 16, .jit_base = 24};
static struct thread thread; /* whose stack is not known: what is read of it is probed */
static struct lua_walk found;

static uint64_t tagged(const void *object) { return (uintptr_t)object | (uint64_t)TAG_FUNCTION << TAG_SHIFT; }

static void make_function(int i, int ffid)
{
	memset(functions[i], 0, sizeof functions[i]);
	((uint8_t *)functions[i])[OBJECT_TYPE] = TYPE_FUNCTION;
	((uint8_t *)functions[i])[FUNCTION_FFID] = (uint8_t)ffid;
	functions[i][FUNCTION_CODE / 8] = (uintptr_t)code[i];
}

static void make_state(void)
{
	memset(g, 0, sizeof g);
	memset(L, 0, sizeof L);
	memset(stack, 0, sizeof stack);
	for (int i = 0; i < 3; i++)
		make_function(i, i == 2);
	g[2] = (uintptr_t)L;
	((uint8_t *)L)[OBJECT_TYPE] = TYPE_THREAD;
	L[STATE_GLOBAL / 8] = (uintptr_t)g;
	L[STATE_STACK / 8] = (uintptr_t)stack;
	L[STATE_MAXSTACK / 8] = (uintptr_t)&stack[63];
	L[STATE_CFRAME / 8] = (uintptr_t)native;
	native[CFRAME_STATE / 8] = (uintptr_t)L;
	/* slots: 1 bottom | 2 main 3 link | 8 inner 9 link | 14 C 15 link | base 16 */
	stack[2] = tagged(functions[0]);
	stack[3] = (3 - 1) * 8 | 1; /* called from C: down to the bottom */
	code[0][2] = 4u << 8;       /* the call's first register: main's base 4 + 4 = 8 */
	stack[8] = tagged(functions[1]);
	stack[9] = (uintptr_t)&code[0][3];
	code[1][2] = 4u << 8;
	stack[14] = tagged(functions[2]);
	stack[15] = (uintptr_t)&code[1][3];
	L[STATE_BASE / 8] = (uintptr_t)&stack[16];
}

static enum lua_walked walk(void)
{
	return hr_lua_walk(&thread, &layout, (uintptr_t)g, (uintptr_t)native - 8, &found);
}

START_TEST(a_walk_finds_the_frames)
{
	make_state();
	ck_assert_int_eq(walk(), LUA_WALKED);
	ck_assert_uint_eq(found.count, 2);
	ck_assert(!found.lua_on_top && !found.on_trace && !found.deeper);
	ck_assert_uint_eq(found.frames[0].code, (uintptr_t)code[1]);
	ck_assert_int_eq(found.frames[0].ci, 6 << 16 | 9);
	ck_assert_uint_eq(found.frames[1].code, (uintptr_t)code[0]);
	ck_assert_int_eq(found.frames[1].ci, 6 << 16 | 3);
}
END_TEST

START_TEST(on_a_trace_the_base_is_the_traces)
{
	make_state();
	g[3] = (uintptr_t)&stack[10]; /* inner runs */
	ck_assert_int_eq(walk(), LUA_WALKED);
	ck_assert(found.on_trace && found.traced && found.count == 2);
	ck_assert_int_eq(found.frames[0].ci, 9);
}
END_TEST

START_TEST(nothing_runs)
{
	make_state();
	L[STATE_CFRAME / 8] = 0;
	ck_assert_int_eq(walk(), LUA_IDLE);
	g[2] = 0;
	ck_assert_int_eq(walk(), LUA_IDLE);
}
END_TEST

static uint64_t spare[16];
static const struct { const char *what; uint64_t *place, value; } broken[] = {
	{"the base is below the stack", &L[STATE_BASE / 8], (uintptr_t)g},
	{"the base is above the stack", &L[STATE_BASE / 8], (uintptr_t)&stack[64]},
	{"the base is not aligned", &L[STATE_BASE / 8], (uintptr_t)&stack[16] + 4},
	{"the stack ends before it begins", &L[STATE_MAXSTACK / 8], (uintptr_t)stack},
	{"the stack is too large", &L[STATE_MAXSTACK / 8], (uintptr_t)stack + (80000u << 3)},
	{"another global state", &L[STATE_GLOBAL / 8], (uintptr_t)spare},
	{"no thread of Lua", &L[OBJECT_TYPE / 8], 0},
	{"the native frame is another state's", &native[CFRAME_STATE / 8], (uintptr_t)spare},
	{"the native frame is inside of us", &L[STATE_CFRAME / 8], (uintptr_t)native - 64},
	{"the native frame cannot be read", &L[STATE_CFRAME / 8], 0x7ffffffff000},
	{"no function in a frame", &stack[8], 5},
	{"an object that is no function", &stack[8], 0},
	{"a link that leads nowhere", &stack[9], 0},
	{"a link that leads up", &stack[9], 1},
	{"a link past the bottom", &stack[9], (uint64_t)200 << 3 | 1},
	{"a link to an odd place", &stack[15], (uint64_t)1 << 60},
};

START_TEST(a_walk_that_is_in_doubt_is_dropped)
{
	make_state();
	*broken[_i].place = broken[_i].value;
	if (broken[_i].place == &stack[8] && broken[_i].value == 0)
		stack[8] = tagged(spare);
	ck_assert_msg(walk() == LUA_DOUBT, "%s", broken[_i].what);
}
END_TEST

START_TEST(a_deep_stack_keeps_its_innermost_frames)
{
	static uint64_t deep[3000];
	make_state();
	L[STATE_STACK / 8] = (uintptr_t)deep;
	L[STATE_MAXSTACK / 8] = (uintptr_t)&deep[2999];
	deep[2] = tagged(functions[0]);
	deep[3] = 2 * 8 | 1;
	int frame = 3;
	for (; frame < 2900; frame += 6) {
		deep[frame + 5] = tagged(functions[0]);
		deep[frame + 6] = (uintptr_t)&code[0][3];
	}
	L[STATE_BASE / 8] = (uintptr_t)&deep[frame + 1];
	ck_assert_int_eq(walk(), LUA_WALKED);
	ck_assert(found.deeper && found.count == LUA_FRAMES_MAX);
	ck_assert_int_eq(found.frames[0].ci, frame);
}
END_TEST

START_TEST(a_coroutine_that_waits_can_be_walked_and_other_words_cannot)
{
	make_state();
	L[STATE_CFRAME / 8] = 0;
	((uint8_t *)L)[STATE_STATUS] = STATUS_YIELDED;
	ck_assert_int_eq(hr_lua_walk_resting((uintptr_t)g, (uintptr_t)L, &found), LUA_WALKED);
	ck_assert_uint_eq(found.count, 2);
	const uintptr_t words[] = {0, 8, 0x1234, (uintptr_t)g, (uintptr_t)spare, 0x7ffffffff000, ~0ull, (uintptr_t)L + 1};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		ck_assert_int_eq(hr_lua_walk_resting((uintptr_t)g, words[i], &found), LUA_IDLE);
}
END_TEST

/* ---- LuaJIT's allocator ----------------------------------------------------------------------- */

/* Stands before the original and keeps the difference: blocks with a chunk in a segment, and their chunks' bytes. */
static lua_Alloc original;
static void *original_state;
static int64_t blocks_made, bytes_made;
#define DIRECT 100000u /* no test block is between this and what LuaJIT gives a mapping of its own */

static void count_block(const void *block, size_t size, int by)
{
	if (size >= DIRECT)
		return;
	blocks_made += by;
	bytes_made += by * (int64_t)(((const uint64_t *)block)[-1] & ~7ull);
}

static void *counting(void *ud, void *old, size_t osize, size_t nsize)
{
	if (old)
		count_block(old, osize, -1);
	void *new = original(original_state, old, osize, nsize);
	if (new)
		count_block(new, nsize, 1);
	return new;
}

START_TEST(the_walk_of_an_arena_agrees_with_what_was_allocated)
{
	void *lib = dlopen("libluajit-5.1.so.2", RTLD_NOW | RTLD_LOCAL);
	lua_State *(*newstate)(void) = NULL;
	int (*load)(lua_State *, const char *) = NULL, (*call)(lua_State *, int, int, int) = NULL;
	lua_Alloc (*getallocf)(lua_State *, void **) = NULL;
	void (*setallocf)(lua_State *, lua_Alloc, void *) = NULL;
	struct lua_arena before, after;
	ck_assert_msg(lib != NULL, "%s", dlerror());
	*(void **)&newstate = dlsym(lib, "luaL_newstate");
	*(void **)&load = dlsym(lib, "luaL_loadstring");
	*(void **)&call = dlsym(lib, "lua_pcall");
	*(void **)&getallocf = dlsym(lib, "lua_getallocf");
	*(void **)&setallocf = dlsym(lib, "lua_setallocf");

	lua_State *state = newstate();
	original = getallocf(state, &original_state);
	ck_assert(hr_lua_arena_look(original_state, UINT64_MAX, &before));
	setallocf(state, counting, NULL);
	ck_assert_int_eq(load(state, "kept = {} for i = 1, 200000 do local t = { i } if i % 50 == 0 then kept[i / 50] = t end end"), 0);
	ck_assert_int_eq(call(state, 0, 0, 0), 0);
	ck_assert(hr_lua_arena_look(original_state, UINT64_MAX, &after));
	ck_assert_int_eq((int64_t)(after.blocks - before.blocks), blocks_made);
	/* Beside chunks, a segment has a few words at its end. */
	const int64_t in_use = (int64_t)(after.mapped_bytes - after.free_bytes) - (int64_t)(before.mapped_bytes - before.free_bytes);
	ck_assert_int_ge(in_use, bytes_made);
	ck_assert_int_le(in_use, bytes_made + (int64_t)(after.mapped_bytes >> 17) * 256);
	ck_assert(!hr_lua_arena_look(original_state, 100, &after)); /* too many chunks for that */
}
END_TEST

START_TEST(what_is_no_arena_is_refused)
{
	static uint64_t zero[512];
	struct lua_arena arena;

	ck_assert(!hr_lua_arena_look(zero, 1000, &arena));
	zero[840 / 8] = 0x1001;
	ck_assert(!hr_lua_arena_look(zero, 1000, &arena));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lua");
	TCase *tc = tcase_create("lua");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, estimates_are_right_on_average_and_state_their_error);
	tcase_add_test(tc, what_is_much_larger_than_the_interval_is_exact);
	tcase_add_test(tc, interval_one_is_every_allocation_and_zero_is_none);
	tcase_add_test(tc, the_table_of_blocks_does_what_an_array_does);
	tcase_add_test(tc, code_that_is_watched_is_told_when_it_goes);
	tcase_add_test(tc, a_walk_finds_the_frames);
	tcase_add_test(tc, on_a_trace_the_base_is_the_traces);
	tcase_add_test(tc, nothing_runs);
	tcase_add_loop_test(tc, a_walk_that_is_in_doubt_is_dropped, 0, sizeof broken / sizeof *broken);
	tcase_add_test(tc, a_deep_stack_keeps_its_innermost_frames);
	tcase_add_test(tc, a_coroutine_that_waits_can_be_walked_and_other_words_cannot);
	tcase_add_test(tc, the_walk_of_an_arena_agrees_with_what_was_allocated);
	tcase_add_test(tc, what_is_no_arena_is_refused);
	suite_add_tcase(suite, tc);
	return run_suite(suite) != 0;
}
