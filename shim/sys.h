/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys.h - the kernel, asked directly.
 *
 * The hooks must never touch the program's errno, so nothing here goes through libc's wrappers: each
 * function returns what the kernel returned, a negative errno on failure. Callable anywhere, guard up or down.
 */
#ifndef HEAPRAY_SYS_H
#define HEAPRAY_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "arch.h" /* arch_syscall6 */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define SYS_PAGE 4096ul

static inline bool sys_failed(long result)
{
	return (unsigned long)result >= -4095ul;
}

/* Private zeroed memory, or NULL. Pages cost nothing until touched. */
static inline void *sys_alloc_flags(size_t bytes, int flags)
{
	flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	long p = arch_syscall6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
	return sys_failed(p) ? NULL : (void *)p;
}

static inline void *sys_alloc(size_t bytes)
{
	return sys_alloc_flags(bytes, 0);
}

static inline void sys_free(void *p, size_t bytes)
{
	arch_syscall6(SYS_munmap, (long)p, (long)bytes, 0, 0, 0, 0);
}

static inline long sys_mmap(void *at, size_t bytes, int prot, int flags, int fd, long offset)
{
	return arch_syscall6(SYS_mmap, (long)at, (long)bytes, prot, flags, fd, offset);
}

static inline long sys_madvise(void *p, size_t bytes, int advice)
{
	return arch_syscall6(SYS_madvise, (long)p, (long)bytes, advice, 0, 0, 0);
}

static inline long sys_open(const char *path, int flags, int mode)
{
	return arch_syscall6(SYS_openat, AT_FDCWD, (long)path, flags, mode, 0, 0);
}

static inline long sys_close(int fd)
{
	return arch_syscall6(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline long sys_read(int fd, void *buffer, size_t bytes)
{
	return arch_syscall6(SYS_read, fd, (long)buffer, (long)bytes, 0, 0, 0);
}

static inline long sys_write(int fd, const void *buffer, size_t bytes)
{
	return arch_syscall6(SYS_write, fd, (long)buffer, (long)bytes, 0, 0, 0);
}

static inline long sys_readlink(const char *path, char *buffer, size_t bytes)
{
	return arch_syscall6(SYS_readlinkat, AT_FDCWD, (long)path, (long)buffer, (long)bytes, 0, 0);
}

static inline long sys_unlink(const char *path)
{
	return arch_syscall6(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0, 0, 0);
}

static inline int sys_getpid(void)
{
	return (int)arch_syscall6(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline int sys_gettid(void)
{
	return (int)arch_syscall6(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

static inline void sys_yield(void)
{
	arch_syscall6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

/*
 * Each running thread of this process passes a full barrier. False: the kernel will not; after a wait this long, what a
 * thread stored before is seen all the same: a store does not stay in a processor's buffer for a thousandth of it.
 */
static inline bool sys_barrier_everywhere(void)
{
	if (arch_syscall6(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0) == 0)
		return true;
	struct timespec wait = {.tv_nsec = 2000000};
	arch_syscall6(SYS_nanosleep, (long)&wait, 0, 0, 0, 0, 0);
	return false;
}

/* Once, while there is one thread: cheap then. A forked child has it, too. */
static inline void sys_barrier_register(void)
{
	arch_syscall6(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0, 0, 0, 0);
}

/* Does the thread exist? */
static inline bool sys_thread_lives(int pid, int tid)
{
	return arch_syscall6(SYS_tgkill, pid, tid, 0, 0, 0, 0) != -ESRCH;
}

/*
 * Is the eight-byte word at `address` readable? rt_sigprocmask with an impossible `how` copies the new
 * mask in before it looks at `how`: EFAULT tells that the address cannot be read, EINVAL that it can.
 * It changes nothing, and no seccomp filter forbids it.
 */
static inline bool sys_readable(uintptr_t address)
{
	return arch_syscall6(SYS_rt_sigprocmask, 0x7fffffff, (long)address, 0, 8, 0, 0) != -EFAULT;
}

/* CLOCK_MONOTONIC_COARSE through the vDSO, ns. clock_gettime sets errno only on failure: this cannot fail. */
static inline uint64_t sys_coarse_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t sys_realtime_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t sys_thread_cpu_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline uint64_t sys_monotonic_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
