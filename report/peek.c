/* SPDX-License-Identifier: BSD-2-Clause */
/* peek.c - reading another process's memory: pagemap says which pages, process_vm_readv copies them. */
#include "peek.h"

#include <string.h>
#include <sys/uio.h>

void peek_open(struct peek *peek, int pid)
{
	peek->pid = pid;
	peek->known = false;
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

/* How many of `pages` pages from `at` on are alike, in *resident: none is, or all are. 0: it cannot be told.
 */
static uint64_t alike(struct peek *peek, uint64_t at, uint64_t pages, bool *resident)
{
	uint64_t page = peek->pagemap.page;
	if (!peek->known || at < peek->window || at >= peek->window + PEEK_WINDOW * page) {
		peek->window = at;
		peek->known = !pagemap_pages(&peek->pagemap, at, PEEK_WINDOW, peek->resident);
		if (!peek->known)
			return 0;
	}
	uint64_t first = (at - peek->window) / page, end = first + 1;
	while (end < PEEK_WINDOW && end - first < pages && peek->resident[end] == peek->resident[first])
		end++;
	*resident = peek->resident[first];
	return end - first;
}

/* Copies what lies in resident pages; the rest is zeroed where `holes` allows it, else the answer is false.
 */
static bool copy_resident(struct peek *peek, uint64_t address, char *to, size_t length, bool holes)
{
	uint64_t page = peek->pagemap.page, end = address + length;
	while (address < end) {
		bool resident;
		uint64_t first = address / page * page;
		uint64_t pages = alike(peek, first, (end - first + page - 1) / page, &resident);
		if (!pages || (!resident && !holes))
			return false;
		uint64_t stop = first + pages * page < end ? first + pages * page : end;
		size_t bytes = (size_t)(stop - address);
		if (!resident)
			memset(to, 0, bytes);
		else if (!copy(peek->pid, address, to, bytes))
			return false;
		to += bytes;
		address = stop;
	}
	return true;
}

static bool sane(uint64_t address, size_t length)
{
	uint64_t end;
	return !__builtin_add_overflow(address, (uint64_t)length, &end) && end < 1ull << 56;
}

bool peek_at(struct peek *peek, uint64_t address, void *to, size_t length)
{
	return sane(address, length) && copy_resident(peek, address, to, length, false);
}

bool peek_range(struct peek *peek, uint64_t address, void *to, size_t length)
{
	return sane(address, length) && copy_resident(peek, address, to, length, true);
}
