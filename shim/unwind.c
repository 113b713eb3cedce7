/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind.c - the calling stack of an event, as a node of the trie: incremental verified unwinding.
 *
 * Each thread keeps its last trace, outermost frame first: kept[0] is main's caller's caller. A walk goes
 * from the hook's caller outwards, one frame rule a step, and at each frame looks whether the rest of the
 * stack is the kept one:
 *
 *   kept  [ _start | main | f | g | h ]          g called h then, calls k now
 *   walk                            k -> g ...   same ip, sp (and fp, where it matters) as the kept g:
 *   verify                  [ g | f | main ]     every return address slot still holds the kept value
 *   result                  kept g's node, with k as its child
 *
 * Why that is sound: a frame's CFA is sp + n or fp + n by its rule, the return address lies at CFA - 8,
 * the caller's fp is fp or lies in a known slot. So the same ip, sp and fp, and the same words in the slots
 * that a walk reads, give the same walk. Those words are kept as an array of {slot, value}.
 *
 * Past a signal frame the walk goes on with the interrupted registers; such a trace is not kept.
 * In front of it, a memo of whole traces by (ip, sp), verified in the same way: most allocations of a loop
 * come from the same few places, and these cost one pass over their words.
 *
 * A frame whose rule is complex hands the whole trace to libunwind, and nothing is kept. A trace ends at
 * the outermost frame, or at an ip without unwind information: then it hangs under the root <jit> or
 * <no unwind info>. It never goes on by guesswork.
 */
#include "shim.h"

bool hr_unwind_checked;
_Atomic uint64_t hr_unwind_generation;

struct walk {
	struct reader reader;
	uintptr_t ip, sp, fp;
	size_t count;     /* frames in thread.walk, innermost first */
	uint32_t root;    /* where it ended, when not at a kept frame */
	uintptr_t end_ip;
	bool complex, stop;
	bool interrupted; /* the frame just entered did not call: its rule is looked up at ip itself */
	bool keep;        /* what is walked may be kept */
};

/* ---- is the rest of the stack the kept one? ---------------------------------------------------- */

static bool same_end(struct thread *t)
{
	if (likely(t->root == HR_ROOT_STACK))
		return true;
	/* The outermost kept frame returned into code without unwind information: still there, still without? */
	uintptr_t slot = t->kept[0].fp_slot;
	if (t->end_ip == 0 || slot == 0 || *(const uintptr_t *)slot != t->end_ip)
		return false;
	enum rule_kind kind = hr_rule(t, t->end_ip).kind;
	return kind == RULE_NO_OBJECT || kind == RULE_NONE;
}

/*
 * Do all words that the walk from kept[newest] outwards would read hold what they held? Kept traces are of
 * the thread's own stack, which is mapped from here to its end, so all may be read, four at a time and
 * without a branch in between.
 */
static inline bool words_same(const struct thread *t, uint32_t newest)
{
	const struct word *w = t->words;
	uint32_t count = t->kept[newest].words;
	uintptr_t different = 0;
#define DIFFERENT(i) (*(const uintptr_t *)w[i].slot ^ w[i].value)
	for (; count >= 4; count -= 4, w += 4)
		different |= DIFFERENT(0) | DIFFERENT(1) | DIFFERENT(2) | DIFFERENT(3);
	for (; count; count--, w++)
		different |= DIFFERENT(0);
#undef DIFFERENT
	return different == 0;
}

/* How many kept frames, from the oldest, are not known to be right when kept[newest] is: 0 if all verified. */
static uint32_t verify(struct thread *t, uint32_t newest)
{
	if (likely(words_same(t, newest)))
		return same_end(t) ? 0 : 1;
	uint32_t count = t->kept[newest].words;
	while (count && *(const uintptr_t *)t->words[count - 1].slot == t->words[count - 1].value)
		count--;
	while (newest && t->kept[newest - 1].words >= count) /* the newest frame whose caller is another one now */
		newest--;
	return newest;
}

static inline bool same_frame(const struct frame *f, const struct walk *w)
{
	return f->sp == w->sp && f->ip == w->ip && (!f->fp_matters || f->fp == w->fp);
}

/* ---- one step ---------------------------------------------------------------------------------- */

static void end_walk(struct walk *w, uint32_t root, uintptr_t end_ip)
{
	w->stop = true;
	w->root = root;
	w->end_ip = end_ip;
}

