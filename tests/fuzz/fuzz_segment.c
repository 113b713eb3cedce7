/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_segment.c - hostile segments through their reader (report/segment.c), and every string of what it let pass.
 *
 * An input is {section table: three bytes a section}, a byte, and then the bytes that follow a good header, so that a
 * small input reaches the rows; when the byte is 255 they are the header's own as well. The magic, version and sizes
 * are put right unless the first byte is 254. The corpus is from segments of real programs (cut.py).
 */
#include "memory_file.h"
#include "segment.h"

#include <stdio.h>
#include <string.h>

#define ROWS 16384 /* bytes behind the header */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static const size_t strides[HR_SECTION_COUNT] = {
	[HR_MODULES] = sizeof(struct hr_module), [HR_NODES] = sizeof(struct hr_node), [HR_SITES] = sizeof(struct hr_site),
	[HR_DOMAINS] = sizeof(struct hr_domain), [HR_MAPPINGS] = sizeof(struct hr_mapping),
	[HR_ZONES] = sizeof(struct hr_zone), [HR_THREADS] = sizeof(struct hr_thread), [HR_STRINGS] = 1,
	[HR_TIMELINE] = sizeof(struct hr_point), [HR_MARKS] = sizeof(struct hr_mark),
	[HR_LEDGER] = sizeof(struct hr_ledger_row)};

/* Three bytes a section: where, how many, how wide. 255 is a number that overflows something. */
static void lay_out(struct hr_header *header, const uint8_t *choice)
{
	for (int i = 0; i < HR_SECTION_COUNT; i++, choice += 3) {
		struct hr_section *s = &header->sections[i];
		s->offset = choice[0] == 255 ? UINT64_MAX - 4096 : HR_HEADER_SIZE + choice[0] * 64ull;
		s->used = choice[1] == 255 ? UINT64_MAX / 32 : choice[1] * (strides[i] == 1 ? 16 : 1);
		s->stride = choice[2] == 255 ? UINT64_MAX : strides[i] + (choice[2] > 240 ? 8 : 0);
		s->capacity = choice[2] == 254 ? 0 : choice[1] == 255 ? UINT64_MAX : s->used;
	}
}

static void look(const struct segment *segment)
{
	volatile size_t letters = 0;
	const char *text;
	for (size_t i = 0; i < segment->module_count; i++)
		letters += (text = segment_string(segment, segment->modules[i].path)) ? strlen(text) : 0;
	for (size_t i = 0; i < segment->domain_count; i++)
		letters += strlen(segment_domain_name(segment, i));
	for (size_t i = 0; i < segment->node_count; i++) {
		const struct hr_node *n = &segment->nodes[i];
		if ((i > 0 && i >= HR_ROOT_COUNT && n->parent >= i) || n->module >= segment->module_count + !segment->module_count)
			__builtin_trap();
		letters += (text = segment_string_at(segment, n->value >> 32)) ? strlen(text) : 0;
	}
	for (size_t i = 0; i < segment->site_count; i++) {
		const struct hr_site *s = &segment->sites[i];
		if (s->allocated_count && (s->node >= segment->node_count || s->domain >= segment->domain_count))
			__builtin_trap();
	}
	for (size_t i = 0; i < segment->mark_count; i++)
		letters += (text = segment_string(segment, segment->marks[i].name)) ? strlen(text) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static uint8_t file[HR_HEADER_SIZE + ROWS] __attribute__((aligned(64)));
	struct hr_header *header = (struct hr_header *)file;
	const size_t choices = 3 * HR_SECTION_COUNT;

	if (length < choices + 1)
		return 0;
	const size_t rest = length - choices - 1;
	memset(file, 0, sizeof(file));
	if (data[choices] == 255) /* the header's own bytes as well */
		memcpy(file, data + choices + 1, rest < sizeof(file) ? rest : sizeof(file));
	else
		memcpy(file + HR_HEADER_SIZE, data + choices + 1, rest < ROWS ? rest : ROWS);
	if (data[0] != 254) {
		header->magic = HR_MAGIC;
		header->version = HR_VERSION;
		header->header_size = HR_HEADER_SIZE;
		header->file_size = sizeof(file);
	}
	lay_out(header, data);
	memory_set(file, sizeof(file));
	struct segment *segment = segment_read_header(MEMORY_FD, "fuzzed", true);
	if (segment && segment_read_rows(segment, MEMORY_FD) == 0)
		look(segment);
	if (segment)
		segment_free(segment);
	return 0;
}
