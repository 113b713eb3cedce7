/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.c - the live table: address -> {site, size, age}.
 *
 * free(p) has to be booked on p's site. The table is out of band (user blocks are never touched) and
 * private (a forked child has it by copy-on-write, for nothing). Blocks that are neighbours in the heap are
 * neighbours here, so what is in the processor's cache there is so here, and nothing is ever rehashed.
 *
 *   address  [ 17 bits: directory | 18 bits: page | 12 bits: offset ]
 *
 *   top ->  [ | d | ]      a directory a GiB of address space, reserved whole, touched where the heap is
 *            directory ->  [ | w | w | | ]       a word a page: {address of its leaf, its shape}
 *                           leaf ->  [ head | slot | slot | slot ... ]
 *
 * A leaf has 2^n slots, each for 4096/2^n bytes of the page, n = 0 to 9: at most one block begins in each.
 * When two would, the leaf is exchanged for one with twice the slots. A slot is one word, laid out in
 * heapray_segment.h; 0 is empty. Where a page has had a block of 64 KiB or more, its slots are wide: two
 * words, the second one the size. So a block costs about 10 bytes among blocks of 64 bytes, 24 alone in a page.
 *
 * A new page begins with half the slots of the page below it, or one. A leaf stays with its page for good:
 * heaps reuse their addresses.
 *
 * Pages belong to a region, which has leaves of its own: it cuts them from chunks, so that threads which use different
 * heaps share no cache line; those exchanged wait in a list of their size. Chunks come from pools, one after the
 * other. A leaf is as large for ever as it was made, so a pool can be walked from outside.
 *
 *   with one thread     one region, and no lock
 *   an owned area       32 MiB that one thread alone has used so far: a region without a lock, the thread's own
 *                       (hr_own_begin). When another thread comes by, its owner is stopped, and the area is common.
 *   a common area       its pages belong to one of 64 regions, each with a lock
 *
 * Pools and directories have one lock, taken inside.
 *
 * The newest block of a thread is in its hand (live.h), its own as well. Who frees a block that is not in the table
 * looks into the other hands, and into the table once more: on its way there, a block is never in neither.
 *
 * Age is in 4 s units since the process started. A label of three counts forks: an entry of another label
 * than the current one is inherited. They wrap after two forks in a line: then entries which would be taken
 * for the child's own are labelled anew (hr_live_new_generation).
 */
#include <stddef.h>
#include <string.h>

#include "shim.h"

#define OFFSET_BITS 12
#define PAGE_BITS 18
#define TOP_ENTRIES (1u << (47 - OFFSET_BITS - PAGE_BITS))
#define FIRST_POOL (2ull << 20) /* of small pages; all others are of huge ones, where they are to be had */
#define LABELS 3u
#define REGIONS 64u
#define AREA_SHIFT 25
#define AREAS 128u
#define COMMON ((struct thread *)1)
#define CHUNK 1024u /* larger leaves come from the pool */

struct directory {
	uint64_t touched[512]; /* a bit for each of its pages of words that is in use */
	uint64_t word[1u << PAGE_BITS];
};

struct leaf {
	uint64_t head; /* HR_LIVE_HEAD of heapray_segment.h */
	uint64_t slots[];
};

/* A directory's word: the leaf's address (8-aligned, 47 bits), its shape above. 0: no block was ever in this page. */
#define WORD_LEAF(w) ((struct leaf *)((w) & 0x7ffffffffff8ull))
#define WORD_BITS(w) ((uint32_t)((w) >> 48 & 15))
#define WORD_WIDE(w) ((uint32_t)((w) >> 52 & 1))

static struct directory *_Atomic *top;
static struct hr_live_pool pools[HR_LIVE_POOLS];
static uint64_t pool_ready; /* bytes of the newest pool that are populated */
static uint32_t pool_count;
struct region {
	lock_word lock;
	uint64_t blocks;
	uintptr_t chunk, chunk_end; /* what is left of its chunk: a gap, for who walks the pool */
	struct leaf *unused[HR_LIVE_CLASS_MAX + 1]; /* by class, linked by their first slot */
} __attribute__((aligned(128))); /* cache lines of their own, neighbours are fetched in pairs */
static struct region regions[REGIONS];
static struct area {
	struct region region;
	struct thread *_Atomic owner; /* NULL: nobody has come by; COMMON: for good */
} areas[AREAS];
static lock_word pool_lock;
static uint64_t generation, table_bytes;
_Static_assert(SITES_MAX <= 1u << HR_LIVE_SITE_BITS, "a site fits its field");