/* Past a signal handler: the registers are in the frame the kernel made, on the interrupted stack or another. */
static void step_signal(struct thread *t, struct walk *w)
{
	struct arch_entry before;
	struct reader *r = &w->reader;
	t->walk[w->count++] = (struct frame){.ip = w->ip, .sp = w->sp, .fp = w->fp};
	w->keep = false;
	if (!hr_read_word(r, w->sp + ARCH_SIGNAL_IP, &before.ip) || !hr_read_word(r, w->sp + ARCH_SIGNAL_SP, &before.sp) ||
	    !hr_read_word(r, w->sp + ARCH_SIGNAL_FP, &before.fp)) {
		hr_lost(HR_LOST_UNWIND_FAILED);
		end_walk(w, HR_ROOT_NO_INFO, 0);
		return;
	}
	w->ip = before.ip;
	w->sp = before.sp;
	w->fp = before.fp;
	w->reader = hr_reader(t, w->sp);
	w->interrupted = true;
}

static void step(struct thread *t, struct walk *w)
{
	struct rule rule = hr_rule(t, w->ip + w->interrupted);
	w->interrupted = false;
	if (unlikely(rule.kind == RULE_NO_OBJECT || rule.kind == RULE_NONE)) {
		end_walk(w, rule.kind == RULE_NONE ? HR_ROOT_NO_INFO : HR_ROOT_JIT, w->ip);
		return;
	}
	if (unlikely(rule.kind == RULE_COMPLEX)) {
		w->complex = w->stop = true;
		return;
	}
	if (unlikely(rule.kind == RULE_SIGNAL)) {
		step_signal(t, w);
		t->walk[w->count - 1].module = rule.module;
		return;
	}
	struct frame *f = &t->walk[w->count++];
	*f = (struct frame){.ip = w->ip, .sp = w->sp, .fp = w->fp, .module = rule.module, .volatile_rule = rule.uncacheable};
	if (rule.kind == RULE_END) {
		end_walk(w, HR_ROOT_STACK, 0);
		return;
	}
	f->fp_matters = rule.kind != RULE_STACK ? 2 : rule.fp_offset == RULE_FP_SAME;
	uintptr_t cfa = (rule.kind == RULE_STACK ? w->sp : w->fp) + (uintptr_t)(intptr_t)rule.cfa_offset;
	uintptr_t saved_from = rule.kind == RULE_SAVED ? w->fp : 0;
	bool ok = true;
	if (unlikely(rule.kind == RULE_SAVED)) {
		f->cfa_slot = cfa;
		ok = hr_read_word(&w->reader, f->cfa_slot, &cfa);
	}
	ok = ok && cfa > w->sp && hr_read_word(&w->reader, cfa - 8, &w->ip);
	if (ok && rule.fp_offset != RULE_FP_SAME) {
		f->fp_slot = (saved_from ? saved_from : cfa) + (uintptr_t)((intptr_t)rule.fp_offset * 8);
		ok = f->fp_slot >= w->reader.low && hr_read_word(&w->reader, f->fp_slot, &w->fp);
	}
	if (unlikely(!ok)) {
		hr_lost(HR_LOST_UNWIND_FAILED);
		end_walk(w, HR_ROOT_NO_INFO, 0);
		return;
	}
	w->sp = cfa;
	if (unlikely(w->ip < SYS_PAGE)) /* a thread's first frame may just have no return address */
		end_walk(w, HR_ROOT_STACK, 0);
}

/* ---- from frames to a node --------------------------------------------------------------------- */

static uint32_t child_of(struct thread *t, uint32_t parent, uintptr_t ip, uint16_t module)
{
	return hr_node_child(t, (struct node_key){.value = ip, .parent = parent, .module = module, .kind = HR_NODE_NATIVE});
}

/* Appends the walked frames, oldest first, to the kept ones below `depth`. */
static uint32_t append(struct thread *t, const struct walk *w, uint32_t depth)
{
	uint32_t node = depth ? t->kept[depth - 1].node : t->root;
	bool fp_matters = depth && t->kept[depth - 1].fp_matters;
	for (size_t i = w->count; i-- > 0; depth++) {
		struct frame *f = &t->kept[depth];
		*f = t->walk[i];
		node = f->node = child_of(t, node, f->ip, f->module);
		f->words = depth ? t->kept[depth - 1].words : 0;
		if (depth) {
			t->words[f->words++] = (struct word){t->kept[depth - 1].sp - 8, t->kept[depth - 1].ip};
			if (f->cfa_slot)
				t->words[f->words++] = (struct word){f->cfa_slot, t->kept[depth - 1].sp};
			if (f->fp_slot && fp_matters)
				t->words[f->words++] = (struct word){f->fp_slot, t->kept[depth - 1].fp};
		} else if (w->end_ip) {
			f->fp_slot = w->sp - 8; /* kept[0] has no caller: its slot is where the walk ended */
		}
		/* does the walk from here outwards depend on fp? for its CFA, or because it passes through */
		f->fp_matters = f->fp_matters == 2 || (f->fp_matters == 1 && fp_matters);
		fp_matters = f->fp_matters;
	}
	t->depth = depth;
	return node;
}

