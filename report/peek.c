/* SPDX-License-Identifier: BSD-2-Clause */
/* peek.c - reading another process's memory: process_vm_readv. */
#include "peek.h"

#include <sys/uio.h>

size_t peek_some(int pid, uint64_t address, void *to, size_t length)
{
	uint64_t end;
	if (__builtin_add_overflow(address, (uint64_t)length, &end))
		return 0;
	struct iovec mine = {.iov_base = to, .iov_len = length};
	struct iovec theirs = {.iov_base = (void *)(uintptr_t)address, .iov_len = length};
	ssize_t got = process_vm_readv(pid, &mine, 1, &theirs, 1, 0);
	return got < 0 ? 0 : (size_t)got;
}

bool peek(int pid, uint64_t address, void *to, size_t length)
{
	return peek_some(pid, address, to, length) == length;
}
