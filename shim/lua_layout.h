/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_layout.h - objects of LuaJIT 2.1 with 64-bit references (GC64), as offsets. The same in all of its
 * versions since 2016; lua_layout.c checks each against what LuaJIT's own functions say before any is used.
 *
 *   lua_State   0 next  8 marked  9 type 6  11 status  16 global state  32 base  40 top  48 maxstack  56 stack  80 cframe
 *   function    0 next  8 marked  9 type 8  10 ffid (0: Lua)  32 bytecode
 *   prototype   0 next  9 type 7  12 bytecodes  64 chunk name  72 first line  76 lines  80 line info  104 bytecode
 *   trace       9 type 9  64 prototype  72 start  84 size, 88 address of machine code  104 number, 108 root's (16 bits)
 *
 * A Lua stack, slots of eight bytes; each frame has two below its base: function, and link to the caller.
 *
 *   stack | - | main | link | locals ... | function | link | locals ... |        maxstack
 *                                                          ^ base
 *   link & 3 == 0: called from Lua, the link is the return address in the caller's bytecode; the instruction
 *   before it says how far down the caller's base is. Else: link & ~7 is the distance to the caller's frame.
 */
#ifndef HEAPRAY_LUA_LAYOUT_H
#define HEAPRAY_LUA_LAYOUT_H

#include <stdint.h>

#define OBJECT_TYPE 9
#define TYPE_THREAD 6
#define TYPE_PROTO 7
#define TYPE_FUNCTION 8
#define TYPE_TRACE 9

#define STATE_STATUS 11
#define STATUS_YIELDED 1
#define STATE_GLOBAL 16
#define STATE_BASE 32
#define STATE_TOP 40
#define STATE_MAXSTACK 48
#define STATE_STACK 56
#define STATE_CFRAME 80

#define FUNCTION_FFID 10
#define FUNCTION_CODE 32

#define PROTO_CODE_COUNT 12
#define PROTO_CHUNK 64
#define PROTO_FIRST_LINE 72
#define PROTO_LINES 76
#define PROTO_LINE_INFO 80
#define PROTO_SIZE 104
#define STRING_SIZE 24

#define TRACE_PROTO 64
#define TRACE_START 72
#define TRACE_CODE_BYTES 84
#define TRACE_CODE 88
#define TRACE_NUMBER 104
#define TRACE_ROOT 108

#define CFRAME_PC 24 /* in the interpreter's native frame: bytecode that runs, and whose it is */
#define CFRAME_STATE 16
#define CFRAME_FLAGS 3u

#define SLOT 8
#define TAG_SHIFT 47
#define TAG_FUNCTION 0x1fff7u
#define TAG_THREAD 0x1fff9u
#define REFERENCE(value) ((value) & ((1ull << TAG_SHIFT) - 1))

/* A field of an object: at(object, STATE_BASE, uint64_t). */
#define at(object, offset, type) (*(const type *)((uintptr_t)(object) + (offset)))

#endif
