/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smaps.c - reads and parses /proc/PID/smaps.
 *
 * A mapping is a header line, `start-end perms offset major:minor inode   name`, and lines `Key:  n kB`.
 * The name is whatever the program called its file: it may hold spaces, colons and control characters
 * (the kernel escapes newlines as \012), so a line is a header when it begins as one, and nothing in the
 * name is looked at. Unknown keys are skipped: every kernel adds some.
 */
#include "smaps.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xalloc.h"

/* Reads a number in the base at *p, without sign, blanks or prefix; moves *p behind it. False: no digit, too
 * large. */
static bool number(const char **p, unsigned base, uint64_t *value)
{
	const char *start = *p;
	uint64_t sum = 0;
	for (;; (*p)++) {
		unsigned char c = (unsigned char)**p;
		unsigned digit = isdigit(c) ? c - '0' + 0u : c >= 'a' && c <= 'f' ? c - 'a' + 10u : 99u;
		if (digit >= base)
			break;
		if (__builtin_mul_overflow(sum, base, &sum) || __builtin_add_overflow(sum, digit, &sum))
			return false;
	}
	*value = sum;
	return *p > start;
}

static bool skip(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static bool permissions(const char **p, struct vma *vma)
{
	const char *s = *p;
	if (strnlen(s, 4) < 4 || !strchr("r-", s[0]) || !strchr("w-", s[1]) || !strchr("x-", s[2]) ||
		!strchr("sp", s[3]))
		return false;
	vma->readable = s[0] == 'r';
	vma->writable = s[1] == 'w';
	vma->executable = s[2] == 'x';
	vma->shared = s[3] == 's';
	*p = s + 4;
	return true;
}

/* True when the line is the header of a mapping; fills all but the figures of its pages. */
static bool header(const char *line, struct vma *vma)
{
	const char *p = line;
	uint64_t major, minor;
	*vma = (struct vma){0};
	if (!number(&p, 16, &vma->start) || !skip(&p, '-') || !number(&p, 16, &vma->end) || !skip(&p, ' ') ||
		!permissions(&p, vma) || !skip(&p, ' ') || !number(&p, 16, &vma->offset) || !skip(&p, ' ') ||
		!number(&p, 16, &major) || !skip(&p, ':') || !number(&p, 16, &minor) || !skip(&p, ' ') ||
		!number(&p, 10, &vma->inode))
		return false;
	vma->device_major = (uint32_t)major;
	vma->device_minor = (uint32_t)minor;
	while (*p == ' ')
		p++;
	vma->name = p;
	vma->figures.virtual_bytes = vma->end - vma->start;
	return true;
}

/* Takes a line `Key:   n kB` into the figures. False when a known key has no such value. */
static bool figure(const char *line, struct usage *f)
{
	static const struct {
		const char *key;
		size_t where;
	} keys[] = {
		{"Rss:", offsetof(struct usage, resident_bytes)},
		{"Pss:", offsetof(struct usage, pss_bytes)},
		{"Swap:", offsetof(struct usage, swap_bytes)},
		{"SwapPss:", offsetof(struct usage, swap_pss_bytes)},
	};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		size_t length = strlen(keys[i].key);
		if (strncmp(line, keys[i].key, length))
			continue;
		const char *p = line + length;
		uint64_t kib;
		while (*p == ' ')
			p++;
		if (!number(&p, 10, &kib) || strcmp(p, " kB") || kib > UINT64_MAX >> 10)
			return false;
		*(uint64_t *)((char *)f + keys[i].where) = kib << 10;
		return true;
	}
	return true;
}

/*
 * A resident figure larger than the mapping cannot be. The kernel counts swapped pages of a shared object
 * as a whole, so that one is not bounded by the mapping. Pss is never more than Rss.
 */
static bool plausible(const struct vma *vma)
{
	const struct usage *f = &vma->figures;
	return f->resident_bytes <= f->virtual_bytes && f->pss_bytes <= f->resident_bytes;
}

