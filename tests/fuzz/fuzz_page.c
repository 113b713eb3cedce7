/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_page.c - hostile JSON through what draws it: the sections and pictures of `heapray report`. Of a snapshot it is
 * the breakdown, zones and heap that were kept in it, of `report FILE.json` a comparison from any file.
 *
 * An input is a JSON object whose members are the parts of a struct page. What is drawn must be text without a NUL.
 */
#include "json.h"
#include "page.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static void draw(const struct page *page, FILE *out)
{
	static const char *const names[] = {"system", "application", "family", "waterfall", "timeline", "sizes", "ages", "heap", "compare"};

	section_findings(page, out);
	section_diff(page, out);
	section_compare(page, out);
	section_memory(page, out);
	section_time(page, out);
	section_blocks(page, out);
	section_zones(page, out);
	section_quality(page, out);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		page_picture(page, names[i], out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static bool begun;
	char why[200], *text = malloc(length + 1), *drawn = NULL;
	size_t drawn_length = 0;

	if (!begun) {
		setvbuf(stderr, NULL, _IOFBF, 1 << 16);
		begun = true;
	}
	memcpy(text, data, length);
	text[length] = '\0';
	struct json *json = json_parse(text, length, why, sizeof(why));
	free(text);
	if (!json)
		return 0;
	const struct page page = {
		.title = "fuzzed",
		.about = "",
		.breakdown = json_get(json, "breakdown"),
		.zones = json_get(json, "zones"),
		.growth = json_get(json, "growth"),
		.heap = json_get(json, "heap"),
		.diff = json_get(json, "diff"),
		.compare = json_get(json, "compare"),
		.quality = json_get(json, "quality"),
	};
	FILE *out = open_memstream(&drawn, &drawn_length);
	draw(&page, out);
	fclose(out);
	if (strlen(drawn) != drawn_length)
		abort();
	free(drawn);
	json_free(json);
	return 0;
}
