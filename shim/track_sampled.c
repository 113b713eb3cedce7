/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * track_sampled.c - `--sample BYTES`: only some allocations get a stack.
 *
 * What is skipped is the unwind alone. Every block is in the live table; those not sampled are on the
 * allocator's row <not sampled>, so totals are exact. A sampled block stands for more than itself (sample.c)
 * until it is freed: what it stands for follows from its size and its address, so nothing more is kept of it.
 */
#include "shim.h"

uint32_t hr_sampled_site(struct thread *t, const uintptr_t *frame, size_t size)
{
	t->sample_left -= (int64_t)size;
	if (likely(t->sample_left >= 0))
		return hr_site(t, HR_ROOT_NOT_SAMPLED, DOMAIN_ALLOCATOR);
	t->sample_left = hr_sample_next(&t->random, hr_config.sample_bytes); /* a Poisson process has no memory */
	uint32_t site = hr_unwind_site(t, frame);
	return unlikely(hr_lua_stacks) ? hr_lua_site(t, frame, site) : site;
}

static struct estimate estimate_of(struct sampled s)
{
	if (hr_site_node(s.site) == HR_ROOT_NOT_SAMPLED)
		return (struct estimate){.real = s.size, .inherited = s.inherited};
	struct estimate e = hr_sample_estimate(hr_config.sample_bytes, s.size);
	uint64_t seed = (uintptr_t)s.block; /* the same block rounds the same way when it goes */
	e.site = s.site;
	e.count = hr_sample_count(hr_config.sample_bytes, s.size, &seed);
	e.inherited = s.inherited;
	return e;
}

void hr_sampled_event(struct thread *t, struct sampled went, struct sampled came)
{
	uint32_t rest = hr_site(t, HR_ROOT_NOT_SAMPLED, DOMAIN_ALLOCATOR);
	struct estimate out, in;
	if (went.block)
		out = estimate_of(went);
	if (came.block)
		in = estimate_of(came);
	hr_site_estimated(t, rest, went.block ? &out : NULL, came.block ? &in : NULL);
}

void hr_sampled_inherited(const void *block, uint32_t site, uint64_t size)
{
	struct estimate e = estimate_of((struct sampled){.block = block, .site = site, .size = size});
	hr_site_inherited_estimate(hr_site(hr_self, HR_ROOT_NOT_SAMPLED, DOMAIN_ALLOCATOR), &e);
}
