/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.c - units, colour and errors for people. One struct of settings; all results of text_bytes and
 * its like live in one ring, so that several fit one printf.
 */
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RING 8
#define RING_BYTES 512

static struct {
	bool color_known, color, exact;
} settings;

static char *ring(void)
{
	static char buffers[RING][RING_BYTES];
	static unsigned next;

	return buffers[next++ % RING];
}

/* ---- colour -------------------------------------------------------------------------------- */

static bool color_by_terminal(void)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

int text_set_color(const char *mode)
{
	if (strcmp(mode, "always") == 0)
		settings.color = true;
	else if (strcmp(mode, "never") == 0)
		settings.color = false;
	else if (strcmp(mode, "auto") == 0)
		settings.color = color_by_terminal();
	else
		return -1;
	settings.color_known = true;
	return 0;
}

bool text_color(void)
{
	if (!settings.color_known)
		text_set_color("auto");
	return settings.color;
}

static const char *sgr(const char *sequence)
{
	return text_color() ? sequence : "";
}

const char *text_bold(void)
{
	return sgr("\033[1m");
}
const char *text_dim(void)
{
	return sgr("\033[2m");
}
const char *text_red(void)
{
	return sgr("\033[31m");
}
const char *text_green(void)
{
	return sgr("\033[32m");
}
const char *text_yellow(void)
{
	return sgr("\033[33m");
}
const char *text_cyan(void)
{
	return sgr("\033[36m");
}
const char *text_reset(void)
{
	return sgr("\033[0m");
}

int text_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;

	if (columns && atoi(columns) >= 20)
		return atoi(columns);
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
		return size.ws_col;
	return 100;
}

/* ---- units --------------------------------------------------------------------------------- */

void text_set_exact_bytes(bool exact)
{
	settings.exact = exact;
}

const char *text_bytes(uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	char *text = ring();
	double value = bytes;
	unsigned unit = 0;

	if (bytes == UINT64_MAX)
		return "unknown";
	if (settings.exact || bytes < 1024) {
		snprintf(text, RING_BYTES, settings.exact ? "%" PRIu64 : "%" PRIu64 " B", bytes);
		return text;
	}
	/* 1023.95 and more would print as 1024.0: go to the next unit. */
	while (value >= 1023.95 && unit < 6) {
		value /= 1024;
		unit++;
	}
	snprintf(text, RING_BYTES, "%.1f %s", value, units[unit]);
	return text;
}

const char *text_signed_bytes(int64_t bytes)
{
	const uint64_t size = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;
	const char *plain = text_bytes(size);
	char *text = ring();

	snprintf(text, RING_BYTES, "%c%s", bytes < 0 ? '-' : '+', plain);
	return text;
}

const char *text_count(uint64_t count)
{
	char digits[24], *text = ring(), *out = text;
	const int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);

	if (count == UINT64_MAX)
		return "unknown";
	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return text;
}

const char *text_duration(uint64_t ns)
{
	char *text = ring();
	const uint64_t seconds = ns / 1000000000u, minutes = seconds / 60, hours = minutes / 60;

	if (seconds < 1)
		snprintf(text, RING_BYTES, "%" PRIu64 " ms", ns / 1000000u);
	else if (seconds < 60)
		snprintf(text, RING_BYTES, "%.1f s", ns / 1e9);
	else if (minutes < 60)
		snprintf(text, RING_BYTES, "%" PRIu64 " min %" PRIu64 " s", minutes, seconds % 60);
	else if (hours < 48)
		snprintf(text, RING_BYTES, "%" PRIu64 " h %" PRIu64 " min", hours, minutes % 60);
	else
		snprintf(text, RING_BYTES, "%" PRIu64 " days %" PRIu64 " h", hours / 24, hours % 24);
	return text;
}

const char *text_safe(const char *hostile, size_t max)
{
	char *text = ring();
	size_t length = strlen(hostile);
	bool cut = false;

	if (max > RING_BYTES - 1)
		max = RING_BYTES - 1;
	if (length > max) {
		length = max > 3 ? max - 3 : max;
		while (length > 0 && ((unsigned char)hostile[length] & 0xc0) == 0x80)
			length--; /* not in the middle of a character */
		cut = max > 3;
	}
	for (size_t i = 0; i < length; i++) {
		const unsigned char c = hostile[i];
		text[i] = c < 0x20 || c == 0x7f ? '?' : c;
	}
	strcpy(text + length, cut ? "..." : "");
	return text;
}

/* ---- errors and notes ---------------------------------------------------------------------- */

void text_error(const char *try_this, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	va_start(args, format);
	fputs("heapray: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	if (try_this)
		fprintf(stderr, "%s\n", try_this);
}

void text_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("heapray: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}
