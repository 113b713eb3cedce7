/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_bytes.h - the bytes of a shared-memory zone, read without changing it.
 *
 * A page of shared memory that nobody touched yet is allocated by the first read of it. So no page
 * is read that the kernel does not call resident; where that cannot be asked (ZONE_PROCESS), only
 * what nginx itself has written is read: the pool's head, its page table, and bitmaps.
 */
#ifndef HEAPRAY_ZONE_BYTES_H
#define HEAPRAY_ZONE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum zone_source {
	ZONE_BUFFER,    /* bytes in our own memory */
	ZONE_MAP_FILES, /* /proc/PID/map_files, mapped read-only; mincore tells what is resident */
	ZONE_PROCESS,   /* process_vm_readv of a process that maps it; residency is not known */
};

struct zone_bytes {
	enum zone_source source;
	uint64_t address, size;  /* of the mapping in its processes */
	uint64_t length;         /* ZONE_BUFFER: bytes that are there, from offset 0 */
	const uint8_t *bytes;    /* ZONE_BUFFER, ZONE_MAP_FILES */
	unsigned char *resident; /* ZONE_MAP_FILES: mincore's vector */
	uint64_t page;           /* the kernel's page size */
	pid_t pid;               /* ZONE_PROCESS */
};

/* Opens the mapping [start, end) of pid. Returns 0, or -1 with errno when neither way is permitted. */
int zone_bytes_open(struct zone_bytes *zone, pid_t pid, uint64_t start, uint64_t end);
/* As if the zone of `size` bytes at `address` had been read up to `length`; the bytes stay the caller's. */
void zone_bytes_buffer(
	struct zone_bytes *zone, const void *bytes, uint64_t length, uint64_t address, uint64_t size);
void zone_bytes_close(struct zone_bytes *zone);

/* Asks the kernel again what is resident. Returns 0 or -1. */
int zone_bytes_refresh(struct zone_bytes *zone);
/* Resident bytes of the whole object, whoever touched them; UINT64_MAX when not known. */
uint64_t zone_bytes_resident(const struct zone_bytes *zone);
/* Copies [offset, offset + length) of the zone; false when some of it is outside, not resident, or gone. */
bool zone_bytes_read(const struct zone_bytes *zone, uint64_t offset, void *to, uint64_t length);

#endif
