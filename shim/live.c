/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.c - the live table: address -> {site, size, age}.
 *
 * free(p) has to be booked on p's site. The table is out of band (user blocks are never touched) and
 * private (a forked child has it by copy-on-write, for nothing).
 *
 *   shard = top bits of hash(page of the address)          64 shards, each with a leaf lock of its own
 *   home  = hash(page) scaled to the capacity + offset in the page / 16: neighbours stay neighbours
 *   entry = 16 bytes, layout in heapray_segment.h; linear probing; word 0 == 0 is empty
 *   take  = shift the entries behind back into the hole: no tombstones
 *
 * A shard grows by a quarter when it is more than four fifths full, so a block costs 20 to 25 bytes; the
 * shards' sizes are staggered at the start, so they do not grow together: no pause is longer than copying
 * one shard, a 64th of the table.
 *
 * Age is in 4 s units since the process started. Two bits of generation count forks: an entry of another
 * generation is inherited. The bits wrap after three forks in a line: a rebuild then re-labels what would
 * be taken for the child's own (hr_live_new_generation).
 */
#include "shim.h"

#define SHARDS 64u
#define START_CAPACITY 256u /* entries: one page */
#define ADDRESS_MASK 0xfffffffffffull
#define SIZE_MAX_BITS 40
#define GENERATIONS 4u

struct entry {
	uint64_t word[2];
};

struct shard {
	struct entry *entries; /* these three as struct hr_live_geometry says */
	uint64_t capacity, used;
	lock_word lock;
	uint64_t pad[4];
};
_Static_assert(sizeof(struct shard) == 64, "a cache line each");

static struct shard shards[SHARDS] __attribute__((aligned(64)));
static uint64_t generation;

