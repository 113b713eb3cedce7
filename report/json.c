/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.c - JSON by jansson, the only file that knows it. A struct json is one of its values.
 *
 * Printing is our own, for one reason: a report of 100,000 stacks holds the same frames over and
 * over. A value with several owners is turned into text once and copied from then on. Elements of
 * the outer arrays have a line of their own, so that grep and diff are of use.
 */
#include "json.h"

#include "table.h"
#include "xalloc.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* The names json.h lends us are the library's in this file; ours are written out. */
#undef json_object
#undef json_array
#undef json_string
#undef json_integer
#undef json_real
#undef json_null
#include <jansson.h>

static json_t *in(const struct json *value)
{
	return (json_t *)value;
}

static struct json *out(json_t *value)
{
	return xalloc_check(value);
}

/* ---- making -------------------------------------------------------------------------------- */

/* The length of the valid UTF-8 sequence at p, 0 when it is none: no overlong forms, no surrogates. */
static size_t sequence(const unsigned char *p)
{
	const unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	const unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	const size_t length = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (length > 1 && (p[1] < low || p[1] > high))
		return 0;
	for (size_t i = 2; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return length;
}

struct json *heapray_json_string(const char *text)
{
	if (!text)
		return out(json_null());
	char *clean = xcalloc(strlen(text) * 3 + 1, 1), *to = clean;
	for (const unsigned char *p = (const unsigned char *)text; *p;) {
		const size_t length = sequence(p);
		to = length ? mempcpy(to, p, length) : mempcpy(to, "\xef\xbf\xbd", 3);
		p += length ? length : 1;
	}
	json_t *value = json_string_nocheck(clean);
	free(clean);
	return out(value);
}

struct json *heapray_json_object(void)
{
	return out(json_object());
}

struct json *heapray_json_array(void)
{
	return out(json_array());
}

struct json *heapray_json_integer(int64_t value)
{
	return out(json_integer(value));
}

struct json *heapray_json_real(double value)
{
	return out(isfinite(value) ? json_real(value) : json_null());
}

struct json *json_bool(bool value)
{
	return out(json_boolean(value));
}

struct json *heapray_json_null(void)
{
	return out(json_null());
}

struct json *json_share(struct json *value)
{
	return out(json_incref(in(value)));
}

void json_set(struct json *object, const char *key, struct json *value)
{
	json_object_set_new_nocheck(in(object), key, in(value));
}

void json_set_string(struct json *object, const char *key, const char *text)
{
	json_set(object, key, heapray_json_string(text));
}

void json_set_integer(struct json *object, const char *key, int64_t value)
{
	json_set(object, key, heapray_json_integer(value));
}

void json_set_bytes(struct json *object, const char *key, uint64_t value)
{
	if (value == JSON_UNKNOWN)
		json_set(object, key, heapray_json_null());
	else
		json_set_integer(object, key, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

void json_set_real(struct json *object, const char *key, double value)
{
	json_set(object, key, heapray_json_real(value));
}

void json_set_bool(struct json *object, const char *key, bool value)
{
	json_set(object, key, json_bool(value));
}

void json_append(struct json *array, struct json *value)
{
	json_array_append_new(in(array), in(value));
}

/* ---- printing ------------------------------------------------------------------------------ */

#define LINES_TO_DEPTH 2 /* {"rows":[ has depth 2: its elements start on a new line */
#define WRITE_FROM 65536u

struct buffer {
	char *text;
	size_t length, capacity;
};

struct printed { /* text of a value with several owners */
	size_t length;
	char text[];
};

struct printer {
	struct buffer buffer;
	FILE *file;
	struct table *shared; /* by the value's address: its number in printed */
	struct printed **printed;
	size_t printed_count, printed_capacity;
	/* of json_print_rows */
	const char *key;
	size_t count;
	struct json *(*row)(size_t index, void *context);
	void *context;
};

static char *room(struct buffer *b, size_t more)
{
	if (b->capacity - b->length < more) {
		b->capacity = (b->capacity + more) * 2;
		b->text = xreallocarray(b->text, b->capacity, 1);
	}
	return b->text + b->length;
}

static void put(struct buffer *b, const char *text, size_t length)
{
	memcpy(room(b, length), text, length);
	b->length += length;
}

static void put_string(struct buffer *b, const char *text, size_t length)
{
	char *start = room(b, length * 6 + 2), *to = start;

	*to++ = '"';
	for (size_t i = 0; i < length; i++) {
		const unsigned char c = text[i];
		if (c == '"' || c == '\\') {
			*to++ = '\\';
			*to++ = c;
		} else if (c < 0x20 || c == 0x7f) {
			to += sprintf(to, "\\u%04x", c);
		} else {
			*to++ = c;
		}
	}
	*to++ = '"';
	b->length += to - start;
}

static void put_integer(struct buffer *b, int64_t value)
{
	char digits[24], *p = digits + sizeof(digits);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do
		*--p = '0' + rest % 10;
	while (rest /= 10);
	if (value < 0)
		*--p = '-';
	put(b, p, digits + sizeof(digits) - p);
}

static void print_value(struct printer *printer, const json_t *value, unsigned depth);

static void write_out(struct printer *printer)
{
	fwrite(printer->buffer.text, 1, printer->buffer.length, printer->file);
	printer->buffer.length = 0;
}

/* Written as they come: all rows at once would be hundreds of megabytes. */
static void print_rows(struct printer *printer)
{
	put(&printer->buffer, "[", 1);
	for (size_t i = 0; i < printer->count; i++) {
		struct json *row = printer->row(i, printer->context);
		put(&printer->buffer, ",\n" + (i == 0), 1 + (i > 0));
		print_value(printer, in(row), LINES_TO_DEPTH);
		json_free(row);
		if (printer->buffer.length > WRITE_FROM)
			write_out(printer);
	}
	put(&printer->buffer, "]", 1);
}

static void print_object(struct printer *printer, json_t *object, unsigned depth)
{
	struct buffer *b = &printer->buffer;
	const char *key, *separator = "{";
	json_t *member;

	json_object_foreach(object, key, member) {
		put(b, separator, 1);
		put_string(b, key, strlen(key));
		put(b, ":", 1);
		if (depth == 0 && printer->key && strcmp(key, printer->key) == 0)
			print_rows(printer);
		else
			print_value(printer, member, depth + 1);
		separator = ",";
	}
	put(b, *separator == '{' ? "{}" : "}", *separator == '{' ? 2 : 1);
}

static void print_array(struct printer *printer, const json_t *array, unsigned depth)
{
	struct buffer *b = &printer->buffer;
	const size_t count = json_array_size(array);
	const bool lines = depth < LINES_TO_DEPTH && count > 0 && !json_is_number(json_array_get(array, 0));

	put(b, "[", 1);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			put(b, ",", 1);
		if (lines)
			put(b, "\n", 1);
		print_value(printer, json_array_get(array, i), depth + 1);
	}
	put(b, "]", 1);
}

static void print_bare(struct printer *printer, const json_t *value, unsigned depth)
{
	struct buffer *b = &printer->buffer;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		print_object(printer, (json_t *)value, depth);
		return;
	case JSON_ARRAY:
		print_array(printer, value, depth);
		return;
	case JSON_STRING:
		put_string(b, json_string_value(value), json_string_length(value));
		return;
	case JSON_INTEGER:
		put_integer(b, json_integer_value(value));
		return;
	case JSON_REAL:
		b->length += snprintf(room(b, 40), 40, "%.17g", json_real_value(value));
		return;
	case JSON_TRUE:
		put(b, "true", 4);
		return;
	case JSON_FALSE:
		put(b, "false", 5);
		return;
	case JSON_NULL:
		put(b, "null", 4);
	}
}

static void print_value(struct printer *printer, const json_t *value, unsigned depth)
{
	struct buffer *b = &printer->buffer;
	struct printed *known;

	/* true, false and null are the library's own, shared by all: not worth a look-up. */
	if (value->refcount < 2 || !(json_is_object(value) || json_is_array(value))) {
		print_bare(printer, value, depth);
		return;
	}
	bool is_new;
	uint64_t *number = table_at(&printer->shared, &value, sizeof(value), &is_new);
	if (!is_new) {
		known = printer->printed[*number];
		put(b, known->text, known->length);
		return;
	}
	const size_t start = b->length;
	print_bare(printer, value, LINES_TO_DEPTH); /* inside a row: no lines of its own */
	known = xcalloc(1, sizeof(*known) + b->length - start);
	known->length = b->length - start;
	memcpy(known->text, b->text + start, known->length);
	*number = printer->printed_count;
	xgrow(printer->printed, printer->printed_count, printer->printed_capacity);
	printer->printed[printer->printed_count++] = known;
}

void json_print_rows(struct json *value, const char *key, size_t count, struct json *(*row)(size_t index, void *context),
	void *context, FILE *file)
{
	struct printer printer = {.file = file, .key = key, .count = count, .row = row, .context = context};

	print_value(&printer, in(value), 0);
	put(&printer.buffer, "\n", 1);
	write_out(&printer);
	free(printer.buffer.text);
	for (size_t i = 0; i < printer.printed_count; i++)
		free(printer.printed[i]);
	free(printer.printed);
	table_free(&printer.shared);
	json_free(value);
}

void json_print(struct json *value, FILE *file)
{
	json_print_rows(value, NULL, 0, NULL, NULL, file);
}

/* ---- reading ------------------------------------------------------------------------------- */

struct json *json_parse(const char *text, size_t length, char *error, size_t error_size)
{
	json_error_t why;
	json_t *value = json_loadb(text, length, JSON_ALLOW_NUL, &why);

	if (!value && error)
		snprintf(error, error_size, "line %d: %s", why.line, why.text);
	return (struct json *)value;
}

const struct json *json_get(const struct json *object, const char *key)
{
	return (const struct json *)json_object_get(in(object), key);
}

const struct json *json_at(const struct json *array, size_t index)
{
	return (const struct json *)json_array_get(in(array), index);
}

size_t json_length(const struct json *array)
{
	return json_array_size(in(array));
}

int64_t json_to_integer(const struct json *value)
{
	return json_integer_value(in(value));
}

double json_to_real(const struct json *value)
{
	return json_number_value(in(value));
}

const char *json_to_string(const struct json *value)
{
	const char *text = json_string_value(in(value));

	return text ? text : "";
}

bool json_to_bool(const struct json *value)
{
	return json_is_true(in(value));
}

bool json_is_unknown(const struct json *value)
{
	return !value || json_is_null(in(value));
}

const char *json_member(const struct json *object, size_t index, const struct json **value)
{
	void *at = json_object_iter(in(object));

	while (at && index-- > 0)
		at = json_object_iter_next(in(object), at);
	*value = at ? (const struct json *)json_object_iter_value(at) : NULL;
	return at ? json_object_iter_key(at) : NULL;
}

void json_free(struct json *value)
{
	json_decref(in(value));
}
