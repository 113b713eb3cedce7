/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_json.c - a zone as JSON. What cannot be known (no pool, not walked, an old nginx) is null.
 */
#include "zone_report.h"

#include "zone_judge.h"

#include <inttypes.h>

static struct json *sizes_json(const struct zone_sizes *sizes)
{
	struct json *object = json_object(), *by_size = json_object();
	char key[24];

	for (size_t i = 0; i < sizes->length; i++) {
		snprintf(key, sizeof(key), "%" PRIu64, sizes->rows[i].bytes);
		json_set_bytes(by_size, key, sizes->rows[i].count);
	}
	json_set_bytes(object, "count", sizes->count);
	json_set_bytes(object, "bytes", sizes->bytes);
	json_set(object, "sizes", by_size);
	return object;
}

static struct json *slots_json(const struct zone_head *head)
{
	struct json *slots = json_array();

	for (unsigned i = 0; i < head->slots; i++) {
		const struct zone_stat *stat = &head->stats[i];
		struct json *slot = json_object();
		json_set_bytes(slot, "size_bytes", 1ull << (head->min_shift + i));
		json_set_bytes(slot, "total", stat->total);
		json_set_bytes(slot, "used", stat->used);
		json_set_bytes(slot, "requests", stat->requests);
		json_set_bytes(slot, "failures", stat->failures);
		json_append(slots, slot);
	}
	return slots;
}

static struct json *advice_json(const struct zone *zone)
{
	char advice[ZONE_MOST_ADVICE][ZONE_TEXT];
	struct json *array = json_array();
	const size_t count =
		zone->walked ? zone_advise(&zone->copy.head, &zone->counts, advice, ZONE_MOST_ADVICE) : 0;

	for (size_t i = 0; i < count; i++)
		json_append(array, json_string(advice[i]));
	return array;
}

static struct json *fit_json(const struct zone *zone, uint64_t bytes)
{
	struct json *fit = json_object();
	char reason[ZONE_TEXT];

	json_set_bytes(fit, "bytes", bytes);
	json_set_bool(fit, "fits", zone_fits(&zone->copy.head, &zone->counts, bytes, reason));
	json_set_string(fit, "why", reason);
	return fit;
}

static void set_identity(struct json *object, const struct zone *zone)
{
	static const char *const origins[] = {"object", "process", "published", "unread"};
	struct json *pids = json_array();

	for (size_t i = 0; i < zone->pid_count; i++)
		json_append(pids, json_integer(zone->pids[i]));
	json_set(object, "pids", pids);
	json_set_bytes(object, "inode", zone->inode ? zone->inode : JSON_UNKNOWN);
	json_set_string(object, "origin", origins[zone->origin]);
	json_set_bytes(object, "age_ms",
		zone->origin == ZONE_PUBLISHED ? (zone->pool ? zone->age_ns / 1000000 : JSON_UNKNOWN) : 0);
	json_set_string(object, "layout", zone->pool ? zone->copy.head.layout : NULL);
	json_set_string(object, "approximate_why", zone->doubt[0] ? zone->doubt : NULL);
}

struct json *zone_json(const struct zone *zone, const struct zone_question *question)
{
	const struct zone_head *head = &zone->copy.head;
	const bool walked = zone->walked;
	struct json *object = json_object();
	char reason[ZONE_TEXT];
	uint64_t bytes;

	json_set_string(object, "name", zone->name.name);
	json_set_string(object, "kind", zone->name.kind);
	json_set_integer(object, "generation", zone->generation);
	json_set_string(
		object, "state", walked ? zone_state_name(zone_judge(head, &zone->counts, reason)) : NULL);
	json_set_string(object, "reason", walked ? reason : NULL);
	json_set_bool(object, "approximate", zone->doubt[0] != '\0');
	json_set_bytes(object, "size_bytes", zone->end - zone->start);
	json_set_bytes(object, "resident_bytes", zone->resident);
	json_set_bytes(object, "page_bytes", zone->pool ? zone_page_size(head) : JSON_UNKNOWN);
	json_set_bytes(object, "pages_total", zone->pool ? head->page_count : JSON_UNKNOWN);
	json_set_bytes(object, "pages_free",
		walked       ? zone->counts.pages_free
		: zone->pool ? head->pages_free
			     : JSON_UNKNOWN);
	json_set_bytes(
		object, "largest_free_run_pages", walked ? zone->counts.largest_free_run : JSON_UNKNOWN);
	json_set_bytes(object, "free_runs", walked ? zone->counts.free_runs : JSON_UNKNOWN);
	json_set(object, "used", walked ? sizes_json(&zone->counts.used) : json_null());
	json_set(object, "free", walked ? sizes_json(&zone->counts.free) : json_null());
	json_set_bytes(object, "failures", zone->pool ? zone_failures(head) : JSON_UNKNOWN);
	json_set(object, "slots", zone->pool && head->has_stats ? slots_json(head) : json_null());
	json_set(object, "advice", advice_json(zone));
	if (zone_question_applies(question, zone, &bytes))
		json_set(object, "fit", fit_json(zone, bytes));
	set_identity(object, zone);
	return object;
}