static inline uint64_t label_of(uint64_t of_generation)
{
	return 1 + of_generation % LABELS;
}

/* ---- locks -------------------------------------------------------------------------------------- */

static inline struct area *area_of(uintptr_t address)
{
	return &areas[address >> AREA_SHIFT & (AREAS - 1)];
}

/* Between hr_own_begin and hr_own_end. NULL: the area is another thread's, or nobody's: call claim outside, and again. */
static inline struct region *try_region(struct thread *t, uintptr_t address)
{
	struct area *area = area_of(address);
	const struct thread *owner = atomic_load_explicit(&area->owner, memory_order_acquire);
	if (likely(owner == t))
		return &area->region;
	if (owner != COMMON)
		return NULL;
	struct region *region = &regions[(address >> 16 ^ address >> 22) % REGIONS];
	hr_lock(t, &region->lock);
	return region;
}

static inline void let_go(struct thread *t, struct region *region)
{
	if (region >= regions && region < regions + REGIONS)
		hr_unlock(t, &region->lock);
}

static cold void claim(struct thread *t, uintptr_t address)
{
	struct area *area = area_of(address);
	struct thread *owner = NULL;
	if (atomic_compare_exchange_strong(&area->owner, &owner, t) || owner == COMMON)
		return;
	hr_stop(t, owner);
	atomic_store_explicit(&area->owner, COMMON, memory_order_release);
	hr_resume(t, owner);
}

/* The region of an address, for this thread alone until leave. With one thread there is nobody to keep out. */
static inline struct region *enter(struct thread *t, uintptr_t address)
{
	if (likely(__libc_single_threaded))
		return &regions[0];
	for (;;) {
		hr_own_begin(t);
		struct region *region = try_region(t, address);
		if (likely(region != NULL))
			return region;
		hr_own_end(t);
		claim(t, address);
	}
}

static inline void leave(struct thread *t, struct region *region)
{
	if (likely(__libc_single_threaded))
		return;
	let_go(t, region);
	hr_own_end(t);
}

static lock_word *enter_pool(struct thread *t)
{
	lock_word *outer = t ? t->held : NULL;
	if (unlikely(!__libc_single_threaded))
		hr_lock(t, &pool_lock);
	return outer;
}

static void leave_pool(struct thread *t, lock_word *outer)
{
	if (unlikely(!__libc_single_threaded)) {
		hr_unlock(t, &pool_lock);
		if (t)
			t->held = outer;
	}
}

/* ---- leaves ------------------------------------------------------------------------------------- */

static cold struct hr_live_pool *new_pool(uint64_t size)
{
	void *start = pool_count < HR_LIVE_POOLS ? hr_memory_reserve(size) : NULL;
	if (start == NULL)
		return NULL;
	if (pool_count)
		hr_memory_huge(start, size);
	pools[pool_count] = (struct hr_live_pool){.start = (uintptr_t)start, .size = size};
	pool_ready = 0;
	__atomic_store_n(&pool_count, pool_count + 1, __ATOMIC_RELEASE); /* publishes it to the reporter */
	return &pools[pool_count - 1];
}

/* Room for one more leaf at the end of the newest pool, or in a new one twice as large. */
static cold bool more_room(uint64_t bytes)
{
	struct hr_live_pool *pool = pool_count ? &pools[pool_count - 1] : NULL;
	if (pool == NULL || pool->used + bytes > pool->size)
		pool = new_pool(pool ? 2 * pool->size : FIRST_POOL);
	if (pool == NULL)
		return false;
	uint64_t step = pool_count > 1 ? HUGE_PAGE : 16 * SYS_PAGE;
	if (pool_count == 1) /* one call instead of a page fault each; where it is not to be had, they come as they are touched */
		sys_madvise((char *)pool->start + pool_ready, step, MADV_POPULATE_WRITE);
	pool_ready += step;
	hr_memory_touched(step);
	table_bytes += step;
	return true;
}

