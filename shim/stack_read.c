/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack_read.c - reads of the stack that cannot fault.
 *
 * On the thread's own stack, everything from the stack pointer up to the thread control block (or the
 * loader's stack end, for the first thread) is mapped. On any other (coroutines, the alternate signal
 * stack, threads whose size nobody told) pages are probed with one system call each, from the stack
 * pointer upwards, and a walk may go no further than a megabyte from where it began. What was probed is
 * believed for that walk only: a coroutine's stack may be unmapped before the next.
 */
#include "shim.h"

#define FOREIGN_SPAN (1u << 20)

struct reader hr_reader(const struct thread *t, uintptr_t sp)
{
	if (likely(t->stack_low && sp >= t->stack_low && sp < t->stack_high))
		return (struct reader){.low = sp, .high = t->stack_high, .limit = t->stack_high};
	uintptr_t page = sp & ~(SYS_PAGE - 1);
	return (struct reader){
		.low = sp, .high = page + SYS_PAGE, .foreign = true,
		.limit = page + FOREIGN_SPAN < page ? UINTPTR_MAX - SYS_PAGE : page + FOREIGN_SPAN,
	};
}

bool hr_reader_probe(struct reader *r, uintptr_t address)
{
	if (!r->foreign || address & 7 || address < r->low || address >= r->limit)
		return false;
	uintptr_t page = address & ~(SYS_PAGE - 1);
	count_add(&hr_header->unwind_probes, 1);
	if (!sys_readable(page))
		return false;
	if (page == r->high) /* the next one up: the known part grows */
		r->high = page + SYS_PAGE;
	return true;
}
