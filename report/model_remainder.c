/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model_remainder.c - a domain whose stacks are sampled has an exact total, estimated rows, and a row <not
 * sampled> with the difference. By the sampling error that can fall below zero: then the estimates together
 * are too high by just that much, and each gives up its share of it, in proportion. So rows are never below zero
 * and still sum to the exact total; what was taken off is less than the error that is stated.
 */
#include "model_private.h"

static const size_t fields[] = {
	offsetof(struct figures, live_bytes),      offsetof(struct figures, live_count),      offsetof(struct figures, peak_bytes),
	offsetof(struct figures, allocated_bytes), offsetof(struct figures, allocated_count),
};

static int64_t *field_of(struct row *row, size_t offset)
{
	return (int64_t *)((char *)&row->figures + offset); /* the unsigned ones hold negative remainders as two's complement */
}

static bool is_remainder(const struct model *model, const struct row *row)
{
	const struct model_private *p = model->private;

	if (row->path == 0)
		return false;
	const struct pair *path = &p->paths.pairs[row->path];
	const struct place_key *key = &p->place_list[path->second]->key;
	return path->first == 0 && key->kind == FRAME_NOTE && key->offset == HR_ROOT_NOT_SAMPLED;
}

static bool gives(const struct row *row, const struct row *rest)
{
	return row != rest && row->domain == rest->domain && row->estimated;
}

static void take_off(struct model *model, struct row *rest, size_t offset)
{
	const int64_t over = -*field_of(rest, offset);
	__int128 sum = 0, seen = 0, taken = 0;

	for (size_t i = 0; i < model->row_count; i++) {
		if (gives(&model->rows[i], rest) && *field_of(&model->rows[i], offset) > 0)
			sum += *field_of(&model->rows[i], offset);
	}
	if (sum < over) /* the total itself is below zero: figures in flight */
		return;
	for (size_t i = 0; i < model->row_count; i++) {
		int64_t *value = field_of(&model->rows[i], offset);
		if (!gives(&model->rows[i], rest) || *value <= 0)
			continue;
		seen += *value;
		const __int128 share = over * seen / sum - taken; /* by sums from the first on, so that roundings cancel */
		*value -= (int64_t)share;
		taken += share;
	}
	*field_of(rest, offset) = 0;
}

void model_settle_remainders(struct model *model)
{
	for (size_t i = 0; i < model->row_count; i++) {
		if (!is_remainder(model, &model->rows[i]))
			continue;
		for (size_t f = 0; f < sizeof(fields) / sizeof(*fields); f++) {
			if (*field_of(&model->rows[i], fields[f]) < 0)
				take_off(model, &model->rows[i], fields[f]);
		}
	}
}