static inline uint64_t page_hash(uintptr_t address)
{
	uint64_t h = (address >> 12) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

static inline struct shard *shard_of(uint64_t h)
{
	return &shards[h & (SHARDS - 1)];
}

static inline uint64_t home(const struct shard *s, uint64_t h, uintptr_t address)
{
	uint64_t base = (uint64_t)((unsigned __int128)(h * 0xd6e8feb86659fd93ull) * s->capacity >> 64);
	uint64_t at = base + ((address >> 4) & 0xff);
	return at < s->capacity ? at : at % s->capacity;
}

static inline uint64_t key_of(uintptr_t address)
{
	return address >> 3 & ADDRESS_MASK;
}

static inline uint64_t next_slot(const struct shard *s, uint64_t i)
{
	return ++i == s->capacity ? 0 : i;
}

void hr_live_prefetch(const void *block)
{
	uint64_t h = page_hash((uintptr_t)block);
	struct shard *s = shard_of(h);
	struct entry *entries = __atomic_load_n(&s->entries, __ATOMIC_RELAXED);
	if (entries)
		__builtin_prefetch(&entries[home(s, h, (uintptr_t)block)], 1);
}

/* The slot that holds the address, or the empty one where it belongs. */
static inline uint64_t probe(const struct shard *s, uint64_t h, uintptr_t address)
{
	uint64_t key = key_of(address);
	uint64_t i = home(s, h, address);
	while (s->entries[i].word[0] != 0 && (s->entries[i].word[0] & ADDRESS_MASK) != key)
		i = next_slot(s, i);
	return i;
}

static uint64_t larger(const struct shard *s)
{
	uint64_t n = s->capacity + s->capacity / 4;
	if (s->capacity <= 4 * START_CAPACITY) /* stagger */
		n = s->capacity * (80 + (uint64_t)(s - shards)) / 64;
	return (n + START_CAPACITY - 1) / START_CAPACITY * START_CAPACITY;
}

static bool grow(struct shard *s)
{
	struct shard bigger = {.capacity = s->entries ? larger(s) : START_CAPACITY};
	bigger.entries = hr_memory(bigger.capacity * sizeof *bigger.entries);
	if (bigger.entries == NULL)
		return false;
	struct entry *old = s->entries;
	uint64_t old_capacity = s->capacity;
	for (uint64_t i = 0; old && i < old_capacity; i++) {
		if (old[i].word[0] == 0)
			continue;
		uintptr_t address = HR_LIVE_ADDRESS(old[i].word[0]);
		bigger.entries[probe(&bigger, page_hash(address), address)] = old[i];
	}
	s->entries = bigger.entries;
	s->capacity = bigger.capacity;
	if (old)
		hr_memory_free(old, old_capacity * sizeof *old);
	return true;
}

static struct live_entry unpack(const struct entry *e)
{
	return (struct live_entry){
		.site = (uint32_t)HR_LIVE_SITE(e->word[1]),
		.size = HR_LIVE_SIZE(e->word[1]),
		.age = HR_LIVE_AGE(e->word[0]),
		.inherited = HR_LIVE_GENERATION(e->word[0]) != generation % GENERATIONS,
	};
}

int hr_live_put(struct thread *t, const void *block, struct live_entry entry, struct live_entry *old)
{
	uintptr_t address = (uintptr_t)block;
	if (unlikely(address >> 47 || address & 7 || entry.size >> SIZE_MAX_BITS)) {
		hr_lost(HR_LOST_TOO_LARGE);
		return -1;
	}
	uint64_t born = entry.inherited ? generation + GENERATIONS - 1 : generation;
	uint64_t h = page_hash(address);
	struct shard *s = shard_of(h);
	int result = 0;
	hr_lock(t, &s->lock);
	if (unlikely(5 * (s->used + 1) > 4 * s->capacity) && !grow(s) && s->used + 1 >= s->capacity) {
		hr_unlock(t, &s->lock);
		hr_lost(HR_LOST_BLOCKS_FULL);
		return -1;
	}
	struct entry *e = &s->entries[probe(s, h, address)];
	if (unlikely(e->word[0] != 0)) {
		*old = unpack(e);
		result = 1;
	} else {
		s->used++;
	}
	e->word[1] = entry.size | (uint64_t)entry.site << 40;
	e->word[0] = key_of(address) | (entry.age & 0x3ffff) << 44 | born % GENERATIONS << 62;
	hr_unlock(t, &s->lock);
	return result;
}

/* Shifts back the entries that would no longer be found past the hole at i. */
static void close_hole(struct shard *s, uint64_t i)
{
	for (uint64_t j = next_slot(s, i); s->entries[j].word[0] != 0; j = next_slot(s, j)) {
		uintptr_t address = HR_LIVE_ADDRESS(s->entries[j].word[0]);
		uint64_t at = home(s, page_hash(address), address);
		/* may stay if its home lies cyclically in (i, j] */
		bool stays = i < j ? at > i && at <= j : at > i || at <= j;
		if (stays)
			continue;
		s->entries[i] = s->entries[j];
		i = j;
	}
	s->entries[i] = (struct entry){{0, 0}};
}

bool hr_live_take(struct thread *t, const void *block, struct live_entry *entry)
{
	uintptr_t address = (uintptr_t)block;
	uint64_t h = page_hash(address);
	struct shard *s = shard_of(h);
	bool found = false;
	hr_lock(t, &s->lock);
	if (likely(s->entries != NULL)) {
		uint64_t i = probe(s, h, address);
		if (likely(s->entries[i].word[0] != 0)) {
			*entry = unpack(&s->entries[i]);
			close_hole(s, i);
			s->used--;
			found = true;
		}
	}
	hr_unlock(t, &s->lock);
	return found;
}

void hr_live_lock_all(struct thread *t)
{
	for (uint32_t i = 0; i < SHARDS; i++)
		hr_lock(t, &shards[i].lock);
}

void hr_live_unlock_all(struct thread *t)
{
	for (uint32_t i = 0; i < SHARDS; i++)
		hr_unlock(t, &shards[i].lock);
}

void hr_live_each(void (*visit)(void *arg, uint32_t site, uint64_t size), void *arg)
{
	for (uint32_t k = 0; k < SHARDS; k++)
		for (uint64_t i = 0; i < shards[k].capacity; i++) {
			const uint64_t *word = shards[k].entries[i].word;
			if (word[0])
				visit(arg, (uint32_t)HR_LIVE_SITE(word[1]), HR_LIVE_SIZE(word[1]));
		}
}

void hr_live_new_generation(void)
{
	generation++;
	if (generation < GENERATIONS)
		return;
	uint64_t mine = generation % GENERATIONS, before = (generation - 1) % GENERATIONS;
	for (uint32_t k = 0; k < SHARDS; k++)
		for (uint64_t i = 0; i < shards[k].capacity; i++) {
			uint64_t *word = shards[k].entries[i].word;
			if (word[0] && HR_LIVE_GENERATION(word[0]) == mine)
				word[0] = (word[0] & ~(3ull << 62)) | before << 62;
		}
}

void hr_live_geometry(struct hr_live_geometry *g)
{
	*g = (struct hr_live_geometry){
		.shards = (uintptr_t)shards, .shard_count = SHARDS, .shard_stride = sizeof(struct shard),
		.generation = generation % GENERATIONS,
	};
	for (uint32_t k = 0; k < SHARDS; k++) {
		g->blocks += __atomic_load_n(&shards[k].used, __ATOMIC_RELAXED);
		g->bytes_of_table += __atomic_load_n(&shards[k].capacity, __ATOMIC_RELAXED) * sizeof(struct entry);
	}
}

void hr_live_start(void)
{
	hr_live_geometry(&hr_header->live);
}