/* Bytes of a pool, as one gap. 0: no memory. */
static cold uintptr_t take_from_pool(struct thread *t, uint64_t bytes)
{
	uintptr_t start = 0;
	lock_word *outer = enter_pool(t);
	if ((pool_count && pools[pool_count - 1].used + bytes <= pool_ready) || more_room(bytes)) {
		struct hr_live_pool *pool = &pools[pool_count - 1];
		start = pool->start + pool->used;
		*(uint64_t *)start = HR_LIVE_HEAD_GAP(bytes);
		__atomic_store_n(&pool->used, pool->used + bytes, __ATOMIC_RELEASE); /* whoever walks it sees the head */
	}
	leave_pool(t, outer);
	return start;
}

/* Its slots are empty. */
static struct leaf *new_leaf(struct thread *t, struct region *region, uint32_t class)
{
	struct leaf *leaf = region->unused[class];
	if (leaf) {
		region->unused[class] = (struct leaf *)leaf->slots[0];
		leaf->slots[0] = 0;
		return leaf;
	}
	uint64_t bytes = HR_LIVE_HEAD_BYTES(HR_LIVE_HEAD_UNUSED(class));
	if (bytes > CHUNK)
		return (struct leaf *)take_from_pool(t, bytes);
	if (unlikely(region->chunk_end - region->chunk < bytes)) {
		uintptr_t chunk = take_from_pool(t, CHUNK);
		if (chunk == 0)
			return NULL;
		region->chunk = chunk;
		region->chunk_end = chunk + CHUNK;
	}
	leaf = (struct leaf *)region->chunk;
	region->chunk += bytes;
	if (region->chunk < region->chunk_end)
		*(uint64_t *)region->chunk = HR_LIVE_HEAD_GAP(region->chunk_end - region->chunk);
	return leaf;
}

/* A link in a slot is no entry: its label is 0. */
static void retire(struct region *region, struct leaf *leaf, uint32_t class)
{
	memset(leaf->slots, 0, 8ull << class);
	leaf->head = HR_LIVE_HEAD_UNUSED(class);
	leaf->slots[0] = (uintptr_t)region->unused[class];
	region->unused[class] = leaf;
}

static inline uint64_t *slot_in(uint64_t word, uintptr_t address)
{
	uint32_t bits = WORD_BITS(word);
	return &WORD_LEAF(word)->slots[(address & 4095) >> (OFFSET_BITS - bits) << WORD_WIDE(word)];
}

/* Exchanges the page's leaf for one of another shape. Of a page without one, the first. */
static cold bool reshape(struct thread *t, struct region *region, uint64_t *word, uintptr_t address, uint32_t bits, uint32_t wide)
{
	uint64_t old = *word;
	struct leaf *leaf = new_leaf(t, region, bits + wide);
	if (leaf == NULL) {
		hr_lost(HR_LOST_BLOCKS_FULL);
		return false;
	}
	uint64_t new = (uintptr_t)leaf | (uint64_t)bits << 48 | (uint64_t)wide << 52;
	if (old) {
		const uint64_t *slots = WORD_LEAF(old)->slots;
		for (uint32_t i = 0; i < 1u << WORD_BITS(old); i++) {
			const uint64_t *from = &slots[i << WORD_WIDE(old)];
			uint64_t *to = slot_in(new, HR_LIVE_OFFSET(*from));
			if (*from == 0)
				continue;
			if (wide)
				to[1] = WORD_WIDE(old) ? from[1] : HR_LIVE_SIZE(*from);
			to[0] = *from;
		}
	}
	leaf->head = HR_LIVE_HEAD(address >> OFFSET_BITS, bits, wide);
	__atomic_store_n(word, new, __ATOMIC_RELEASE);
	if (old)
		retire(region, WORD_LEAF(old), WORD_BITS(old) + WORD_WIDE(old));
	return true;
}

