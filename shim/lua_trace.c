/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_trace.c - which trace runs, and the line of Lua where it begins.
 *
 * While machine code runs, nothing says which line it is at. But a native walk ends at a return address in
 * it, and that lies in the machine code of one trace, which knows where it begins: at a loop, a function, or,
 * a side trace, where it branches off.
 *
 * The table of traces lies at an offset in the block of the global state that differs between builds. It is
 * looked for when a trace is first met: an array whose entry n is a trace of number n, and one of them has
 * the return address. What might not be a pointer is probed, by system calls, before it is followed.
 */
#include "lua_layout.h"
#include "lua_private.h"

#define SCAN_FROM 0x100u
#define SCAN_TO 0x1000u /* the global state lies in one block with the dispatch tables, which are larger */
#define TRACES_MAX 65536u

/* Of LuaJIT's jit_State: the table, and right behind it the next free number and how many there are. */
struct table {
	const uintptr_t *traces;
	uint32_t next_free, count;
};

int hr_lua_line(uintptr_t proto, uintptr_t pc)
{
	uint64_t position = (pc - (proto + PROTO_SIZE)) / 4;
	uintptr_t info = at(proto, PROTO_LINE_INFO, uintptr_t);
	int first = at(proto, PROTO_FIRST_LINE, int), lines = at(proto, PROTO_LINES, int);
	if (position >= at(proto, PROTO_CODE_COUNT, uint32_t) || info == 0)
		return 0;
	if (position-- == 0) /* the function's head has no entry */
		return first;
	if (lines < 256)
		return first + ((const uint8_t *)info)[position];
	return first + (lines < 65536 ? ((const uint16_t *)info)[position] : (int)((const uint32_t *)info)[position]);
}

static bool is_trace(uintptr_t trace, uint32_t number)
{
	return at(trace, OBJECT_TYPE, uint8_t) == TYPE_TRACE && at(trace, TRACE_NUMBER, uint16_t) == number;
}

static bool has(uintptr_t trace, uintptr_t ip)
{
	return ip - at(trace, TRACE_CODE, uintptr_t) < at(trace, TRACE_CODE_BYTES, uint32_t);
}

/* Does this look like the table, and has one of its traces the address? */
static bool is_table(const struct table *t, uintptr_t ip)
{
	uintptr_t first = (uintptr_t)t->traces;
	if (first < SYS_PAGE || first & 7 || first >> TAG_SHIFT || t->count < 2 || t->count > TRACES_MAX || t->next_free > t->count)
		return false;
	for (uint32_t n = 1; n < t->count; n++) {
		if (((uintptr_t)&t->traces[n] & (SYS_PAGE - 1)) < 8 || n == 1)
			if (!sys_readable((uintptr_t)&t->traces[n]))
				return false;
		uintptr_t trace = t->traces[n];
		if (trace == 0)
			continue;
		if (trace < SYS_PAGE || trace & 7 || trace >> TAG_SHIFT || !sys_readable(trace + 8) || !sys_readable(trace + TRACE_NUMBER) || !is_trace(trace, n))
			return false;
		if (has(trace, ip))
			return true;
	}
	return false;
}

static uint32_t find_table(uintptr_t g, uintptr_t ip)
{
	for (uint32_t offset = SCAN_FROM; offset < SCAN_TO; offset += 8)
		if (is_table((const struct table *)(g + offset), ip))
			return offset;
	return 0;
}

static struct lua_start start_of(uintptr_t trace)
{
	uintptr_t proto = at(trace, TRACE_PROTO, uintptr_t);
	return (struct lua_start){.proto = proto, .line = hr_lua_line(proto, at(trace, TRACE_START, uintptr_t)), .trace = trace};
}

bool hr_lua_trace_at(uintptr_t g, uintptr_t ip, struct lua_start *start, struct lua_start *root)
{
	static _Atomic uint32_t found; /* the offset: the same in all VMs of the library. relaxed: whoever looks finds the same */
	static _Atomic uint32_t failures;
	uint32_t offset = atomic_load_explicit(&found, memory_order_relaxed);
	if (offset == 0 && atomic_load_explicit(&failures, memory_order_relaxed) < 8) {
		offset = find_table(g, ip);
		atomic_store_explicit(&found, offset, memory_order_relaxed);
		if (offset == 0)
			atomic_fetch_add(&failures, 1);
	}
	if (offset == 0)
		return false;
	const struct table *t = (const struct table *)(g + offset);
	for (uint32_t n = 1; n < t->count; n++) {
		uintptr_t trace = t->traces[n];
		if (trace == 0 || !has(trace, ip))
			continue;
		if (!is_trace(trace, n))
			return false;
		uint32_t root_number = at(trace, TRACE_ROOT, uint16_t);
		*start = start_of(trace);
		*root = root_number && root_number < t->count && t->traces[root_number] ? start_of(t->traces[root_number]) : *start;
		return true;
	}
	return false;
}
