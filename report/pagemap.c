/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pagemap.c - resident and swapped bytes of parts of mappings, and how parts are made to sum.
 *
 * smaps and pagemap are read one after the other while the program runs, so what they say of one mapping
 * may differ by a few pages. smaps is the truth: the parts are fitted to it (split_exactly).
 */
#include "pagemap.h"
#include "xalloc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* <linux/fs.h> has these from Linux 6.7 on; Debian 12's headers are older than the kernels it runs on. */
struct scan_argument {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask,
		category_anyof_mask, return_mask;
};
struct scan_region {
	uint64_t start, end, categories;
};
#define SCAN_IOCTL _IOWR('f', 16, struct scan_argument)
#define SCAN_PRESENT (1u << 3)
#define SCAN_SWAPPED (1u << 4)
#define SCAN_ZERO_PAGE (1u << 5)

#define WORD_PRESENT (1ull << 63)
#define WORD_SWAPPED (1ull << 62)

/* Fills in the next regions of [start, end) and moves start behind them. Returns how many, or -1. */
static int scan_some(const struct pagemap *pagemap, uint64_t *start, uint64_t end,
	struct scan_region *regions, size_t room)
{
	struct scan_argument argument = {
		.size = sizeof argument,
		.start = *start,
		.end = end,
		.vec = (uintptr_t)regions,
		.vec_len = room,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT | SCAN_SWAPPED | SCAN_ZERO_PAGE,
	};
	int found = ioctl(pagemap->fd, SCAN_IOCTL, &argument);
	if (found < 0 || (size_t)found > room || argument.walk_end <= *start)
		return -1;
	*start = argument.walk_end;
	return found;
}

static int scan(
	const struct pagemap *pagemap, uint64_t start, uint64_t end, uint64_t *resident, uint64_t *swapped)
{
	struct scan_region regions[512];
	*resident = *swapped = 0;
	while (start < end) {
		int found = scan_some(pagemap, &start, end, regions, sizeof regions / sizeof *regions);
		if (found < 0)
			return -1;
		for (int i = 0; i < found; i++) {
			uint64_t length = regions[i].end - regions[i].start;
			if (regions[i].categories & SCAN_SWAPPED)
				*swapped += length;
			else if (!(regions[i].categories & SCAN_ZERO_PAGE))
				*resident += length;
		}
	}
	return 0;
}

static int words(
	const struct pagemap *pagemap, uint64_t start, uint64_t end, uint64_t *resident, uint64_t *swapped)
{
	uint64_t buffer[4096];
	*resident = *swapped = 0;
	for (uint64_t page = start / pagemap->page, last = end / pagemap->page; page < last;) {
		uint64_t want = last - page < 4096 ? last - page : 4096;
		ssize_t got = pread(pagemap->fd, buffer, want * 8, (off_t)(page * 8));
		if (got < 8)
			return -1;
		for (ssize_t i = 0; i < got / 8; i++) {
			*resident += buffer[i] & WORD_PRESENT ? pagemap->page : 0;
			*swapped += buffer[i] & WORD_SWAPPED ? pagemap->page : 0;
		}
		page += (uint64_t)got / 8;
	}
	return 0;
}

void pagemap_open(struct pagemap *pagemap, int pid)
{
	char path[64];
	uint64_t resident, swapped;
	snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
	*pagemap = (struct pagemap){.fd = open(path, O_RDONLY | O_CLOEXEC), .page = (uint64_t)getpagesize()};
	if (pagemap->fd < 0)
		return;
	pagemap->way =
		scan(pagemap, 0, pagemap->page, &resident, &swapped) ? PAGEMAP_WORDS : PAGEMAP_SCAN_IOCTL;
}

void pagemap_close(struct pagemap *pagemap)
{
	if (pagemap->fd >= 0)
		close(pagemap->fd);
	*pagemap = (struct pagemap){.fd = -1};
}

int pagemap_range(
	const struct pagemap *pagemap, uint64_t start, uint64_t end, uint64_t *resident, uint64_t *swapped)
{
	switch (pagemap->way) {
	case PAGEMAP_SCAN_IOCTL:
		return scan(pagemap, start, end, resident, swapped);
	case PAGEMAP_WORDS:
		return words(pagemap, start, end, resident, swapped);
	case PAGEMAP_NONE:
		break;
	}
	return -1;
}

