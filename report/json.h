/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.h - building and printing JSON. json.c is the only file that knows which library does it.
 *
 * Integers stay exact up to 2^63-1. Strings may hold any bytes: what is not valid UTF-8 is replaced
 * by U+FFFD before it gets near the library, so that a hostile path cannot make a report vanish.
 * A value given to json_set or json_append is owned by its container from then on.
 */
#ifndef HEAPRAY_JSON_H
#define HEAPRAY_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* jansson has functions of these names: ours get symbols of their own. */
#define json_object heapray_json_object
#define json_array heapray_json_array
#define json_string heapray_json_string
#define json_integer heapray_json_integer
#define json_real heapray_json_real
#define json_null heapray_json_null

struct json; /* a value */

#define JSON_UNKNOWN UINT64_MAX /* json_set_bytes prints it as null: not known, which is not 0 */

struct json *json_object(void);
struct json *json_array(void);
struct json *json_string(const char *text); /* NULL gives null */
struct json *json_integer(int64_t value);
struct json *json_real(double value);
struct json *json_bool(bool value);
struct json *json_null(void);

void json_set(struct json *object, const char *key, struct json *value);
void json_set_string(struct json *object, const char *key, const char *text);
void json_set_integer(struct json *object, const char *key, int64_t value);
void json_set_bytes(struct json *object, const char *key, uint64_t value); /* JSON_UNKNOWN: null */
void json_set_real(struct json *object, const char *key, double value);
void json_set_bool(struct json *object, const char *key, bool value);
void json_append(struct json *array, struct json *value);
/* One more owner of the same value: what many rows hold is built, and turned into text, once. */
struct json *json_share(struct json *value);

/* Prints with a newline at the end and frees the value. Keys keep the order they were set in; each
 * element of an outer array has a line of its own. */
void json_print(struct json *value, FILE *out);
/*
 * The same for a report with very many rows: member `key` of the object `value` is printed as an array
 * of `count` elements, each made by row() when its turn comes and freed behind it. The member must
 * have been set (json_null) at its place.
 */
void json_print_rows(struct json *value, const char *key, size_t count, struct json *(*row)(size_t index, void *context),
	void *context, FILE *out);

/* For reading (snapshots, tests): all return a neutral value when the shape is not as asked. */
struct json *json_parse(const char *text, size_t length, char *error, size_t error_size);
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_at(const struct json *array, size_t index);
size_t json_length(const struct json *array);
int64_t json_to_integer(const struct json *value);
double json_to_real(const struct json *value);
const char *json_to_string(const struct json *value);
bool json_to_bool(const struct json *value);
bool json_is_unknown(const struct json *value); /* null, or not there */
/* The key and the value of a member by its number, in the order they were set; NULL past the last. */
const char *json_member(const struct json *object, size_t index, const struct json **value);
void json_free(struct json *value);

#endif
