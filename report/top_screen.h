/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_screen.h - a terminal as a grid of cells. top_screen.c is the only file that knows which library draws it.
 *
 * Text is UTF-8 and cut to the width given. Nothing appears before screen_show.
 */
#ifndef HEAPRAY_TOP_SCREEN_H
#define HEAPRAY_TOP_SCREEN_H

#include <stdbool.h>

enum screen_style { SCREEN_PLAIN, SCREEN_BOLD, SCREEN_DIM, SCREEN_UP, SCREEN_DOWN, SCREEN_BAR, SCREEN_HEAD, SCREEN_SELECTED };

enum screen_key {
	SCREEN_NONE = -1, /* the time is over */
	SCREEN_UP_KEY = 0x10000,
	SCREEN_DOWN_KEY,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
	SCREEN_HOME,
	SCREEN_END,
	SCREEN_ENTER,
	SCREEN_ESCAPE,
	SCREEN_BACKSPACE,
	SCREEN_RESIZED,
	SCREEN_CLOSED, /* the terminal is gone */
	/* below 0x10000: the character itself */
};

/* Returns -1 when standard output and input are no terminal, or of a kind that is not known (printed). */
int screen_open(bool colour);
void screen_close(void);
void screen_size(int *rows, int *columns);
void screen_clear(void);
/* Writes at most `width` columns; what does not fit the screen is left out. */
void screen_put(int row, int column, int width, enum screen_style style, const char *text);
void screen_show(void);
/* Waits for a key, at most so long. */
int screen_wait(int milliseconds);

#endif