static bool append(struct smaps *smaps, const struct vma *vma, size_t *room)
{
	const struct vma *last = smaps->count ? &smaps->vmas[smaps->count - 1] : NULL;
	if (vma->start >= vma->end || (last && vma->start < last->end))
		return false;
	if (smaps->count == *room) {
		*room = *room ? *room * 2 : 128;
		smaps->vmas = xreallocarray(smaps->vmas, *room, sizeof *smaps->vmas);
	}
	smaps->vmas[smaps->count++] = *vma;
	return true;
}

static bool parse_lines(struct smaps *smaps, char *text, size_t length)
{
	struct vma vma, *current = NULL;
	size_t room = 0;
	for (char *line = text, *end = text + length; line < end;) {
		char *newline = memchr(line, '\n', (size_t)(end - line));
		if (!newline)
			return false; /* cut short */
		*newline = 0;
		if (header(line, &vma)) {
			if (current && !plausible(current))
				return false;
			if (!append(smaps, &vma, &room))
				return false;
			current = &smaps->vmas[smaps->count - 1];
		} else if (!current || !figure(line, &current->figures)) {
			return false;
		}
		line = newline + 1;
	}
	return !current || plausible(current);
}

int smaps_parse(struct smaps *smaps, char *text, size_t length)
{
	*smaps = (struct smaps){.text = text};
	if (!parse_lines(smaps, text, length)) {
		smaps_free(smaps);
		return -1;
	}
	size_t kept = 0;
	for (size_t i = 0; i < smaps->count; i++) {
		if (!strcmp(smaps->vmas[i].name, "[vsyscall]"))
			continue;
		smaps->vmas[kept++] = smaps->vmas[i];
		usage_add(&smaps->total, &smaps->vmas[i].figures);
	}
	smaps->count = kept;
	return 0;
}

char *proc_read(const char *path, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	size_t room = 64 << 10, used = 0;
	char *text = xcalloc(room, 1);
	ssize_t got;
	while ((got = read(fd, text + used, room - used - 1)) > 0) {
		used += (size_t)got;
		if (room - used <= 4096)
			text = xreallocarray(text, room *= 2, 1);
	}
	int failed = errno;
	close(fd);
	if (got < 0) {
		free(text);
		errno = failed;
		return NULL;
	}
	text[used] = 0;
	*length = used;
	return text;
}

int smaps_read(int pid, struct smaps *smaps)
{
	char path[64];
	size_t length;
	snprintf(path, sizeof path, "/proc/%d/smaps", pid);
	char *text = proc_read(path, &length);
	if (!text)
		return -1;
	if (!smaps_parse(smaps, text, length))
		return 0;
	errno = EPROTO;
	return -1;
}

void smaps_free(struct smaps *smaps)
{
	free(smaps->vmas);
	free(smaps->text);
	*smaps = (struct smaps){0};
}

const struct vma *smaps_find(const struct smaps *smaps, uint64_t address)
{
	size_t low = 0, high = smaps->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (smaps->vmas[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < smaps->count && smaps->vmas[low].start <= address ? &smaps->vmas[low] : NULL;
}

bool vma_is_anonymous(const struct vma *vma)
{
	if (vma->shared || vma->inode || vma->device_major || vma->device_minor)
		return false;
	return !vma->name[0] || !strcmp(vma->name, "[heap]") || !strcmp(vma->name, "[stack]") ||
	       !strncmp(vma->name, "[anon:", 6);
}

void usage_add(struct usage *sum, const struct usage *more)
{
	sum->virtual_bytes += more->virtual_bytes;
	sum->resident_bytes += more->resident_bytes;
	sum->swap_bytes += more->swap_bytes;
	sum->pss_bytes += more->pss_bytes;
	sum->swap_pss_bytes += more->swap_pss_bytes;
}

static void down(uint64_t *from, uint64_t less)
{
	*from -= *from < less ? *from : less;
}

void usage_subtract(struct usage *from, const struct usage *less)
{
	down(&from->virtual_bytes, less->virtual_bytes);
	down(&from->resident_bytes, less->resident_bytes);
	down(&from->swap_bytes, less->swap_bytes);
	down(&from->pss_bytes, less->pss_bytes);
	down(&from->swap_pss_bytes, less->swap_pss_bytes);
}
