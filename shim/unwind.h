/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind.h - the calling stack of an event: the walk, the frame rules, the truth, and reads that cannot fault. Of shim.h.
 */
#ifndef HEAPRAY_UNWIND_H
#define HEAPRAY_UNWIND_H

#include "shim.h"

/* ---- unwind.c: the walk ----------------------------------------------------------------------- */

/* The node of the calling stack. Takes no lock but the trie's leaf lock for a frame never seen. */
uint32_t hr_unwind(struct thread *t, const uintptr_t *frame);
/* The same from the registers of a frame further out. */
uint32_t hr_unwind_from(struct thread *t, struct arch_entry entry);
/* Its row in the allocator's domain: what hr_site(t, hr_unwind(t, frame), DOMAIN_ALLOCATOR) gives. */
uint32_t hr_unwind_site(struct thread *t, const uintptr_t *frame);
/* Goes up when a dlclose begins and when it ends: traces kept before are not used. */
extern _Atomic uint64_t hr_unwind_generation;
extern bool hr_unwind_checked; /* check mode: each trace is compared with libunwind's */

/* ---- unwind_rule.c: frame rules from .eh_frame ------------------------------------------------ */

enum rule_kind {
	RULE_NONE,    /* no unwind information: the walk ends here */
	RULE_STACK,   /* CFA = sp + offset */
	RULE_FRAME,   /* CFA = fp + offset */
	RULE_SAVED,   /* CFA = *(fp + offset), fp saved relative to fp: a realigned stack */
	RULE_END,     /* the outermost frame */
	RULE_COMPLEX, /* for libunwind */
	RULE_SIGNAL,  /* the kernel's frame under a signal handler */
	RULE_NO_OBJECT, /* no object at this address: machine code made at run time */
};
#define RULE_FP_SAME INT16_MIN
struct rule {
	enum rule_kind kind;
	int32_t cfa_offset;
	int16_t fp_offset;   /* from the CFA (RULE_SAVED: from fp), in words of 8; RULE_FP_SAME: not saved */
	uint16_t module;
	bool uncacheable;
};
struct rule hr_rule(struct thread *t, uintptr_t ip);
void hr_rules_start(void);
void hr_rules_forget(void);
extern _Atomic uint32_t hr_rules_closing; /* a dlclose is under way */
/* Exposed for its unit test and fuzz target: the row of an FDE at pc. */
struct rule hr_rule_compile(const uint8_t *eh_frame_hdr, uintptr_t low, uintptr_t high, uintptr_t pc);

/* ---- unwind_truth.c: libunwind in its own address space --------------------------------------- */

void hr_truth_start(void);
bool hr_truth_available(void);
void hr_truth_forked(void); /* in the child */
/* Return addresses from `entry` outwards, innermost first, up to the first without an FDE (which is left
 * out; *end_ip holds it, 0 when the stack ended). Returns how many, 0 on failure. */
size_t hr_truth_walk(const struct thread *t, struct arch_entry entry, uintptr_t *ips, size_t max, uintptr_t *end_ip);

/* ---- stack_read.c: reads that cannot fault ---------------------------------------------------- */

struct reader {
	uintptr_t low, high; /* known to be mapped */
	bool foreign;        /* not the thread's own stack: probe page by page */
	uintptr_t limit;     /* foreign: as far as a walk may go */
};
struct reader hr_reader(const struct thread *t, uintptr_t sp);
bool hr_reader_probe(struct reader *r, uintptr_t address);
static inline bool hr_read_word(struct reader *r, uintptr_t address, uintptr_t *value)
{
	if (unlikely(address < r->low || address + sizeof *value > r->high || (address & 7)) && !hr_reader_probe(r, address))
		return false;
	*value = *(const uintptr_t *)address;
	return true;
}

#endif