static int scan_pages(const struct pagemap *pagemap, uint64_t start, uint64_t pages, uint8_t *resident)
{
	struct scan_region regions[64];
	uint64_t at = start, end = start + pages * pagemap->page;
	memset(resident, 0, pages);
	while (at < end) {
		int found = scan_some(pagemap, &at, end, regions, sizeof regions / sizeof *regions);
		if (found < 0)
			return -1;
		for (int i = 0; i < found; i++)
			if (!(regions[i].categories & SCAN_SWAPPED) && regions[i].start >= start &&
				regions[i].end <= end)
				memset(resident + (regions[i].start - start) / pagemap->page, 1,
					(regions[i].end - regions[i].start) / pagemap->page);
	}
	return 0;
}

int pagemap_pages(const struct pagemap *pagemap, uint64_t start, uint64_t pages, uint8_t *resident)
{
	if (pagemap->way == PAGEMAP_SCAN_IOCTL)
		return scan_pages(pagemap, start, pages, resident);
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t word;
		if (pagemap->way == PAGEMAP_NONE ||
			pread(pagemap->fd, &word, 8, (off_t)((start / pagemap->page + i) * 8)) != 8)
			return -1;
		resident[i] = (word & WORD_PRESENT) != 0;
	}
	return 0;
}

void split_exactly(uint64_t total, const uint64_t *sizes, uint64_t *measured, size_t count, size_t rest)
{
	uint64_t left = total;
	for (size_t i = 0; i < count; i++) {
		if (measured[i] > sizes[i])
			measured[i] = sizes[i];
		if (measured[i] > left)
			measured[i] = left;
		left -= measured[i];
	}
	for (size_t step = 0; step <= count && left; step++) {
		size_t i = step ? step - 1 : rest;
		uint64_t room = sizes[i] - measured[i];
		uint64_t more = room < left ? room : left;
		measured[i] += more;
		left -= more;
	}
}

/* part * of / whole without overflow; 0 of 0 is 0. */
static uint64_t share(uint64_t part, uint64_t of, uint64_t whole)
{
	return whole ? (uint64_t)((unsigned __int128)part * of / whole) : 0;
}

bool pagemap_parts(const struct pagemap *pagemap, const struct vma *vma, struct part *parts, size_t count)
{
	uint64_t *table = xcalloc(count * 3, sizeof *table);
	uint64_t *sizes = table, *resident = table + count, *swapped = table + 2 * count;
	const struct usage *whole = &vma->figures;
	bool told = true;
	size_t largest = 0;
	for (size_t i = 0; i < count; i++) {
		sizes[i] = parts[i].end - parts[i].start;
		if (sizes[i] > sizes[largest])
			largest = i;
		if (!whole->resident_bytes && !whole->swap_bytes)
			continue;
		if (count > 1 &&
			pagemap_range(pagemap, parts[i].start, parts[i].end, &resident[i], &swapped[i])) {
			resident[i] = share(sizes[i], whole->resident_bytes, whole->virtual_bytes);
			swapped[i] = share(sizes[i], whole->swap_bytes, whole->virtual_bytes);
			told = false;
		}
	}
	split_exactly(whole->resident_bytes, sizes, resident, count, largest);
	struct usage left = *whole;
	for (size_t i = 0; i < count; i++) {
		struct usage *f = &parts[i].figures;
		f->virtual_bytes = sizes[i];
		f->resident_bytes = resident[i];
		f->swap_bytes = swapped[i] < left.swap_bytes ? swapped[i] : left.swap_bytes;
		f->pss_bytes = share(resident[i], whole->pss_bytes, whole->resident_bytes);
		f->swap_pss_bytes = share(f->swap_bytes, whole->swap_pss_bytes, whole->swap_bytes);
		usage_subtract(&left, f);
	}
	/* What rounding left; and a shared object's swap, which is the whole object's and not bounded by
	 * sizes. */
	usage_add(&parts[largest].figures, &left);
	free(table);
	return told;
}
