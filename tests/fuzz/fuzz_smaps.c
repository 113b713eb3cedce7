/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_smaps.c - hostile text through the parser of /proc/PID/smaps, and what smaps.h promises of it: ascending,
 * without overlap, figures that sum, an address found in the mapping that holds it.
 */
#include "smaps.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct smaps smaps = {0};
	struct usage sum = {0};
	char *text = malloc(length + 1);
	volatile size_t letters = 0;

	memcpy(text, data, length);
	text[length] = 0;
	if (smaps_parse(&smaps, text, length) != 0)
		return 0;
	for (size_t i = 0; i < smaps.count; i++) {
		const struct vma *v = &smaps.vmas[i];
		if (v->start >= v->end || (i > 0 && v[-1].end > v->start) || smaps_find(&smaps, v->start) != v)
			abort();
		letters += strlen(v->name) + vma_is_anonymous(v);
		usage_add(&sum, &v->figures);
	}
	if (memcmp(&sum, &smaps.total, sizeof(sum)) != 0)
		abort();
	smaps_free(&smaps);
	return 0;
}
