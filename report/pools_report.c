/* SPDX-License-Identifier: BSD-2-Clause */
/* pools_report.c - nginx's pools as JSON and as text. */
#include <stdio.h>

#include "pools.h"
#include "text.h"

struct json *pools_json(const struct pools *pools)
{
	struct json *array = json_array();
	for (size_t i = 0; i < pools->count; i++) {
		const struct pool_kind *row = &pools->list[i];
		struct json *object = json_object();
		json_set_string(object, "kind", row->kind);
		json_set_string(object, "creator", row->creator);
		json_set_bytes(object, "pools", row->pools);
		json_set_bytes(object, "blocks", row->blocks);
		json_set_bytes(object, "size_bytes", row->size_bytes);
		json_set_bytes(object, "used_bytes", row->used_bytes);
		json_set_bytes(object, "unused_bytes", row->unused_bytes);
		json_set_bytes(object, "large_count", row->large_count);
		json_set_bytes(object, "large_bytes", row->large_bytes);
		json_append(array, object);
	}
	return array;
}

size_t pools_print(const struct pools *pools, int pid, size_t limit)
{
	size_t lines = 0;
	for (; lines < pools->count && lines < limit; lines++) {
		const struct pool_kind *row = &pools->list[lines];
		printf("  %-7d%-17s%12s%12s%12s%12s%12s  %s\n", pid, row->kind, text_count(row->pools),
			text_bytes(row->size_bytes), text_bytes(row->used_bytes),
			text_bytes(row->unused_bytes), text_bytes(row->large_bytes),
			text_safe(row->creator, 60));
	}
	if (pools->torn)
		printf("  %-7d%s%s more changed while they were read%s\n", pid, text_dim(),
			text_count(pools->torn), text_reset());
	return lines;
}
