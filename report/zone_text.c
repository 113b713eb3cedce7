/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_text.c - zones for people: the table of all, and one at length.
 */
#include "zone_report.h"

#include "text.h"
#include "zone_draw.h"
#include "zone_judge.h"

#include <inttypes.h>
#include <string.h>

bool zone_question_applies(const struct zone_question *question, const struct zone *zone, uint64_t *bytes)
{
	if (!zone->walked || (!question->fit && !question->fit_value))
		return false;
	*bytes = question->bytes;
	if (!question->fit_value)
		return true;
	*bytes += ZONE_DICT_OVERHEAD + question->key_length;
	return strcmp(zone->name.kind, "lua_shared_dict") == 0;
}

static const char *label(const struct zone *zone)
{
	return zone->name.name[0] ? text_safe(zone->name.name, 32) : "-";
}

static const char *state_color(enum zone_state state)
{
	return state == ZONE_FINE ? text_green() : state == ZONE_FULL ? text_yellow() : text_red();
}

static const char *number(char text[24], bool known, uint64_t value)
{
	snprintf(text, 24, known && value != ZONE_UNKNOWN ? "%" PRIu64 : "-", value);
	return text;
}

/* ---- the table ----------------------------------------------------------------------------- */

static void table_row(const struct zone *zone, bool generations, FILE *out)
{
	const struct zone_head *head = &zone->copy.head;
	const bool walked = zone->walked;
	char generation[24] = "", pages[24], total[24], run[24], failures[24], reason[ZONE_TEXT];

	if (generations)
		snprintf(generation, sizeof(generation), "%3u  ", zone->generation);
	fprintf(out, "%-20s %s%-16s %10s %10s %8s/%-8s %7s %10s %10s %8s  ", label(zone), generation,
		text_safe(zone->name.kind, 24), text_bytes(zone->end - zone->start),
		zone->resident == ZONE_UNKNOWN ? "-" : text_bytes(zone->resident),
		number(pages, zone->pool, walked ? zone->counts.pages_free : head->pages_free),
		number(total, zone->pool, head->page_count),
		number(run, walked, zone->counts.largest_free_run),
		walked ? text_bytes(zone->counts.used.bytes) : "-",
		walked ? text_bytes(zone->counts.free.bytes) : "-",
		number(failures, zone->pool, zone_failures(head)));
	if (!walked) {
		fprintf(out, "%s\n",
			zone->origin == ZONE_PUBLISHED ? "as published"
			: zone->origin == ZONE_UNREAD  ? "not read"
						       : "no slabs");
		return;
	}
	const enum zone_state state = zone_judge(head, &zone->counts, reason);
	fprintf(out, "%s%s%s%s\n", state_color(state), zone_state_name(state), text_reset(),
		zone->doubt[0] ? " (approximate)" : "");
}

/* The reasons of those that are not fine, and of those that are only nearly so. */
static void table_notes(const struct zone_set *set, size_t limit, FILE *out)
{
	char reason[ZONE_TEXT], advice[ZONE_MOST_ADVICE][ZONE_TEXT];

	for (size_t i = 0; i < limit; i++) {
		const struct zone *zone = &set->zones[i];
		if (zone->origin == ZONE_PUBLISHED && zone->pool)
			fprintf(out, "\n%s: %s, %s ago\n", label(zone), zone->doubt,
				text_duration(zone->age_ns));
		else if (!zone->walked && zone->doubt[0])
			fprintf(out, "\n%s: %s\n", label(zone), zone->doubt);
		if (!zone->walked)
			continue;
		const enum zone_state state = zone_judge(&zone->copy.head, &zone->counts, reason);
		const size_t n = zone_advise(&zone->copy.head, &zone->counts, advice, ZONE_MOST_ADVICE);
		if (state == ZONE_FINE && n == 0)
			continue;
		fprintf(out, "\n%s%s: %s%s: %s\n", text_bold(), label(zone), zone_state_name(state),
			text_reset(), reason);
		for (size_t j = 0; j < n; j++)
			fprintf(out, "  - %s\n", advice[j]);
	}
}

void zone_print_table(const struct zone_set *set, size_t limit, FILE *out)
{
	const size_t rows = limit && limit < set->length ? limit : set->length;
	bool generations = false;

	for (size_t i = 0; i < set->length; i++)
		generations |= set->zones[i].generation > 1;
	fprintf(out, "%s%-20s %s%-16s %10s %10s %17s %7s %10s %10s %8s  %s%s\n", text_bold(), "zone",
		generations ? "gen  " : "", "kind", "size", "loaded", "pages free/all  ", "run", "used",
		"free", "refused", "state", text_reset());
	for (size_t i = 0; i < rows; i++)
		table_row(&set->zones[i], generations, out);
	if (rows < set->length)
		fprintf(out, "%s%zu more; --limit 0 shows all%s\n", text_dim(), set->length - rows,
			text_reset());
	table_notes(set, rows, out);
}

/* ---- one zone ------------------------------------------------------------------------------ */

