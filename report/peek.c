/* SPDX-License-Identifier: BSD-2-Clause */
/* peek.c - reading another process's memory: pagemap says which pages, process_vm_readv copies them. */
#include "peek.h"

#include <string.h>
#include <sys/uio.h>

#define PAGES 256u /* asked about at a time */

void peek_open(struct peek *peek, int pid)
{
	peek->pid = pid;
	pagemap_open(&peek->pagemap, pid);
}

void peek_close(struct peek *peek)
{
	pagemap_close(&peek->pagemap);
}

static bool copy(int pid, uint64_t address, void *to, size_t length)
{
	struct iovec mine = {.iov_base = to, .iov_len = length};
	struct iovec theirs = {.iov_base = (void *)(uintptr_t)address, .iov_len = length};
	return process_vm_readv(pid, &mine, 1, &theirs, 1, 0) == (ssize_t)length;
}

/* Copies what lies in resident pages; the rest is zeroed where `holes` allows it, else the answer is false. */
static bool copy_resident(const struct peek *peek, uint64_t address, char *to, size_t length, bool holes)
{
	uint64_t page = peek->pagemap.page, end = address + length;
	uint8_t resident[PAGES];
	while (address < end) {
		uint64_t first = address / page * page;
		uint64_t pages = (end - first + page - 1) / page;
		if (pages > PAGES)
			pages = PAGES;
		if (pagemap_pages(&peek->pagemap, first, pages, resident))
			return false;
		for (uint64_t i = 0; i < pages;) {
			uint64_t run = i + 1;
			while (run < pages && resident[run] == resident[i])
				run++;
			uint64_t stop = first + run * page < end ? first + run * page : end;
			size_t bytes = (size_t)(stop - address);
			if (!resident[i] && !holes)
				return false;
			if (!resident[i])
				memset(to, 0, bytes);
			else if (!copy(peek->pid, address, to, bytes))
				return false;
			to += bytes;
			address = stop;
			i = run;
		}
	}
	return true;
}

static bool sane(uint64_t address, size_t length)
{
	uint64_t end;
	return !__builtin_add_overflow(address, (uint64_t)length, &end) && end < 1ull << 56;
}

bool peek_at(const struct peek *peek, uint64_t address, void *to, size_t length)
{
	return sane(address, length) && copy_resident(peek, address, to, length, false);
}

bool peek_range(const struct peek *peek, uint64_t address, void *to, size_t length)
{
	return sane(address, length) && copy_resident(peek, address, to, length, true);
}
