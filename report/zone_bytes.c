/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_bytes.c - where the bytes of a zone come from.
 *
 * As root, /proc/PID/map_files/START-END is the shared object itself: mapped read-only here, mincore
 * answers for the whole object whoever touched it, and the mapping stays valid when the process
 * unmaps the zone or ends. Without that right (CAP_CHECKPOINT_RESTORE) a process of the same user
 * can still be read with process_vm_readv.
 */
#include "zone_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static uint64_t kernel_page(void)
{
	const long page = sysconf(_SC_PAGESIZE);

	return page > 0 ? (uint64_t)page : 4096;
}

static size_t page_count(const struct zone_bytes *zone)
{
	return (zone->size + zone->page - 1) / zone->page;
}

static int open_map_file(struct zone_bytes *zone, pid_t pid)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", (int)pid, (unsigned long)zone->address,
		(unsigned long)(zone->address + zone->size));
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	void *bytes = mmap(NULL, zone->size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (bytes == MAP_FAILED)
		return -1;
	zone->source = ZONE_MAP_FILES;
	zone->bytes = bytes;
	zone->resident = calloc(page_count(zone), 1);
	if (zone->resident && zone_bytes_refresh(zone) == 0)
		return 0;
	zone_bytes_close(zone);
	return -1;
}

int zone_bytes_open(struct zone_bytes *zone, pid_t pid, uint64_t start, uint64_t end)
{
	memset(zone, 0, sizeof(*zone));
	if (end <= start) {
		errno = EINVAL;
		return -1;
	}
	zone->address = start;
	zone->size = end - start;
	zone->page = kernel_page();
	if (open_map_file(zone, pid) == 0)
		return 0;

	/* Reading where nothing is mapped tells whether reading is permitted, and touches nothing. */
	char byte;
	const struct iovec local = {.iov_base = &byte, .iov_len = 1};
	const struct iovec nowhere = {.iov_base = (void *)1, .iov_len = 1};
	if (process_vm_readv(pid, &local, 1, &nowhere, 1, 0) < 0 && errno != EFAULT)
		return -1;
	zone->source = ZONE_PROCESS;
	zone->pid = pid;
	return 0;
}

void zone_bytes_buffer(
	struct zone_bytes *zone, const void *bytes, uint64_t length, uint64_t address, uint64_t size)
{
	*zone = (struct zone_bytes){
		.source = ZONE_BUFFER,
		.address = address,
		.size = size,
		.length = length < size ? length : size,
		.bytes = bytes,
		.page = kernel_page(),
	};
}

void zone_bytes_close(struct zone_bytes *zone)
{
	if (zone->source == ZONE_MAP_FILES && zone->bytes)
		munmap((void *)zone->bytes, zone->size);
	free(zone->resident);
	memset(zone, 0, sizeof(*zone));
}

int zone_bytes_refresh(struct zone_bytes *zone)
{
	if (zone->source != ZONE_MAP_FILES)
		return 0;
	return mincore((void *)zone->bytes, zone->size, zone->resident);
}

uint64_t zone_bytes_resident(const struct zone_bytes *zone)
{
	if (zone->source != ZONE_MAP_FILES)
		return UINT64_MAX;
	uint64_t pages = 0;
	for (size_t i = 0; i < page_count(zone); i++)
		pages += zone->resident[i] & 1;
	return pages * zone->page;
}

static bool is_resident(const struct zone_bytes *zone, uint64_t offset, uint64_t length)
{
	for (uint64_t i = offset / zone->page; i <= (offset + length - 1) / zone->page; i++)
		if (!(zone->resident[i] & 1))
			return false;
	return true;
}

bool zone_bytes_read(const struct zone_bytes *zone, uint64_t offset, void *to, uint64_t length)
{
	if (length == 0)
		return true;
	if (offset > zone->size || length > zone->size - offset)
		return false;

	switch (zone->source) {
	case ZONE_BUFFER:
		if (offset > zone->length || length > zone->length - offset)
			return false;
		break;
	case ZONE_MAP_FILES:
		if (!is_resident(zone, offset, length))
			return false;
		break;
	case ZONE_PROCESS: {
		const struct iovec local = {.iov_base = to, .iov_len = length};
		const struct iovec remote = {
			.iov_base = (void *)(uintptr_t)(zone->address + offset), .iov_len = length};
		return process_vm_readv(zone->pid, &local, 1, &remote, 1, 0) == (ssize_t)length;
	}
	}
	memcpy(to, zone->bytes + offset, length);
	return true;
}
