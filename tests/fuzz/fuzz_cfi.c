/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_cfi.c - hostile .eh_frame_hdr and .eh_frame through the compiler of frame rules (shim/cfi.c).
 *
 * An input is {pc, start of the FDE: 2 bytes each} and then the object's bytes: a good header with one row is put
 * before them, unless the first bit is set. What follows the object cannot be read: a byte beyond is a crash.
 */
#include "shim.h"

#include <string.h>
#include <sys/mman.h>

#define OBJECT 8192
#define HEADER 20 /* version, three encodings, pointer, count, one row */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static uint8_t *pages;
	uint16_t pc, fde;

	if (!pages) {
		pages = mmap(NULL, 3 * OBJECT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(pages + OBJECT, OBJECT, PROT_READ | PROT_WRITE);
	}
	if (length < 4 || length > OBJECT - HEADER)
		return 0;
	memcpy(&pc, data, 2);
	memcpy(&fde, data + 2, 2);
	data += 4, length -= 4;
	const size_t header = pc & 1 ? 0 : HEADER;
	uint8_t *end = pages + 2 * OBJECT, *start = (uint8_t *)((uintptr_t)(end - length - header) & ~3ul);
	memset(start, 0, (size_t)(end - start));
	memcpy(start + header, data, length);
	if (header) {
		const int32_t row[4] = {0, 1, -0x8000, HEADER + fde % 64};
		memcpy(start, "\1\x1b\3\x3b", 4);
		memcpy(start + 4, row, sizeof(row));
	}
	const struct rule rule = hr_rule_compile(start, (uintptr_t)start, (uintptr_t)end, (uintptr_t)start + pc);
	if (rule.kind > RULE_NO_OBJECT)
		__builtin_trap();
	return 0;
}
