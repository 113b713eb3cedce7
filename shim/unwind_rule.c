/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_rule.c - the cache of frame rules, by return address.
 *
 * Rules are looked up at ip - 1: a noreturn call that ends a function returns to the next one's first byte.
 *
 * The cache is shared by all threads and takes no lock. An entry is two words; the first is the ip xor the
 * second, so a reader that catches two writers' halves sees an ip that is not its own, and compiles anew.
 *
 *   word 1 = kind (3 bits) | CFA offset / 8 (28) | fp offset (16) | module (13)
 *
 * While a dlclose is under way nothing is read or kept; after it, everything is forgotten. Objects that
 * glibc unloads by itself (gconv, nss) are never kept, and neither is "no object here": a dlopen would
 * make that stale.
 */
#include "shim.h"

#define SETS 16384u /* of four entries: a cache line */

struct entry {
	_Atomic uint64_t check, packed;
};

static struct entry (*cache)[4];
_Atomic uint32_t hr_rules_closing;

static uint64_t pack(struct rule r)
{
	return (uint64_t)r.kind | ((uint64_t)(r.cfa_offset / 8) & 0xfffffff) << 3 | (uint64_t)(uint16_t)r.fp_offset << 31 |
	       (uint64_t)(r.module & 0x1fff) << 47 | 1ull << 63;
}

static struct rule unpack(uint64_t w)
{
	return (struct rule){
		.kind = (enum rule_kind)(w & 7),
		.cfa_offset = (int32_t)((int64_t)(w << 33) >> 36) * 8,
		.fp_offset = (int16_t)(w >> 31),
		.module = (uint16_t)(w >> 47 & 0x1fff),
	};
}

static uint32_t set_of(uintptr_t ip)
{
	return (uint32_t)(ip * 0x9e3779b97f4a7c15ull >> 50) % SETS;
}

static cold struct rule compile(struct thread *t, uintptr_t ip)
{
	struct object object;
	if (ip < SYS_PAGE)
		return (struct rule){.kind = RULE_END};
	if (!hr_object_at(ip - 1, &object))
		return (struct rule){.kind = RULE_NO_OBJECT, .uncacheable = true};
	struct rule rule = {.kind = RULE_NONE};
	if (object.eh_frame_hdr)
		rule = hr_rule_compile(object.eh_frame_hdr, object.start, object.end, ip - 1);
	rule.module = (uint16_t)hr_module_of(t, &object);
	rule.uncacheable = hr_module_vanishes(rule.module);
	return rule;
}

static cold struct rule learn(struct thread *t, uintptr_t ip)
{
	struct rule rule = compile(t, ip);
	if (rule.uncacheable || atomic_load(&hr_rules_closing))
		return rule;
	struct entry *set = cache[set_of(ip)];
	uint64_t packed = pack(rule);
	uint32_t i = 0;
	while (i < 3 && atomic_load_explicit(&set[i].packed, memory_order_relaxed))
		i++;
	if (i == 3)
		i = (uint32_t)(ip >> 2) & 3;
	atomic_store_explicit(&set[i].packed, packed, memory_order_relaxed);
	atomic_store_explicit(&set[i].check, ip ^ packed, memory_order_relaxed);
	return rule;
}

struct rule hr_rule(struct thread *t, uintptr_t ip)
{
	const struct entry *set = cache[set_of(ip)];
	if (likely(atomic_load_explicit(&hr_rules_closing, memory_order_relaxed) == 0))
		for (uint32_t i = 0; i < 4; i++) {
			uint64_t packed = atomic_load_explicit(&set[i].packed, memory_order_relaxed);
			if (packed && (atomic_load_explicit(&set[i].check, memory_order_relaxed) ^ packed) == ip)
				return unpack(packed);
		}
	return learn(t, ip);
}

void hr_rules_start(void)
{
	cache = hr_memory_reserve(SETS * sizeof *cache);
	hr_memory_touched(64 * SYS_PAGE);
}

void hr_rules_forget(void)
{
	sys_madvise(cache, SETS * sizeof *cache, MADV_DONTNEED); /* reads as zero from here on */
}
