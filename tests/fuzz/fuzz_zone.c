/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_zone.c - hostile zones through everything that reads them: recognise, copy, count, judge, draw.
 *
 * An input is {address, size: 8 bytes each} and then the first bytes of the zone; what is missing up
 * to `size` cannot be read, like pages that are not resident. The corpus is
 * from zones of nginx 1.22 (real-*) and of tests/unit/zone_model.h for the other layouts, cut short. Built by
 * `make fuzz`, or by hand:
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Iinclude -Ireport \
 *     tests/fuzz/fuzz_zone.c report/zone_{bytes,pool,walk,copy,count,judge,advice,name,layout,svg}.c
 * report/text.c
 */
#include "zone_draw.h"
#include "zone_judge.h"
#include "zone_name.h"

#include <stdlib.h>
#include <string.h>

#define MOST_PAGES 4096 /* a picture of more takes a while, and shows nothing new */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static void ask(const struct zone *zone)
{
	char text[ZONE_TEXT], advice[ZONE_MOST_ADVICE][ZONE_TEXT];
	static const uint64_t sizes[] = {0, 1, 8, 200, 273, 2048, 2049, 4096, 12288, 1 << 20, UINT64_MAX};

	zone_count_differs(&zone->copy, &zone->counts);
	zone_judge(&zone->copy.head, &zone->counts, text);
	zone_advise(&zone->copy.head, &zone->counts, advice, ZONE_MOST_ADVICE);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		zone_fits(&zone->copy.head, &zone->counts, sizes[i], text);
}

static void draw(const struct zone *zone)
{
	static FILE *nowhere;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	if (zone->copy.head.page_count > MOST_PAGES)
		return;
	zone_draw_text(zone, 80, nowhere);
	zone_draw_svg(zone, nowhere);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct zone zone = {0};
	struct zone_bytes bytes;
	uint64_t where[2];
	char text[ZONE_NAME] = "";
	const char *why;

	if (length < sizeof(where))
		return 0;
	memcpy(where, data, sizeof(where));
	if (where[1] > 1ull << 32)
		return 0;
	zone_bytes_buffer(&bytes, data + sizeof(where), length - sizeof(where), where[0], where[1]);
	zone.start = where[0];
	zone.end = where[0] + where[1];
	if (zone_copy_take(&bytes, &zone.copy, 0, &why) != 0)
		return 0;
	zone_count(&zone.copy, &zone.counts);
	zone_bytes_read(&bytes, zone.copy.head.log_context, text, 64);
	zone_name_parse(text, &zone.name);
	ask(&zone);
	draw(&zone);
	zone_counts_free(&zone.counts);
	zone_copy_free(&zone.copy);
	return 0;
}
