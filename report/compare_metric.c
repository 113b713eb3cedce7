/* SPDX-License-Identifier: BSD-2-Clause */
/* compare_metric.c - a number in what a load printed, by a regular expression. */
#include "compare_metric.h"

#include "xalloc.h"

#include <math.h>
#include <regex.h>
#include <stdbool.h>

/* POSIX has no \d; it is what people write, in brackets too. */
static char *with_digits(const char *regex)
{
	char *to = xcalloc(strlen(regex) * 3 + 1, 1), *out = to;
	bool bracket = false;

	for (const char *c = regex; *c; c++) {
		if (c[0] == '\\' && c[1] == 'd') {
			out = stpcpy(out, bracket ? "0-9" : "[0-9]");
			c++;
			continue;
		}
		bracket = bracket ? *c != ']' || c[-1] == '[' : *c == '[';
		*out++ = *c;
		if (c[0] == '\\' && c[1] && !bracket)
			*out++ = *++c;
	}
	return to;
}

double metric_find(const char *regex, const char *text, char **bad)
{
	char *posix = with_digits(regex), message[200];
	regmatch_t match[2];
	regex_t compiled;

	*bad = NULL;
	const int error = regcomp(&compiled, posix, REG_EXTENDED | REG_NEWLINE);
	free(posix);
	if (error) {
		regerror(error, &compiled, message, sizeof(message));
		*bad = xstrdup(message);
		return NAN;
	}
	double value = NAN;
	if (regexec(&compiled, text, 2, match, 0) == 0) {
		const regmatch_t *m = match[1].rm_so >= 0 ? &match[1] : &match[0];
		char *number = xasprintf("%.*s", (int)(m->rm_eo - m->rm_so), text + m->rm_so), *end;
		char *start = number + strcspn(number, "-0123456789");
		value = strtod(start, &end);
		if (end == start)
			value = NAN;
		free(number);
	}
	regfree(&compiled);
	return value;
}
