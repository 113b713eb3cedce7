/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_loaded.c PID - bytes resident of all shared anonymous objects the process maps, whoever touched them: by
 * mincore over /proc/PID/map_files. For comparison with what heapray says; needs root.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned long loaded(const char *pid, unsigned long start, unsigned long end)
{
	char path[128];
	unsigned long pages = (end - start) / 4096, count = 0;
	snprintf(path, sizeof path, "/proc/%s/map_files/%lx-%lx", pid, start, end);
	const int fd = open(path, O_RDONLY);
	void *map = fd < 0 ? MAP_FAILED : mmap(NULL, end - start, PROT_READ, MAP_SHARED, fd, 0);
	unsigned char *vector = calloc(pages, 1);
	if (map == MAP_FAILED || mincore(map, end - start, vector) != 0) {
		perror(path);
		exit(1);
	}
	for (unsigned long i = 0; i < pages; i++)
		count += vector[i] & 1;
	munmap(map, end - start);
	close(fd);
	free(vector);
	return count * 4096;
}

int main(int argc, char **argv)
{
	char path[64], line[512];
	unsigned long start, end, sum = 0;
	snprintf(path, sizeof path, "/proc/%s/maps", argc > 1 ? argv[1] : "self");
	FILE *maps = fopen(path, "r");
	while (maps && fgets(line, sizeof line, maps))
		if (strstr(line, "/dev/zero (deleted)") && sscanf(line, "%lx-%lx", &start, &end) == 2)
			sum += loaded(argv[1], start, end);
	printf("%lu\n", sum);
	return maps ? 0 : 1;
}
