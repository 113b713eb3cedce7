/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot_show.c - the reports that were kept in a snapshot: as they are in JSON, as a table for people.
 */
#include "snapshot.h"

#include "text.h"
#include "xalloc.h"

#include <time.h>

static uint64_t bytes_of(const struct json *object, const char *key)
{
	return (uint64_t)json_to_integer(json_get(object, key));
}

static const char *text_of(const struct json *object, const char *key)
{
	const char *text = json_to_string(json_get(object, key));

	return text_safe(text ? text : "", 60);
}

static int not_kept(const char *name)
{
	text_error("It is kept when the process lives and may be looked at.", "%s: not in this snapshot", name);
	return 2;
}

static void print_head(const struct snapshot *snapshot, const char *what)
{
	const time_t seconds = (time_t)(snapshot_taken_realtime_ns(snapshot) / 1000000000u);
	struct tm local;
	char when[64];

	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %Z", localtime_r(&seconds, &local));
	printf("%s%s%s of a snapshot taken %s\n", text_bold(), what, text_reset(), when);
}

static void print_system(const char *label, const struct json *system)
{
	printf("  %-28s %12s %12s %12s\n", label, text_bytes(bytes_of(system, "virtual_bytes")), text_bytes(bytes_of(system, "resident_bytes")),
		text_bytes(bytes_of(system, "swap_bytes")));
}

static void print_ledger(const struct json *ledger)
{
	const struct json *components = json_get(ledger, "components");

	for (size_t i = 0; i < json_length(components); i++) {
		const struct json *c = json_at(components, i);
		char label[64];
		snprintf(label, sizeof(label), "%s", text_of(c, "label"));
		print_system(label, c);
	}
	if (json_get(ledger, "unexplained"))
		print_system("unexplained", json_get(ledger, "unexplained"));
	print_system("all", json_get(ledger, "system"));
}

int snapshot_show_breakdown(const struct snapshot *snapshot, bool json)
{
	const struct json *report = snapshot_report(snapshot, "breakdown");

	if (!report)
		return not_kept("breakdown");
	if (json) {
		json_print(json_share((struct json *)report), stdout);
		return 0;
	}
	const struct json *processes = json_get(report, "processes");
	print_head(snapshot, "Breakdown");
	for (size_t i = 0; i < json_length(processes); i++) {
		const struct json *p = json_at(processes, i);
		printf("\n%s%lld %s%s %s\n", text_bold(), (long long)json_to_integer(json_get(p, "pid")), text_of(p, "role"), text_reset(),
			text_of(p, "exe"));
		printf("%s  %-28s %12s %12s %12s%s\n", text_dim(), "", "virtual", "resident", "swap", text_reset());
		print_ledger(p);
	}
	if (json_length(processes) > 1) {
		printf("\n%sAll %zu processes%s\n", text_bold(), json_length(processes), text_reset());
		print_ledger(json_get(report, "total"));
	}
	return 0;
}

static bool is_named(const struct json *zone, const char *name)
{
	const char *text = json_to_string(json_get(zone, "name"));

	return !name || (text && strcmp(text, name) == 0);
}

static int no_zone(const char *name)
{
	text_error("`heapray zones' without a name lists them.", "%s: no such zone", text_safe(name, 80));
	return 2;
}

int snapshot_show_zones(const struct snapshot *snapshot, const char *name, bool json)
{
	const struct json *report = snapshot_report(snapshot, "zones"), *zones = json_get(report, "zones");
	size_t shown = 0;

	if (!report)
		return not_kept("zones");
	if (json && !name) {
		json_print(json_share((struct json *)report), stdout);
		return 0;
	}
	struct json *chosen = json_array();
	for (size_t i = 0; i < json_length(zones); i++) {
		if (is_named(json_at(zones, i), name))
			json_append(chosen, json_share((struct json *)json_at(zones, i)));
	}
	shown = json_length(chosen);
	if (name && shown == 0)
		return no_zone(name);
	if (json) {
		struct json *out = json_object();
		json_set_integer(out, "schema", 1);
		json_set(out, "zones", chosen);
		struct json *quality = (struct json *)json_get(report, "quality");
		json_set(out, "quality", quality ? json_share(quality) : json_null());
		json_print(out, stdout);
		return 0;
	}
	print_head(snapshot, "Zones");
	printf("%s  %-24s %-18s %-10s %10s %10s %10s%s\n", text_dim(), "zone", "kind", "state", "size", "used", "free", text_reset());
	for (size_t i = 0; i < shown; i++) {
		const struct json *z = json_at(chosen, i);
		char label[64], kind[64];
		snprintf(label, sizeof(label), "%s", text_of(z, "name"));
		snprintf(kind, sizeof(kind), "%s", text_of(z, "kind"));
		printf("  %-24s %-18s %-10s %10s %10s %10s\n", label, kind, text_of(z, "state"), text_bytes(bytes_of(z, "size_bytes")),
			text_bytes(bytes_of(json_get(z, "used"), "bytes")), text_bytes(bytes_of(json_get(z, "free"), "bytes")));
	}
	json_free(chosen);
	return 0;
}
