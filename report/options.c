/* SPDX-License-Identifier: BSD-2-Clause */
/* options.c - parses what every command takes, and the units of sizes and durations. */
#include "options.h"

#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEY_JSON = 0x1000, KEY_DIR, KEY_ONE, KEY_COLOR, KEY_BYTES };

static const struct argp_option table[] = {
	{"json", KEY_JSON, NULL, 0, "Print JSON: every row, exact integers", 90},
	{"limit", 'n', "N", 0, "At most N rows; 0 for all", 90},
	{"one", KEY_ONE, NULL, 0, "That process alone, without what it forked", 90},
	{"dir", KEY_DIR, "DIR", 0, "Where the segments are (default: $HEAPRAY_DIR, else /dev/shm/heapray.<uid>)", 90},
	{"bytes", KEY_BYTES, NULL, 0, "Print bytes as plain digits", 90},
	{"color", KEY_COLOR, "WHEN", 0, "auto, always or never", 90},
	{0},
};

static error_t parse_limit(const char *text, struct argp_state *state, struct options *options)
{
	char *end;

	errno = 0;
	const unsigned long long value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-')
		argp_error(state, "--limit: '%s' is not a number of rows", text);
	options->limit = value;
	options->limit_given = true;
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_JSON:
		options->json = true;
		return 0;
	case 'n':
		return parse_limit(arg, state, options);
	case KEY_ONE:
		options->one = true;
		return 0;
	case KEY_DIR:
		options->dir = arg;
		return 0;
	case KEY_BYTES:
		options->exact_bytes = true;
		text_set_exact_bytes(true);
		return 0;
	case KEY_COLOR:
		if (text_set_color(arg) != 0)
			argp_error(state, "--color: '%s' is not one of auto, always, never", arg);
		return 0;
	case ARGP_KEY_ARG:
		if (options->target)
			return ARGP_ERR_UNKNOWN; /* argp says "Too many arguments" */
		options->target = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp options_argp = {.options = table, .parser = parse};

/* The number at the head of text; *rest is what follows it. Returns -1 when there is none. */
static int number(const char *text, double *value, const char **rest)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	*value = strtod(text, &end);
	*rest = end;
	return errno || !isfinite(*value) || *value < 0 ? -1 : 0;
}

int options_parse_bytes(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGTPE";
	const char *rest;
	double value;
	char *end;

	/* Plain digits are taken exactly: a double has 53 bits only. */
	errno = 0;
	const unsigned long long exact = strtoull(text, &end, 10);
	if (isdigit((unsigned char)*text) && *end == '\0' && errno == 0) {
		*bytes = exact;
		return 0;
	}
	if (number(text, &value, &rest) != 0)
		return -1;
	const char *unit = *rest ? strchr(units, toupper((unsigned char)*rest)) : NULL;
	if (unit) {
		value *= exp2(10.0 * (unit - units + 1));
		rest++;
	}
	if (strcasecmp(rest, "") != 0 && strcasecmp(rest, "B") != 0 && !(unit && strcasecmp(rest, "iB") == 0))
		return -1;
	if (value >= 18446744073709551615.0)
		return -1;
	*bytes = (uint64_t)value;
	return 0;
}

int options_parse_duration(const char *text, uint64_t *ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
	const char *rest;
	double value;

	if (number(text, &value, &rest) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(rest, units[i].name) != 0)
			continue;
		if (value * units[i].ns >= 9.2e18)
			return -1;
		*ns = (uint64_t)(value * units[i].ns);
		return 0;
	}
	return -1;
}