/* ---- the way to a page's word -------------------------------------------------------------------- */

static inline struct directory *directory_of(uintptr_t address)
{
	return atomic_load_explicit(&top[address >> (OFFSET_BITS + PAGE_BITS)], memory_order_acquire);
}

static inline uint32_t index_of(uintptr_t address)
{
	return (uint32_t)(address >> OFFSET_BITS) & ((1u << PAGE_BITS) - 1);
}

static cold struct directory *new_directory(struct thread *t, uintptr_t address)
{
	lock_word *outer = enter_pool(t);
	struct directory *d = directory_of(address);
	if (d == NULL) {
		d = hr_memory_reserve(sizeof *d);
		if (d) {
			hr_memory_touched(SYS_PAGE);
			atomic_store_explicit(&top[address >> (OFFSET_BITS + PAGE_BITS)], d, memory_order_release);
		}
	}
	leave_pool(t, outer);
	return d;
}

/* The page's first leaf. */
static cold bool first_leaf(struct thread *t, struct region *region, struct directory *d, uintptr_t address, uint32_t wide)
{
	uint32_t i = index_of(address), bits = i ? WORD_BITS(d->word[i - 1]) : 0;
	uint64_t bit = 1ull << (i >> 9 & 63);
	if (!(__atomic_fetch_or(&d->touched[i >> 15], bit, __ATOMIC_RELAXED) & bit)) {
		hr_memory_touched(SYS_PAGE);
		__atomic_fetch_add(&table_bytes, SYS_PAGE, __ATOMIC_RELAXED);
	}
	return reshape(t, region, &d->word[i], address, bits ? bits - 1 : 0, wide);
}

void hr_live_prefetch(const void *block)
{
	uintptr_t address = (uintptr_t)block & ((1ull << 47) - 1);
	struct directory *d = directory_of(address);
	if (unlikely(d == NULL))
		return;
	uint64_t word = __atomic_load_n(&d->word[index_of(address)], __ATOMIC_RELAXED);
	if (likely(word != 0)) /* another thread may be changing it: a prefetch may miss, not fault */
		__builtin_prefetch(slot_in(word, address), 1);
}

/* ---- entries ------------------------------------------------------------------------------------ */

static inline struct live_entry unpack(uint64_t word, const uint64_t *slot)
{
	return (struct live_entry){
		.site = (uint32_t)HR_LIVE_SITE(*slot),
		.size = unlikely(WORD_WIDE(word)) ? slot[1] : HR_LIVE_SIZE(*slot),
		.age = HR_LIVE_AGE(*slot),
		.inherited = HR_LIVE_LABEL(*slot) != label_of(generation),
	};
}

/* The slot for the address, in a leaf that suits the size; NULL: no memory. */
static cold uint64_t *make_slot(struct thread *t, struct region *region, uintptr_t address, uint64_t size)
{
	struct directory *d = directory_of(address);
	uint32_t wide = size >= HR_LIVE_SIZE_WIDE;
	if (d == NULL && (d = new_directory(t, address)) == NULL)
		return NULL;
	uint64_t *word = &d->word[index_of(address)];
	if (*word == 0 && !first_leaf(t, region, d, address, wide))
		return NULL;
	if (wide && !WORD_WIDE(*word) && !reshape(t, region, word, address, WORD_BITS(*word), 1))
		return NULL;
	for (;;) {
		uint64_t *slot = slot_in(*word, address);
		if (*slot == 0 || HR_LIVE_OFFSET(*slot) == (address & 4095))
			return slot;
		if (!reshape(t, region, word, address, WORD_BITS(*word) + 1, WORD_WIDE(*word)))
			return NULL;
	}
}

static inline uint64_t pack(uintptr_t address, const struct live_entry *e)
{
	uint64_t born = label_of(unlikely(e->inherited) ? generation + LABELS - 1 : generation);
	uint64_t size = likely(e->size < HR_LIVE_SIZE_WIDE) ? e->size : HR_LIVE_SIZE_WIDE;
	return HR_LIVE_ENTRY(address, size, e->site, e->age, born);
}