static void print_head(const struct zone *zone, FILE *out)
{
	fprintf(out, "%s%s %s%s", text_bold(), text_safe(zone->name.kind, ZONE_KIND), label(zone),
		text_reset());
	if (zone->generation > 1)
		fprintf(out, " (generation %u)", zone->generation);
	fprintf(out, ": %s", text_bytes(zone->end - zone->start));
	if (zone->resident != ZONE_UNKNOWN)
		fprintf(out, ", %s of it loaded", text_bytes(zone->resident));
	if (zone->pool)
		fprintf(out, ", %" PRIu64 " pages of %" PRIu64 " bytes", zone->copy.head.page_count,
			zone_page_size(&zone->copy.head));
	fputc('\n', out);
	if (zone->doubt[0])
		fprintf(out, "%s%s: %s%s\n", text_yellow(), zone->walked ? "approximate" : "note",
			zone->doubt, text_reset());
	if (zone->origin == ZONE_PUBLISHED && zone->pool)
		fprintf(out, "as of %s ago\n", text_duration(zone->age_ns));
}

static void print_judgement(const struct zone *zone, FILE *out)
{
	char reason[ZONE_TEXT], advice[ZONE_MOST_ADVICE][ZONE_TEXT];
	const enum zone_state state = zone_judge(&zone->copy.head, &zone->counts, reason);
	const size_t count = zone_advise(&zone->copy.head, &zone->counts, advice, ZONE_MOST_ADVICE);

	fprintf(out, "%s%s%s: %s\n", state_color(state), zone_state_name(state), text_reset(), reason);
	fprintf(out, "%" PRIu64 " slabs used (%s), %" PRIu64 " free (%s)\n", zone->counts.used.count,
		text_bytes(zone->counts.used.bytes), zone->counts.free.count,
		text_bytes(zone->counts.free.bytes));
	for (size_t i = 0; i < count; i++)
		fprintf(out, "  - %s\n", advice[i]);
}

static void print_slots(const struct zone *zone, FILE *out)
{
	const struct zone_head *head = &zone->copy.head;

	fprintf(out, "\n%s%10s %8s %10s %10s %10s %12s %10s%s\n", text_bold(), "slot", "pages", "chunks",
		"used", "free", "requests", "refused", text_reset());
	for (unsigned i = 0; i < head->slots; i++) {
		const struct zone_stat *stat = &head->stats[i];
		char pages[24], total[24], used[24], left[24], requests[24], failures[24];
		if (head->has_stats ? stat->total == 0 && stat->requests == 0
				    : zone->counts.slots[i].pages == 0)
			continue;
		/* Without nginx's own counts, those of the walk. */
		const struct zone_slot *slot = &zone->counts.slots[i];
		const uint64_t chunks = head->has_stats ? stat->total : slot->chunks - slot->own;
		const uint64_t in_use = head->has_stats ? stat->used : slot->used - slot->own;
		fprintf(out, "%10" PRIu64 " %8s %10s %10s %10s %12s %10s\n",
			(uint64_t)1 << (head->min_shift + i), number(pages, zone->walked, slot->pages),
			number(total, true, chunks), number(used, true, in_use),
			number(left, true, chunks - in_use),
			number(requests, head->has_stats, stat->requests),
			number(failures, head->has_stats, stat->failures));
	}
}

static void print_sizes(const char *what, const char *color, const struct zone_sizes *sizes, FILE *out)
{
	const int room = text_width() > 60 ? text_width() - 50 : 10;
	uint64_t most = 1;

	for (size_t i = 0; i < sizes->length; i++)
		if (sizes->rows[i].count > most)
			most = sizes->rows[i].count;
	fprintf(out, "\n%s%s slabs by size%s\n", text_bold(), what, text_reset());
	for (size_t i = 0; i < sizes->length; i++) {
		const struct zone_size *row = &sizes->rows[i];
		int length = (double)row->count / most * room + 0.5;
		fprintf(out, "%10" PRIu64 " %10" PRIu64 " %12s  %s", row->bytes, row->count,
			text_bytes(row->bytes * row->count), color);
		for (length = length ? length : 1; length > 0; length--)
			fputc('#', out);
		fprintf(out, "%s\n", text_reset());
	}
	if (sizes->length == 0)
		fputs("      none\n", out);
}

static void print_fit(
	const struct zone *zone, const struct zone_question *question, uint64_t bytes, FILE *out)
{
	char reason[ZONE_TEXT];
	const bool fits = zone_fits(&zone->copy.head, &zone->counts, bytes, reason);

	fputc('\n', out);
	if (question->fit_value)
		fprintf(out,
			"An entry with a key of %" PRIu64 " and a value of %" PRIu64 " bytes takes %" PRIu64
			": ",
			question->key_length, question->bytes, bytes);
	else
		fprintf(out, "An allocation of %" PRIu64 " bytes: ", bytes);
	fprintf(out, "%s%s%s. %c%s.\n", fits ? text_green() : text_red(),
		fits ? "it fits" : "it does not fit", text_reset(),
		reason[0] >= 'a' && reason[0] <= 'z' ? reason[0] - 'a' + 'A' : reason[0], reason + 1);
}

void zone_print(const struct zone *zone, const struct zone_question *question, FILE *out)
{
	uint64_t bytes;

	print_head(zone, out);
	if (zone->walked)
		print_judgement(zone, out);
	if (zone->pool)
		print_slots(zone, out);
	if (zone->walked && question->layout) {
		fputc('\n', out);
		zone_draw_text(zone, text_width(), out);
	}
	if (zone->walked && question->sizes) {
		print_sizes("Used", text_red(), &zone->counts.used, out);
		print_sizes("Free", text_green(), &zone->counts.free, out);
	}
	if (zone_question_applies(question, zone, &bytes))
		print_fit(zone, question, bytes, out);
}
