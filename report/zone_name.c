/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_name.c - kind and name from a pool's log context.
 *
 * nginx's modules all write ` in WHAT "NAME"`. The known WHATs have short names of ours; of an
 * unknown one, its own words are the kind, without a final "zone".
 */
#include "zone_name.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *what, *kind;
} kinds[] = {
	{"lua_shared_dict zone", "lua_shared_dict"},
	{"limit_req zone", "limit_req"},
	{"limit_conn_zone", "limit_conn"},
	{"cache keys zone", "cache keys"},
	{"upstream zone", "upstream"},
	{"SSL session shared cache", "SSL session"},
	{"OCSP cache", "OCSP"},
	{"sticky session zone", "sticky"},
	{"vhost_traffic_status_zone", "VTS"},
};

static void set_kind(struct zone_name *name, const char *what, size_t length)
{
	static const char zone[] = " zone";
	const size_t tail = sizeof(zone) - 1;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i].what) == length && memcmp(kinds[i].what, what, length) == 0) {
			snprintf(name->kind, sizeof(name->kind), "%s", kinds[i].kind);
			return;
		}
	}
	if (length > tail && memcmp(what + length - tail, zone, tail) == 0)
		length -= tail;
	snprintf(name->kind, sizeof(name->kind), "%.*s", (int)length, what);
}

bool zone_name_parse(const char *log_context, struct zone_name *name)
{
	const char *open = strchr(log_context, '"'), *close = strrchr(log_context, '"');

	if (strncmp(log_context, " in ", 4) != 0 || !open)
		return false;
	const char *what = log_context + 4;
	if (open < what + 2 || open[-1] != ' ')
		return false;
	/* A name that was cut has no closing quote. */
	const size_t length = close > open ? (size_t)(close - open - 1) : strlen(open + 1);
	set_kind(name, what, open - 1 - what);
	snprintf(name->name, sizeof(name->name), "%.*s", (int)(length < ZONE_NAME ? length : ZONE_NAME - 1),
		open + 1);
	return true;
}