/* With the region. */
static inline bool place(struct thread *t, struct region *region, uintptr_t address, const struct live_entry *entry, struct live_entry *old)
{
	uint64_t *slot = NULL, word = 0;
	struct directory *d = directory_of(address);
	if (likely(d != NULL) && likely((word = d->word[index_of(address)]) != 0))
		slot = slot_in(word, address);
	if (unlikely(slot == NULL || *slot != 0 || (entry->size >= HR_LIVE_SIZE_WIDE && !WORD_WIDE(word)))) {
		slot = make_slot(t, region, address, entry->size);
		if (slot == NULL)
			return false;
		word = directory_of(address)->word[index_of(address)];
	}
	bool there = *slot != 0;
	if (unlikely(there))
		*old = unpack(word, slot);
	else
		region->blocks++;
	if (unlikely(WORD_WIDE(word)))
		slot[1] = entry->size;
	*slot = pack(address, entry);
	return there;
}

static inline bool can_have(uintptr_t address)
{
	return likely(address >> 47 == 0 && (address & 7) == 0 && top != NULL);
}

bool hr_live_place(struct thread *t, const void *block, const struct live_entry *entry, struct live_entry *old)
{
	uintptr_t address = (uintptr_t)block;
	if (!can_have(address)) {
		hr_lost(HR_LOST_TOO_LARGE);
		return false;
	}
	struct region *region = enter(t, address);
	bool there = place(t, region, address, entry, old);
	leave(t, region);
	return there;
}

bool hr_live_remove(struct thread *t, const void *block, struct live_entry *entry)
{
	uintptr_t address = (uintptr_t)block;
	bool found = false;
	if (!can_have(address))
		return false;
	struct region *region = enter(t, address);
	const struct directory *d = directory_of(address);
	uint64_t word = likely(d != NULL) ? d->word[index_of(address)] : 0;
	if (likely(word != 0)) {
		uint64_t *slot = slot_in(word, address);
		if (likely(*slot != 0 && HR_LIVE_OFFSET(*slot) == (address & 4095))) {
			*entry = unpack(word, slot);
			*slot = 0;
			region->blocks--;
			found = true;
		}
	}
	leave(t, region);
	return found;
}

/* ---- the hand, with several threads -------------------------------------------------------------- */

const void *hr_live_put_shared(struct thread *t, const void *block, const struct live_entry *entry, struct live_entry *old)
{
	if (t->hand_taken >= HAND_TAKEN_MAX)
		return hr_live_place(t, block, entry, old) ? block : NULL;
	for (;;) {
		hr_own_begin(t);
		const void *before = t->hand.block;
		bool again = before == block;
		if (again) {
			*old = t->hand.entry;
		} else if (before && can_have((uintptr_t)before)) {
			struct region *region = try_region(t, (uintptr_t)before);
			if (unlikely(region == NULL)) {
				hr_own_end(t);
				claim(t, (uintptr_t)before);
				continue;
			}
			again = place(t, region, (uintptr_t)before, &t->hand.entry, old);
			let_go(t, region);
		}
		hr_live_copy(&t->hand.entry, entry);
		__atomic_store_n(&t->hand.block, block, __ATOMIC_RELEASE); /* whoever sees it there no more finds the other in the table */
		hr_own_end(t);
		return again ? before : NULL;
	}
}

static bool take_in_hand(struct thread *whose, const void *block, struct live_entry *entry)
{
	if (whose->hand.block != block)
		return false;
	hr_live_copy(entry, &whose->hand.entry);
	__atomic_store_n(&whose->hand.block, NULL, __ATOMIC_RELEASE);
	return true;
}

static cold bool take_from_another(struct thread *t, const void *block, struct live_entry *entry)
{
	bool taken = false;
	for (uint32_t i = 0; i < hr_threads_used() && !taken; i++) {
		struct thread *other = hr_thread_at(i);
		if (other == t || __atomic_load_n(&other->hand.block, __ATOMIC_ACQUIRE) != block)
			continue;
		hr_stop(t, other);
		taken = take_in_hand(other, block, entry);
		other->hand_taken += taken;
		hr_resume(t, other);
	}
	return taken || hr_live_remove(t, block, entry);
}

