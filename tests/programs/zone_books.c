/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_books.c PID - prints the books nginx itself keeps of each slab pool that PID maps, read from its
 * memory by the offsets of nginx 1.11.7 and later: the count of free pages, the list of free pages, the
 * slots.
 *
 *   INODE pages N list N runs N longest N
 *   INODE slot BYTES free N total N used N requests N failures N
 *
 * A pool whose lock is held is said to be `locked`.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

static int pid;

static uint64_t word(uint64_t address)
{
	uint64_t value = 0;
	const struct iovec local = {&value, 8}, remote = {(void *)address, 8};

	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != 8) {
		perror("process_vm_readv");
		exit(2);
	}
	return value;
}

static void books(uint64_t pool, unsigned long inode)
{
	const uint64_t stats = word(pool + 72), list = pool + 48;
	uint64_t sum = 0, runs = 0, longest = 0;

	for (uint64_t page = word(list + 8); page != list; page = word(page + 8), runs++) {
		const uint64_t count = word(page);
		sum += count;
		longest = count > longest ? count : longest;
	}
	printf("%lu pages %lu list %lu runs %lu longest %lu\n", inode, word(pool + 80), sum, runs, longest);
	for (unsigned i = 0; i < 9; i++) {
		const uint64_t at = stats + i * 32, total = word(at), used = word(at + 8),
			       requests = word(at + 16);
		if (total || requests)
			printf("%lu slot %u free %lu total %lu used %lu requests %lu failures %lu\n", inode,
				8u << i, total - used, total, used, requests, word(at + 24));
	}
	if (word(pool))
		printf("%lu locked\n", inode);
}

int main(int argc, char **argv)
{
	char line[512];

	pid = argc > 1 ? atoi(argv[1]) : 0;
	snprintf(line, sizeof(line), "/proc/%d/maps", pid);
	FILE *maps = fopen(line, "r");
	if (!maps)
		return 2;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long start, end, inode;
		if (sscanf(line, "%lx-%lx rw-s %*s %*s %lu /dev/zero", &start, &end, &inode) != 3 ||
			!strstr(line, "/dev/zero"))
			continue;
		if (word(start + 192) == start) /* pool->addr */
			books(start, inode);
	}
	fclose(maps);
	return 0;
}
