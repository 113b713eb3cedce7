/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scribble.c FILE SEED - overwrites words here and there in a file's first megabyte and its header: with random
 * ones, very large ones, and off-by-ones of what was there. The same seed scribbles the same.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	const int fd = open(argv[1], O_RDWR);
	uint64_t x = strtoull(argv[2], NULL, 10) * 0x9e3779b97f4a7c15ull + 1;
	const off_t size = lseek(fd, 0, SEEK_END);
	for (int i = 0; i < 40; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		const off_t range = i % 4 == 0 ? 8192 : size < 1 << 20 ? size : 1 << 20;
		off_t at = (off_t)(x >> 20) % (range - 8) & ~7;
		if (at < 16)
			at += 16; /* magic and version are tested apart */
		uint64_t word = 0;
		if (pread(fd, &word, 8, at) != 8)
			return 3;
		switch (x >> 5 & 3) {
		case 0: word = x; break;
		case 1: word = UINT64_MAX - (x >> 60); break;
		case 2: word += 1; break;
		default: word ^= 1ull << (x >> 8 & 63);
		}
		if (pwrite(fd, &word, 8, at) != 8)
			return 3;
	}
	return 0;
}
