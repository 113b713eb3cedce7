/* SPDX-License-Identifier: BSD-2-Clause */
/* markup.c - the one place where text from outside becomes markup. */
#include "markup.h"

#include "text.h"

#include <inttypes.h>
#include <string.h>

/* The code point at p and its length; 0 when it is no UTF-8: no overlong forms, no surrogates. */
static uint32_t decode(const unsigned char *p, size_t *length)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	uint32_t code = n > 1 ? p[0] & (0xffu >> (n + 1)) : p[0];

	*length = 1;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (n == 0 || (n > 1 && code < least[n]) || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff)
		return 0;
	*length = n;
	return code;
}

/* C0 and C1, and the marks that make text run backwards or not show at all. */
static bool is_unseen(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
		(code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
		(code & 0xfffe) == 0xfffe;
}

void markup_short(FILE *out, const char *hostile, size_t most)
{
	size_t length;

	for (const unsigned char *p = (const unsigned char *)hostile; p && *p; p += length) {
		const uint32_t code = decode(p, &length);
		if ((size_t)(p - (const unsigned char *)hostile) + length > most) {
			fputs("...", out);
			return;
		}
		if (code == 0)
			fputs("\xef\xbf\xbd", out);
		else if (is_unseen(code))
			fputc('?', out);
		else if (strchr("<>&\"'", *p))
			fprintf(out, "&#%u;", *p);
		else
			fwrite(p, 1, length, out);
	}
}

void markup_text(FILE *out, const char *hostile)
{
	markup_short(out, hostile, SIZE_MAX);
}

static void figure(FILE *out, const struct json *object, const char *path, const char *key, bool bytes)
{
	const struct json *value = json_get(object, key);

	if (json_is_unknown(value)) {
		fputs("<span class=\"unknown\">unknown</span>", out);
		return;
	}
	const int64_t number = json_to_integer(value);
	fprintf(out, "<data value=\"%" PRId64 "\" data-json=\"%s.%s\">%s</data>", number, path, key,
		!bytes ? text_count(number) : number < 0 ? text_signed_bytes(number) : text_bytes(number));
}

void markup_bytes(FILE *out, const struct json *object, const char *path, const char *key)
{
	figure(out, object, path, key, true);
}

void markup_count(FILE *out, const struct json *object, const char *path, const char *key)
{
	figure(out, object, path, key, false);
}
