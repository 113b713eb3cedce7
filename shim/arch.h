/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch.h - what depends on the processor, one header each.
 *
 * A port is a new arch_NAME.h that provides
 *   arch_syscall6            the kernel's calling convention
 *   arch_thread_pointer      the thread control block: on glibc it bounds a thread's stack from above
 *   arch_stack_pointer       the current stack pointer
 *   struct arch_entry        the registers the walk starts with, taken from a hook's own frame
 *   ARCH_DWARF_*             the DWARF numbers of the stack pointer, frame pointer and return address
 *   ARCH_START_MAIN          __libc_start_main, that leaves no frame behind
 *   ARCH_SIGNAL_*            where the kernel's signal frame keeps the interrupted registers
 * aarch64 would take: svc 0 calls, tpidr_el0, x29/x30 (DWARF 29, 30), return addresses with the PAC
 * bits stripped, and a walk that begins with the link register: on x86-64 the return address is always
 * at CFA - 8, there it is where the CFI says or still in x30 (leaf frames), so a frame rule needs one
 * more field, the slot of the return address.
 */
#ifndef HEAPRAY_ARCH_H
#define HEAPRAY_ARCH_H

#if defined(__x86_64__)
#include "arch_x86_64.h"
#else
#error "heapray has no arch_*.h for this processor yet"
#endif

#endif
