/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.c - the live table: address -> {site, size, age}.
 *
 * free(p) has to be booked on p's site. The table is out of band (user blocks are never touched) and
 * private (a forked child has it by copy-on-write, for nothing).
 *
 *   shard  = low bits of hash(address / UNIT)               64 shards, each with a leaf lock of its own
 *   bucket = the same hash scaled to the shard's buckets     64 bytes, a cache line: four entries
 *   entry  = 16 bytes, layout in heapray_segment.h; word 0 == 0 is empty
 *
 *     home bucket           next bucket                    a block whose home is full goes to the next with
 *   [ a | b | c | d ] +1  [ e | f |   |   ] +0             room; each bucket counts how many passed it by (in
 *                                                          the two top bits of its four second words), so a
 *   look-up stops at a bucket that none passed, nearly always the first, and a removal shifts nothing.
 *
 * A shard grows by a fifth when it is 76 % full, so a block costs 21 to 25 bytes, 23 on average; the shards'
 * sizes are staggered at the start, so they do not grow together: no pause is longer than copying one
 * shard, a 64th of the table. Its memory is populated in one call: page faults are dear in virtual machines.
 *
 * Age is in 4 s units since the process started. Two bits of generation count forks: an entry of another
 * generation is inherited. The bits wrap after three forks in a line: a rebuild then re-labels what would
 * be taken for the child's own (hr_live_new_generation).
 */
#include "shim.h"

#define SHARDS 64u
#define BUCKET 4u
#define START_BUCKETS 64u /* one page */
#define UNIT_SHIFT 6      /* blocks of one such unit of address space share a home bucket */
#define ADDRESS_MASK 0xfffffffffffull
#define SIZE_MAX_BITS 40
#define GENERATIONS 4u
#define PASSED_MAX 255u /* a count that got there stays: look-ups go on, and are right */

struct bucket {
	uint64_t word[BUCKET][2];
};

struct shard {
	struct bucket *buckets; /* these three as struct hr_live_geometry says */
	uint64_t capacity, used; /* in entries */
	lock_word lock;
	uint64_t pad[4];
};
_Static_assert(sizeof(struct shard) == 64 && sizeof(struct bucket) == 64, "a cache line each");

static struct shard shards[SHARDS] __attribute__((aligned(64)));
static uint64_t generation;