/* Deeper than is kept: the innermost frames, under <truncated>. */
static uint32_t truncated(struct thread *t, const struct walk *w, uint32_t depth)
{
	hr_lost(HR_LOST_TRUNCATED);
	uint32_t node = HR_ROOT_TRUNCATED;
	for (uint32_t i = depth - (WALK_MAX - (uint32_t)w->count); i < depth; i++)
		node = child_of(t, node, t->kept[i].ip, t->kept[i].module);
	for (size_t i = w->count; i-- > 0;)
		node = child_of(t, node, t->walk[i].ip, t->walk[i].module);
	t->depth = 0;
	return node;
}

/* Without libunwind: the frames up to the complex one. */
static cold uint32_t up_to_here(struct thread *t, const struct walk *w)
{
	uint32_t node = HR_ROOT_NO_INFO;
	hr_lost(HR_LOST_UNWIND_FAILED);
	t->depth = 0;
	for (size_t i = w->count; i-- > 0;)
		node = child_of(t, node, t->walk[i].ip, t->walk[i].module);
	return node;
}

static uint32_t by_libunwind(struct thread *t, struct arch_entry entry)
{
	uintptr_t *ips = (uintptr_t *)t->walk, end_ip = 0; /* the walk is given up: its room is free */
	count_add(&hr_header->unwind_libunwind, 1);
	t->depth = 0;
	size_t count = hr_truth_walk(t, entry, ips, WALK_MAX + 1, &end_ip);
	uint32_t node = HR_ROOT_STACK;
	if (count > WALK_MAX) {
		hr_lost(HR_LOST_TRUNCATED);
		node = HR_ROOT_TRUNCATED;
		count = WALK_MAX;
	} else if (end_ip) {
		node = hr_rule(t, end_ip).kind == RULE_NO_OBJECT ? HR_ROOT_JIT : HR_ROOT_NO_INFO;
	}
	while (count-- > 0)
		node = child_of(t, node, ips[count], hr_rule(t, ips[count]).module);
	return node;
}

/* Frames of objects that may vanish unseen, and all inside of them, are not kept. */
static void drop_volatile(struct thread *t, uint32_t from)
{
	for (uint32_t i = from; i < t->depth; i++)
		if (unlikely(t->kept[i].volatile_rule))
			t->depth = i;
}

static uint32_t walk(struct thread *t, struct arch_entry entry)
{
	struct walk w = {.reader = hr_reader(t, entry.sp), .ip = entry.ip, .sp = entry.sp, .fp = entry.fp, .keep = true};
	uint64_t generation = atomic_load_explicit(&hr_unwind_generation, memory_order_relaxed);
	uint32_t kept = t->depth;
	bool closing = atomic_load_explicit(&hr_rules_closing, memory_order_acquire) != 0;
	if (unlikely(w.reader.foreign || closing || t->kept_generation != generation))
		kept = 0;
	t->kept_generation = generation;
	for (;;) {
		while (kept && (t->kept[kept - 1].sp < w.sp || !w.keep))
			kept--;
		if (kept && same_frame(&t->kept[kept - 1], &w)) {
			uint32_t wrong = verify(t, kept - 1);
			if (likely(wrong == 0))
				break;
			kept = wrong;
		}
		if (unlikely(w.count == WALK_MAX)) {
			t->depth = 0;
			return truncated(t, &w, 0);
		}
		step(t, &w);
		if (w.complex)
			return hr_truth_available() ? by_libunwind(t, entry) : up_to_here(t, &w);
		if (w.stop) {
			kept = 0;
			t->root = w.root;
			t->end_ip = w.end_ip;
			break;
		}
	}
	if (unlikely(kept + w.count > WALK_MAX))
		return truncated(t, &w, kept);
	uint32_t node = append(t, &w, kept);
	drop_volatile(t, kept);
	if (unlikely(!w.keep || w.reader.foreign || closing))
		t->depth = 0;
	return node;
}

/* ---- check mode -------------------------------------------------------------------------------- */

