/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_snapshot.c - hostile snapshots through snapshot_open (the parts' frame, the JSON, births, symbols, segments) and
 * through what is shown of one: breakdown, zones, stacks, growth, a diff, the page's pictures.
 *
 * An input is what the gzip holds, without its first line; one that begins with 0x1f is the packed file itself. To be
 * fast, the former is not packed and unpacked: gzip_unpack gives it as it is. The corpus is from snapshots of real
 * programs (cut.py).
 */
#include "gzip.h"
#include "growth.h"
#include "memory_file.h"
#include "page.h"
#include "snapshot.h"
#include "snapshot_diff.h"
#include "stacks.h"

#include <math.h>
#include <stdio.h>

#define FIRST_LINE "heapray snapshot 1\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static struct {
	const uint8_t *bytes; /* NULL: packed */
	size_t length;
} plain;

char *__real_gzip_unpack(const void *packed, size_t length, size_t most, size_t *unpacked);

char *__wrap_gzip_unpack(const void *packed, size_t length, size_t most, size_t *unpacked)
{
	const size_t first = strlen(FIRST_LINE);

	if (!plain.bytes)
		return __real_gzip_unpack(packed, length, most < 1u << 26 ? most : 1u << 26, unpacked);
	char *text = malloc(first + plain.length + 1);
	memcpy(text, FIRST_LINE, first);
	memcpy(text + first, plain.bytes, plain.length);
	text[*unpacked = first + plain.length] = '\0';
	return text;
}

static void show_stacks(const struct family *family, FILE *out)
{
	static const struct stacks_options all[] = {
		{.by = BY_LIVE, .group = GROUP_STACK},
		{.by = BY_PEAK, .group = GROUP_OWNER, .common.json = true},
		{.by = BY_ALLOCATED, .group = GROUP_LUA},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		stacks_report(family, &all[i], out);
}

static void show_growth(const struct family *family, struct model *model)
{
	const struct growth_options options = {0};
	struct growth g = {.options = &options, .family = family, .model = model, .live = (double)model->total.live_bytes,
		.resident = NAN, .held = NAN, .used = NAN};

	quality_of(family, &g.quality);
	timeline_read(&g.timeline, family, &g.quality);
	g.ages = ages_read(model, family, 0);
	growth_judge(&g);
	growth_print_text(&g);
	findings_free(&g.findings);
	ages_free(&g.ages);
	timeline_free(&g.timeline);
	quality_free(&g.quality);
	free(g.heaps);
}

static void show_pictures(const struct family *family, struct model *model, FILE *out)
{
	const struct page page = {
		.title = family->members[0].exe,
		.about = "",
		.breakdown = snapshot_report(family->snapshot, "breakdown"),
		.zones = json_get(snapshot_report(family->snapshot, "zones"), "zones"),
		.heap = snapshot_report(family->snapshot, "heap"),
		.model = model,
	};

	section_memory(&page, out);
	section_stacks(&page, out);
	section_blocks(&page, out);
	section_zones(&page, out);
}

static void show(const struct family *family, FILE *out)
{
	struct quality quality;
	bool watched = false;

	for (size_t i = 0; i < family->count; i++)
		watched |= family->members[i].segment != NULL;
	quality_of(family, &quality);
	snapshot_show_breakdown(family->snapshot, false);
	snapshot_show_zones(family->snapshot, NULL, false);
	snapshot_show_zones(family->snapshot, "cats", true);
	struct model *model = model_build(family, &quality), *other = model_build(family, &quality);
	if (watched)
		show_growth(family, model);
	show_pictures(family, model, out);
	struct diff diff = diff_of(family, model, family, other, GROUP_FUNCTION);
	diff_free(&diff);
	model_free(model);
	model_free(other);
	if (watched)
		show_stacks(family, out);
	quality_free(&quality);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static FILE *nowhere;
	struct family family = {0};
	const bool packed = length > 0 && data[0] == 0x1f;

	if (!nowhere) {
		nowhere = fopen("/dev/null", "w");
		setvbuf(stderr, NULL, _IOFBF, 1 << 16);
	}
	plain.bytes = packed ? NULL : data;
	plain.length = length;
	if (packed)
		memory_set(data, length);
	else
		memory_set("\x1f\x8b", 2);
	if (snapshot_is(MEMORY_PATH) && snapshot_open(MEMORY_PATH, false, &family) == 0) {
		show(&family, nowhere);
		family_close(&family);
	}
	return 0;
}
