/* SPDX-License-Identifier: BSD-2-Clause */
/* top_screen.c - the grid, by ncursesw. */
#define NCURSES_WIDECHAR 1
#include "top_screen.h"

#include "text.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#define MOST_COLUMNS 512

static SCREEN *screen;
static bool coloured;

/* Blocks and lines are drawn with characters that only UTF-8 has. */
static void use_utf8(void)
{
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

int screen_open(bool colour)
{
	const char *term = getenv("TERM");

	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) {
		text_error("`heapray growth' and `heapray stacks' print to files.", "top: standard input and output must be a terminal");
		return -1;
	}
	use_utf8();
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		text_error("Set TERM to its kind, for example xterm.", "TERM: %s: no such kind of terminal", text_safe(term ? term : "", 40));
		return -1;
	}
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	set_escdelay(25);
	coloured = colour && has_colors() && start_color() == OK && use_default_colors() == OK;
	if (coloured) {
		init_pair(1, COLOR_RED, -1);
		init_pair(2, COLOR_GREEN, -1);
		init_pair(3, COLOR_CYAN, -1);
	}
	return 0;
}

void screen_close(void)
{
	endwin();
	delscreen(screen);
	screen = NULL;
}

void screen_size(int *rows, int *columns)
{
	getmaxyx(stdscr, *rows, *columns);
}

void screen_clear(void)
{
	erase();
}

static attr_t attributes(enum screen_style style)
{
	switch (style) {
	case SCREEN_BOLD:
		return A_BOLD;
	case SCREEN_DIM:
		return A_DIM;
	case SCREEN_UP:
		return coloured ? (attr_t)COLOR_PAIR(1) : A_BOLD;
	case SCREEN_DOWN:
		return coloured ? (attr_t)COLOR_PAIR(2) : A_NORMAL;
	case SCREEN_BAR:
		return coloured ? (attr_t)COLOR_PAIR(3) : A_NORMAL;
	case SCREEN_HEAD:
	case SCREEN_SELECTED:
		return A_REVERSE;
	default:
		return A_NORMAL;
	}
}

/* As many characters of the text as fit into width columns. */
static int cut(const wchar_t *text, int width)
{
	int used = 0, count = 0;

	for (; text[count]; count++) {
		const int columns = wcwidth(text[count]);
		if (columns < 0 || used + columns > width)
			break;
		used += columns;
	}
	return count;
}

void screen_put(int row, int column, int width, enum screen_style style, const char *text)
{
	wchar_t wide[MOST_COLUMNS + 1];
	int rows, columns;

	screen_size(&rows, &columns);
	if (row < 0 || row >= rows || column < 0 || column >= columns)
		return;
	const size_t length = mbstowcs(wide, text, MOST_COLUMNS);
	if (length == (size_t)-1)
		return;
	wide[length] = L'\0';
	attrset(attributes(style));
	mvaddnwstr(row, column, wide, cut(wide, width < columns - column ? width : columns - column));
	attrset(A_NORMAL);
}

void screen_show(void)
{
	refresh();
}

static int translate(wint_t key)
{
	switch (key) {
	case KEY_UP:
		return SCREEN_UP_KEY;
	case KEY_DOWN:
		return SCREEN_DOWN_KEY;
	case KEY_PPAGE:
		return SCREEN_PAGE_UP;
	case KEY_NPAGE:
		return SCREEN_PAGE_DOWN;
	case KEY_HOME:
		return SCREEN_HOME;
	case KEY_END:
		return SCREEN_END;
	case KEY_ENTER:
		return SCREEN_ENTER;
	case KEY_BACKSPACE:
		return SCREEN_BACKSPACE;
	case KEY_RESIZE:
		return SCREEN_RESIZED;
	default:
		return SCREEN_NONE;
	}
}

int screen_wait(int milliseconds)
{
	wint_t key;

	timeout(milliseconds);
	const int kind = get_wch(&key);
	if (kind == KEY_CODE_YES)
		return translate(key);
	if (kind == ERR) {
		/* A terminal that went away answers at once, for ever. */
		struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
		return poll(&input, 1, 0) == 1 && (input.revents & (POLLHUP | POLLERR | POLLNVAL)) ? SCREEN_CLOSED : SCREEN_NONE;
	}
	if (key == L'\n' || key == L'\r')
		return SCREEN_ENTER;
	if (key == 27)
		return SCREEN_ESCAPE;
	if (key == 127 || key == 8)
		return SCREEN_BACKSPACE;
	return (int)key;
}
