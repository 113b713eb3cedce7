/* SPDX-License-Identifier: BSD-2-Clause */
/* arch_x86_64.h - see arch.h. */
#ifndef HEAPRAY_ARCH_X86_64_H
#define HEAPRAY_ARCH_X86_64_H

#include <stdint.h>

#define ARCH_DWARF_FRAME 6   /* rbp */
#define ARCH_DWARF_STACK 7   /* rsp */
#define ARCH_DWARF_RETURN 16 /* rip */

/* Where the kernel's signal frame, at the stack pointer of its return address __restore_rt, keeps the
 * interrupted registers: struct ucontext begins there, its gregs 40 bytes in (asm/sigcontext.h). */
#define ARCH_SIGNAL_FP (40 + 10 * 8)
#define ARCH_SIGNAL_SP (40 + 15 * 8)
#define ARCH_SIGNAL_IP (40 + 16 * 8)

static inline long arch_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return result;
}

static inline uintptr_t arch_thread_pointer(void)
{
	uintptr_t tp;
	__asm__("mov %%fs:0, %0" : "=r"(tp));
	return tp;
}

static inline uintptr_t arch_stack_pointer(void)
{
	uintptr_t sp;
	__asm__ volatile("mov %%rsp, %0" : "=r"(sp));
	return sp;
}

static inline void arch_pause(void)
{
	__builtin_ia32_pause();
}

/* The registers of a hook's caller, just after the hook returns to it. */
struct arch_entry {
	uintptr_t ip, sp, fp;
};

/* `frame` is the hook's own __builtin_frame_address(0): saved rbp, return address, caller's stack. */
static inline struct arch_entry arch_entry_of(const uintptr_t *frame)
{
	return (struct arch_entry){.ip = frame[1], .sp = (uintptr_t)(frame + 2), .fp = frame[0]};
}

/*
 * __libc_start_main, and what runs in main's place. Both leave no frame behind, so that stacks are the
 * same as without the shim: the first asks hr_start_main for the next __libc_start_main and jumps there with
 * main replaced, the second runs hr_main_begins and jumps to the program's main.
 */
#define ARCH_START_MAIN                                                                                                \
	__asm__(".text\n"                                                                                              \
		".globl __libc_start_main\n"                                                                           \
		".type __libc_start_main, @function\n"                                                                 \
		"__libc_start_main:\n"                                                                                 \
		".cfi_startproc\n"                                                                                     \
		"endbr64\n"                                                                                            \
		"push %rsi\n.cfi_adjust_cfa_offset 8\n"                                                                \
		"push %rdx\n.cfi_adjust_cfa_offset 8\n"                                                                \
		"push %rcx\n.cfi_adjust_cfa_offset 8\n"                                                                \
		"push %r8\n.cfi_adjust_cfa_offset 8\n"                                                                 \
		"push %r9\n.cfi_adjust_cfa_offset 8\n"                                                                 \
		"call hr_start_main\n"                                                                                 \
		"pop %r9\n.cfi_adjust_cfa_offset -8\n"                                                                 \
		"pop %r8\n.cfi_adjust_cfa_offset -8\n"                                                                 \
		"pop %rcx\n.cfi_adjust_cfa_offset -8\n"                                                                \
		"pop %rdx\n.cfi_adjust_cfa_offset -8\n"                                                                \
		"pop %rsi\n.cfi_adjust_cfa_offset -8\n"                                                                \
		"lea main_in_its_place(%rip), %rdi\n"                                                                  \
		"jmp *%rax\n"                                                                                          \
		".cfi_endproc\n"                                                                                       \
		".size __libc_start_main, .-__libc_start_main\n"                                                       \
		".type main_in_its_place, @function\n"                                                                 \
		"main_in_its_place:\n"                                                                                 \
		".cfi_startproc\n"                                                                                     \
		"endbr64\n"                                                                                            \
		"push %rdi\n.cfi_adjust_cfa_offset 8\n"                                                                \
		"push %rsi\n.cfi_adjust_cfa_offset 8\n"                                                                \
		"push %rdx\n.cfi_adjust_cfa_offset 8\n"                                                                \
		"call hr_main_begins\n"                                                                                \
		"pop %rdx\n.cfi_adjust_cfa_offset -8\n"                                                                \
		"pop %rsi\n.cfi_adjust_cfa_offset -8\n"                                                                \
		"pop %rdi\n.cfi_adjust_cfa_offset -8\n"                                                                \
		"jmp *hr_program_main(%rip)\n"                                                                         \
		".cfi_endproc\n"                                                                                       \
		".size main_in_its_place, .-main_in_its_place\n");

#endif