bool hr_live_take_shared(struct thread *t, const void *block, struct live_entry *entry)
{
	if (t->hand.block == block) {
		hr_own_begin(t);
		bool taken = take_in_hand(t, block, entry);
		hr_own_end(t);
		if (likely(taken))
			return true;
	}
	return likely(hr_live_remove(t, block, entry)) || take_from_another(t, block, entry);
}

/* ---- all of it ---------------------------------------------------------------------------------- */

void hr_live_lock_all(struct thread *t)
{
	for (uint32_t i = 0; i < REGIONS; i++)
		hr_lock(t, &regions[i].lock);
	hr_lock(t, &pool_lock);
}

void hr_live_unlock_all(struct thread *t)
{
	hr_unlock(t, &pool_lock);
	for (uint32_t i = 0; i < REGIONS; i++)
		hr_unlock(t, &regions[i].lock);
}

/* Calls `visit` for each slot in use. Inline: what is visited is known where this is called. */
static inline __attribute__((always_inline)) void each_slot(const struct hr_live_pool *pool,
	void (*visit)(void *arg, uintptr_t page, uint64_t *slot, bool wide), void *arg)
{
	uint64_t bytes;
	for (uintptr_t at = pool->start; at < pool->start + pool->used; at += bytes) {
		struct leaf *leaf = (struct leaf *)at;
		bytes = HR_LIVE_HEAD_BYTES(leaf->head);
		for (uint64_t i = 0; HR_LIVE_HEAD_USED(leaf->head) && i < bytes / 8 - 1; i += 1 + HR_LIVE_HEAD_WIDE(leaf->head))
			if (leaf->slots[i])
				visit(arg, HR_LIVE_HEAD_PAGE(leaf->head), &leaf->slots[i], HR_LIVE_HEAD_WIDE(leaf->head));
	}
}

struct visitor {
	void (*visit)(void *arg, const void *block, uint32_t site, uint64_t size);
	void *arg;
};

static inline void visit_block(void *arg, uintptr_t page, uint64_t *slot, bool wide)
{
	const struct visitor *v = arg;
	v->visit(v->arg, (const void *)(page + HR_LIVE_OFFSET(*slot)), (uint32_t)HR_LIVE_SITE(*slot),
		wide ? slot[1] : HR_LIVE_SIZE(*slot));
}

void hr_live_each(void (*visit)(void *arg, const void *block, uint32_t site, uint64_t size), void *arg)
{
	struct visitor v = {visit, arg};
	for (uint32_t p = 0; p < pool_count; p++)
		each_slot(&pools[p], visit_block, &v);
}

static void label_anew(void *arg, uintptr_t page, uint64_t *slot, bool wide)
{
	if (HR_LIVE_LABEL(*slot) == label_of(generation))
		*slot = (*slot & ~(3ull << 62)) | label_of(generation - 1) << 62;
}

void hr_live_new_generation(void)
{
	for (uint32_t i = 0; i < AREAS; i++)
		atomic_store(&areas[i].owner, NULL); /* those threads are gone */
	generation++;
	if (generation >= LABELS)
		for (uint32_t p = 0; p < pool_count; p++)
			each_slot(&pools[p], label_anew, NULL);
}

void hr_live_geometry(struct hr_live_geometry *g)
{
	*g = (struct hr_live_geometry){
		.pools = (uintptr_t)pools, .pool_count = __atomic_load_n(&pool_count, __ATOMIC_RELAXED),
		.label = label_of(generation), .bytes_of_table = __atomic_load_n(&table_bytes, __ATOMIC_RELAXED),
	};
	hr_threads_geometry(g);
	for (uint32_t i = 0; i < REGIONS; i++)
		g->blocks += __atomic_load_n(&regions[i].blocks, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < AREAS; i++)
		g->blocks += __atomic_load_n(&areas[i].region.blocks, __ATOMIC_RELAXED);
}

void hr_live_start(void)
{
	sys_barrier_register();
	top = hr_memory_reserve(TOP_ENTRIES * sizeof *top);
	hr_memory_touched(2 * SYS_PAGE);
	hr_live_geometry(&hr_header->live);
}