static void check(struct thread *t, struct arch_entry entry, uint32_t node)
{
	uintptr_t *ips = (uintptr_t *)t->walk, end_ip = 0; /* the walk is over: its room is free */
	size_t count = hr_truth_walk(t, entry, ips, WALK_MAX + 1, &end_ip);
	bool same = count > 0 || end_ip;
	for (size_t i = 0; i < count && i < WALK_MAX && same; i++) {
		struct node_key key = hr_node_key(node);
		same = key.kind == HR_NODE_NATIVE && key.value == ips[i];
		node = key.parent;
	}
	if (same && count <= WALK_MAX)
		same = hr_node_key(node).kind == HR_NODE_ROOT;
	count_add(&hr_header->unwind_compared, 1);
	if (!same)
		count_add(&hr_header->unwind_differences, 1);
}

/* ---- the memo ---------------------------------------------------------------------------------- */

/* One place (an allocator's wrapper, say) is reached by several paths: a set of four each. */
static inline struct memo *set_of(struct thread *t, struct arch_entry entry)
{
	return &t->memo[((entry.ip ^ entry.sp >> 4) * 0x9e3779b97f4a7c15ull >> 40) % (MEMO_ENTRIES / 4) * 4];
}

static inline bool memo_holds(const struct memo *m, const uintptr_t *frame)
{
	const uintptr_t sp = (uintptr_t)(frame + 2);
	if (m->ip != frame[1] || m->sp != sp || m->generation != atomic_load_explicit(&hr_unwind_generation, memory_order_relaxed) ||
	    (m->fp_matters && m->fp != frame[0]))
		return false;
#define DIFFERENT(k) (*(const uintptr_t *)(sp + m->offset[k]) ^ m->value[k])
	for (uint32_t i = 0; i < m->words; i += 4)
		if (unlikely(DIFFERENT(i) | DIFFERENT(i + 1) | DIFFERENT(i + 2) | DIFFERENT(i + 3)))
			return false;
#undef DIFFERENT
	return true;
}

static struct memo *remembered(struct thread *t, const uintptr_t *frame)
{
	struct memo *set = set_of(t, arch_entry_of(frame));
	for (uint32_t i = 0; i < 4; i++)
		if (memo_holds(&set[i], frame))
			return &set[i];
	return NULL;
}

/* After a walk: the kept trace, if it is this one, whole, and not too deep. Newest words first: they differ first. */
static void memorise(struct thread *t, struct arch_entry entry, uint32_t node, uint32_t site)
{
	const struct frame *f = t->depth ? &t->kept[t->depth - 1] : NULL;
	uint64_t far = entry.sp + UINT32_MAX;
	if (f == NULL || f->ip != entry.ip || f->sp != entry.sp || f->words > MEMO_WORDS || t->root != HR_ROOT_STACK)
		return;
	struct memo *m = set_of(t, entry) + t->memo_hand++ % 4;
	*m = (struct memo){
		.ip = entry.ip, .sp = entry.sp, .fp = entry.fp, .fp_matters = f->fp_matters,
		.generation = t->kept_generation, .node = node, .site = site, .words = f->words,
	};
	for (uint32_t i = 0; i < ((f->words + 3u) & ~3u); i++) {
		const struct word *w = &t->words[i < f->words ? f->words - 1 - i : 0];
		if (w->slot < entry.sp || w->slot > far) {
			m->ip = 0;
			return;
		}
		m->offset[i] = (uint32_t)(w->slot - entry.sp);
		m->value[i] = w->value;
	}
	m->words = (f->words + 3u) & ~3u;
	t->recent = m;
}

static uint32_t walk_checked(struct thread *t, struct arch_entry entry)
{
	uint32_t node = walk(t, entry);
	if (unlikely(hr_unwind_checked) && node != HR_ROOT_FULL)
		check(t, entry, node);
	return node;
}

uint32_t hr_unwind(struct thread *t, const uintptr_t *frame)
{
	return walk_checked(t, arch_entry_of(frame));
}

static uint32_t walked_site(struct thread *t, const uintptr_t *frame)
{
	struct arch_entry entry = arch_entry_of(frame);
	uint32_t node = walk_checked(t, entry);
	uint32_t site = hr_site(t, node, DOMAIN_ALLOCATOR);
	memorise(t, entry, node, site);
	return site;
}

uint32_t hr_unwind_site(struct thread *t, const uintptr_t *frame)
{
	if (unlikely(!memo_holds(t->recent, frame))) {
		struct memo *m = remembered(t, frame);
		if (m == NULL)
			return walked_site(t, frame);
		t->recent = m;
	}
	if (unlikely(hr_unwind_checked))
		check(t, arch_entry_of(frame), t->recent->node);
	return t->recent->site;
}

uint32_t hr_unwind_from(struct thread *t, struct arch_entry entry)
{
	return walk_checked(t, entry);
}
