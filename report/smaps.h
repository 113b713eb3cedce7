/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smaps.h - one read of /proc/PID/smaps: the mappings of a process with what the kernel says of each.
 *
 * [vsyscall] is left out: it is not memory of the process, and the kernel's own VmSize leaves it out.
 */
#ifndef HEAPRAY_SMAPS_H
#define HEAPRAY_SMAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is told of a piece of address space, in bytes. Pss: shared pages divided by who shares them. */
struct usage {
	uint64_t virtual_bytes, resident_bytes, swap_bytes, pss_bytes, swap_pss_bytes;
};

struct vma {
	uint64_t start, end, offset, inode;
	uint32_t device_major, device_minor;
	bool readable, writable, executable, shared;
	const char *name; /* path or [name], "" for none; lives as long as the struct smaps */
	struct usage figures;
};

struct smaps {
	struct vma *vmas; /* ascending, without overlap */
	size_t count;
	struct usage total;
	char *text; /* what the names point into */
};

/*
 * Parses `length` bytes of text, which may be anything: a name that a hostile program chose, a line cut
 * short. Takes the text over (it is changed and freed with smaps_free). Returns 0, or -1 when the text is
 * no smaps: a header that does not read, ranges that go back or overlap, figures above the range's size.
 */
int smaps_parse(struct smaps *smaps, char *text, size_t length);

/* Reads /proc/PID/smaps and parses it. Returns 0, or -1 with errno (EPROTO when it does not parse). */
int smaps_read(int pid, struct smaps *smaps);

void smaps_free(struct smaps *smaps);

/* The mapping that holds the address, or NULL. */
const struct vma *smaps_find(const struct smaps *smaps, uint64_t address);

/* Anonymous private memory: no file behind it, no name of the kernel's but [heap], [stack], [anon:...]. */
bool vma_is_anonymous(const struct vma *vma);

void usage_add(struct usage *sum, const struct usage *more);
void usage_subtract(struct usage *from, const struct usage *less); /* each down to 0, not below */

/* Reads a /proc file of unknown length whole, with a NUL behind it. NULL with errno on failure; free() it. */
char *proc_read(const char *path, size_t *length);

#endif
