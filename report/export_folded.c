/* SPDX-License-Identifier: BSD-2-Clause */
/* export_folded.c - stacks as lines of text. */
#include "export.h"

#include <inttypes.h>
#include <string.h>

static void put_name(const char *name, FILE *out)
{
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		putc_unlocked(*p == ';' ? ':' : *p < 0x20 || *p == 0x7f ? '?' : *p, out);
}

static void put_frame(const struct frame *frame, FILE *out)
{
	const char *slash = strrchr(frame->module, '/');

	if (frame->kind == FRAME_LUA) {
		if (frame->function) {
			put_name(frame->function, out);
			putc_unlocked(' ', out);
		}
		put_name(frame->file ? frame->file : "?", out);
		fprintf(out, ":%u", frame->line);
	} else if (frame->function) {
		put_name(frame->function, out);
	} else {
		put_name(slash ? slash + 1 : frame->module, out);
		fprintf(out, "+0x%" PRIx64, frame->offset);
	}
}

void export_folded(const struct model *model, enum measure by, FILE *out)
{
	const uint32_t *frames;

	for (size_t i = 0; i < model->row_count; i++) {
		const struct row *row = &model->rows[i];
		const uint64_t value = model_measure(&row->figures, by);
		if (value == 0)
			continue;
		put_name(model->domains[row->domain], out);
		const size_t count = model_frames(model, row, &frames);
		if (count == 0)
			fputs(";[no stack]", out);
		for (size_t k = count; k-- > 0;) {
			putc_unlocked(';', out);
			put_frame(&model->frames[frames[k]], out);
		}
		fprintf(out, " %" PRIu64 "\n", value);
	}
}