static inline uint64_t hash_of(uintptr_t address)
{
	uint64_t h = (address >> UNIT_SHIFT) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

static inline struct shard *shard_of(uint64_t h)
{
	return &shards[h & (SHARDS - 1)];
}

static inline uint64_t bucket_count(const struct shard *s)
{
	return s->capacity / BUCKET;
}

static inline struct bucket *home(const struct shard *s, uint64_t h)
{
	return &s->buckets[(uint64_t)((unsigned __int128)(h * 0xd6e8feb86659fd93ull) * bucket_count(s) >> 64)];
}

static inline struct bucket *after(const struct shard *s, struct bucket *b)
{
	return ++b == s->buckets + bucket_count(s) ? s->buckets : b;
}

static inline uint32_t passed(const struct bucket *b)
{
	return (uint32_t)(b->word[0][1] >> 62 | b->word[1][1] >> 62 << 2 | b->word[2][1] >> 62 << 4 | b->word[3][1] >> 62 << 6);
}

static void set_passed(struct bucket *b, uint32_t n)
{
	for (uint32_t i = 0; i < BUCKET; i++, n >>= 2)
		b->word[i][1] = (b->word[i][1] & ~(3ull << 62)) | (uint64_t)(n & 3) << 62;
}

static inline uint64_t key_of(uintptr_t address)
{
	return address >> 3 & ADDRESS_MASK;
}

/* With one thread there is nobody to keep out: a locked instruction costs more than the rest of a look-up. */
static inline void enter(struct thread *t, struct shard *s)
{
	if (unlikely(!__libc_single_threaded))
		hr_lock(t, &s->lock);
}

static inline void leave(struct thread *t, struct shard *s)
{
	if (unlikely(!__libc_single_threaded))
		hr_unlock(t, &s->lock);
}

uint64_t hr_live_prefetch(const void *block)
{
	uint64_t h = hash_of((uintptr_t)block);
	struct shard *s = shard_of(h);
	if (likely(s->buckets != NULL)) /* another thread may be growing it: a prefetch may miss, not fault */
		__builtin_prefetch(home(s, h), 1);
	return h;
}

/* The place of the address, NULL when it is not there. *room: where it could go, NULL: past all buckets looked at. */
static inline uint64_t *find(const struct shard *s, uint64_t h, uintptr_t address, uint64_t **room)
{
	uint64_t key = key_of(address);
	struct bucket *b = home(s, h);
	*room = NULL;
	for (;;) {
		for (uint32_t i = 0; i < BUCKET; i++) {
			if (likely((b->word[i][0] & ADDRESS_MASK) == key))
				return b->word[i];
			if (b->word[i][0] == 0 && *room == NULL)
				*room = b->word[i];
		}
		if (likely(passed(b) == 0))
			return NULL;
		b = after(s, b);
	}
}

/* An entry of home h comes to (by +1) or goes from (by -1) `entry`: the buckets in between were passed by. */
static void count_passed(const struct shard *s, uint64_t h, const uint64_t *entry, int by)
{
	for (struct bucket *b = home(s, h); !(entry >= b->word[0] && entry < b->word[BUCKET]); b = after(s, b)) {
		uint32_t n = passed(b);
		if (n != PASSED_MAX)
			set_passed(b, n + (uint32_t)by);
	}
}

static inline bool at_home(const struct shard *s, uint64_t h, const uint64_t *entry)
{
	const struct bucket *b = home(s, h);
	return entry >= b->word[0] && entry < b->word[BUCKET];
}

static cold uint64_t *room_further_on(const struct shard *s, uint64_t h)
{
	for (struct bucket *b = home(s, h);; b = after(s, b))
		for (uint32_t i = 0; i < BUCKET; i++)
			if (b->word[i][0] == 0)
				return b->word[i];
}

static inline void write_entry(uint64_t *entry, uint64_t word0, uint64_t word1)
{
	entry[1] = (entry[1] & 3ull << 62) | (word1 & ~(3ull << 62));
	entry[0] = word0;
}

static inline void add(struct shard *s, uint64_t h, uint64_t *room, uint64_t word0, uint64_t word1)
{
	if (unlikely(room == NULL))
		room = room_further_on(s, h);
	if (unlikely(!at_home(s, h, room)))
		count_passed(s, h, room, 1);
	write_entry(room, word0, word1);
	s->used++;
}

static uint64_t larger(const struct shard *s)
{
	uint64_t n = bucket_count(s) + bucket_count(s) / 5;
	if (bucket_count(s) <= 4 * START_BUCKETS) /* stagger */
		n = bucket_count(s) * (80 + (uint64_t)(s - shards)) / 64;
	return (n + START_BUCKETS - 1) / START_BUCKETS * START_BUCKETS * BUCKET;
}

static cold bool grow(struct shard *s)
{
	struct shard bigger = {.capacity = s->buckets ? larger(s) : START_BUCKETS * BUCKET};
	bigger.buckets = hr_memory_populated(bigger.capacity / BUCKET * sizeof *bigger.buckets);
	if (bigger.buckets == NULL)
		return false;
	struct bucket *old = s->buckets;
	uint64_t old_count = old ? bucket_count(s) : 0;
	for (uint64_t k = 0; k < old_count; k++)
		for (uint32_t i = 0; i < BUCKET; i++) {
			const uint64_t *word = old[k].word[i];
			uint64_t *room, h = hash_of(HR_LIVE_ADDRESS(word[0]));
			if (word[0] && find(&bigger, h, HR_LIVE_ADDRESS(word[0]), &room) == NULL)
				add(&bigger, h, room, word[0], word[1]);
		}
	s->capacity = bigger.capacity;
	s->buckets = bigger.buckets;
	if (old)
		hr_memory_free(old, old_count * sizeof *old);
	return true;
}

static struct live_entry unpack(const uint64_t *word)
{
	return (struct live_entry){
		.site = (uint32_t)HR_LIVE_SITE(word[1]),
		.size = HR_LIVE_SIZE(word[1]),
		.age = HR_LIVE_AGE(word[0]),
		.inherited = HR_LIVE_GENERATION(word[0]) != generation % GENERATIONS,
	};
}

int hr_live_put(struct thread *t, const void *block, uint64_t h, struct live_entry entry, struct live_entry *old)
{
	uintptr_t address = (uintptr_t)block;
	if (unlikely(address >> 47 || address & 7 || entry.size >> SIZE_MAX_BITS)) {
		hr_lost(HR_LOST_TOO_LARGE);
		return -1;
	}
	uint64_t born = entry.inherited ? generation + GENERATIONS - 1 : generation;
	uint64_t word0 = key_of(address) | (entry.age & 0x3ffff) << 44 | born % GENERATIONS << 62;
	uint64_t word1 = entry.size | (uint64_t)entry.site << 40;
	struct shard *s = shard_of(h);
	uint64_t *room;
	int result = 0;
	enter(t, s);
	if (unlikely(25 * (s->used + 1) > 19 * s->capacity) && !grow(s) && s->used + 1 >= s->capacity) {
		leave(t, s);
		hr_lost(HR_LOST_BLOCKS_FULL);
		return -1;
	}
	uint64_t *there = find(s, h, address, &room);
	if (unlikely(there != NULL)) {
		*old = unpack(there);
		write_entry(there, word0, word1);
		result = 1;
	} else {
		add(s, h, room, word0, word1);
	}
	leave(t, s);
	return result;
}

bool hr_live_take(struct thread *t, const void *block, struct live_entry *entry)
{
	uintptr_t address = (uintptr_t)block;
	uint64_t h = hash_of(address);
	struct shard *s = shard_of(h);
	uint64_t *there = NULL, *room;
	enter(t, s);
	if (likely(s->buckets != NULL))
		there = find(s, h, address, &room);
	if (likely(there != NULL)) {
		*entry = unpack(there);
		if (unlikely(!at_home(s, h, there)))
			count_passed(s, h, there, -1);
		write_entry(there, 0, 0);
		s->used--;
	}
	leave(t, s);
	return there != NULL;
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

void hr_live_each(void (*visit)(void *arg, const void *block, uint32_t site, uint64_t size), void *arg)
{
	for (uint32_t k = 0; k < SHARDS; k++)
		for (uint64_t i = 0; i < shards[k].capacity; i++) {
			const uint64_t *word = shards[k].buckets[i / BUCKET].word[i % BUCKET];
			if (word[0])
				visit(arg, (const void *)HR_LIVE_ADDRESS(word[0]), (uint32_t)HR_LIVE_SITE(word[1]), HR_LIVE_SIZE(word[1]));
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
			uint64_t *word = shards[k].buckets[i / BUCKET].word[i % BUCKET];
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
		g->bytes_of_table += __atomic_load_n(&shards[k].capacity, __ATOMIC_RELAXED) * sizeof(struct bucket) / BUCKET;
	}
}

void hr_live_start(void)
{
	hr_live_geometry(&hr_header->live);
}
