/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_snapshot.c - hostile snapshots through snapshot_open: the parts' frame, the JSON, births, symbols, segments.
 *
 * An input is what the gzip holds, without its first line; one that begins with 0x1f is the packed file itself. A
 * corpus is made by `heapray snapshot` and cut short by the fuzzer.
 */
#include "snapshot.h"
#include "snapshot_symbols.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#define FIRST_LINE "heapray snapshot 1\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* The input as a file in memory. Returns its name in /proc. */
static const char *file_of(const uint8_t *data, size_t length, int *fd)
{
	static char path[64];

	*fd = memfd_create("snapshot", 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	if (length > 0 && data[0] == 0x1f)
		return write(*fd, data, length) == (ssize_t)length ? path : NULL;
	gzFile out = gzdopen(dup(*fd), "wb1");
	gzwrite(out, FIRST_LINE, strlen(FIRST_LINE));
	gzwrite(out, data, (unsigned)length);
	gzclose(out);
	return path;
}

static void look(const struct family *family)
{
	const struct snapshot_births *births;
	volatile uint64_t sum = 0;

	for (size_t i = 0; i < family->count; i++) {
		const size_t count = snapshot_births(family->snapshot, i, &births);
		for (size_t j = 0; j < count; j++)
			sum += births[j].bytes + births[j].site;
	}
	snapshot_report(family->snapshot, "breakdown");
	snapshot_report(family->snapshot, "zones");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct family family = {0};
	int fd;
	const char *path = file_of(data, length, &fd);

	if (path && snapshot_is(path) && snapshot_open(path, false, &family) == 0) {
		look(&family);
		family_close(&family);
	}
	close(fd);
	return 0;
}
