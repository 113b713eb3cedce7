/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks_system.c - mmap and its family, dlclose, pthread_create, __libc_start_main.
 *
 * A mapping is booked by who asked for it. The program's own anonymous ones are blocks of domain `mmap`,
 * with their full stack; those of the allocator and of LuaJIT are backing, by library, and are booked also
 * when they arrive inside another hook of ours (that is where arenas come from), without unwinding.
 *
 * What is unmapped is booked before the call, what is mapped after it: in between another thread may have
 * been given the address.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>

#include "shim.h"

#define FRAME ((const uintptr_t *)__builtin_frame_address(0))

/* ---- mappings --------------------------------------------------------------------------------- */

/* The state of a call: t is NULL when nothing may be recorded; inside: another hook of ours is running. */
struct call {
	struct thread *t;
	bool inside;
};

static struct call begin(const uintptr_t *frame)
{
	if (hr_guard != 0 && !hr_guard_is_stale((uintptr_t)frame))
		return (struct call){.t = *hr_gate == GATE_RECORDING ? hr_self : NULL, .inside = true};
	return (struct call){.t = hr_enter(frame)};
}

static void end(struct call c)
{
	if (c.t && !c.inside)
		hr_leave();
}

static void book_map(struct call c, const uintptr_t *frame, uintptr_t at, size_t length, int flags)
{
	uintptr_t caller = frame[1];
	length = (length + SYS_PAGE - 1) & ~(SYS_PAGE - 1);
	if (flags & MAP_FIXED)
		hr_maps_remove(c.t, at, length);
	if (!(flags & MAP_ANONYMOUS))
		return;
	struct map_request request = {.start = at, .length = length};
	enum module_class class = hr_module_class(caller);
	if (hr_zone_caller(caller)) {
		request.kind = HR_MAPPING_ZONE;
		hr_zone_mapped(c.t, at, length);
	} else if (class == MODULE_LUAJIT || hr_lua_inside_asks(c.t, caller)) {
		request.kind = HR_MAPPING_LUAJIT;
		request.vm = c.t->vm ? c.t->vm : c.t->last_vm;
		request.domain = hr_vm_domain(request.vm);
		request.direct = hr_vm_asks_direct(c.t->vm);
	} else if (class == MODULE_HEAPRAY) {
		request.kind = HR_MAPPING_HEAPRAY;
	} else if (class == MODULE_ALLOCATOR) {
		request.kind = HR_MAPPING_ALLOCATOR;
	} else if (class == MODULE_LOADER) {
		return;
	} else if (c.inside) {
		request.kind = HR_MAPPING_ALLOCATOR; /* on behalf of the allocator's call that is running */
	} else {
		request.kind = HR_MAPPING_DIRECT;
		request.domain = DOMAIN_MMAP;
		request.site = hr_site(c.t, hr_unwind(c.t, frame), DOMAIN_MMAP);
		if (hr_lua_stacks && !hr_lua_inside) /* inside, it may be LuaJIT's allocator that asks */
			request.site = hr_lua_site(c.t, frame, request.site);
		hr_lua_inside_mapped(c.t, caller, at, length);
	}
	hr_maps_add(c.t, request);
}

static void *map(const uintptr_t *frame, void *at, size_t length, int prot, int flags, int fd, long offset)
{
	if (unlikely(!hr_real_ready() || hr_next.mmap == NULL)) {
		long p = sys_mmap(at, length, prot, flags, fd, offset);
		if (!sys_failed(p))
			return (void *)p;
		errno = (int)-p;
		return MAP_FAILED;
	}
	struct call c = begin(frame);
	void *p = hr_next.mmap(at, length, prot, flags, fd, offset);
	if (c.t && p != MAP_FAILED)
		book_map(c, frame, (uintptr_t)p, length, flags);
	end(c);
	return p;
}

EXPORT void *mmap(void *at, size_t length, int prot, int flags, int fd, off_t offset)
{
	return map(FRAME, at, length, prot, flags, fd, offset);
}

EXPORT void *mmap64(void *at, size_t length, int prot, int flags, int fd, off_t offset)
{
	return map(FRAME, at, length, prot, flags, fd, offset);
}

EXPORT int munmap(void *at, size_t length)
{
	if (unlikely(!hr_real_ready() || hr_next.munmap == NULL)) {
		long result = arch_syscall6(SYS_munmap, (long)at, (long)length, 0, 0, 0, 0);
		if (result == 0)
			return 0;
		errno = (int)-result;
		return -1;
	}
	struct call c = begin(FRAME);
	uintptr_t start = (uintptr_t)at;
	if (c.t && length && start % SYS_PAGE == 0)
		hr_maps_remove(c.t, start, (length + SYS_PAGE - 1) & ~(SYS_PAGE - 1));
	int result = hr_next.munmap(at, length);
	end(c);
	return result;
}

EXPORT void *mremap(void *at, size_t old, size_t new, int flags, ...)
{
	va_list list;
	va_start(list, flags);
	void *wanted = flags & MREMAP_FIXED ? va_arg(list, void *) : NULL;
	va_end(list);
	if (unlikely(!hr_real_ready() || hr_next.mremap == NULL)) {
		long p = arch_syscall6(SYS_mremap, (long)at, (long)old, (long)new, flags, (long)wanted, 0);
		if (!sys_failed(p))
			return (void *)p;
		errno = (int)-p;
		return MAP_FAILED;
	}
	struct call c = begin(FRAME);
	struct map_request was = {.kind = HR_MAPPING_FREE};
	old = (old + SYS_PAGE - 1) & ~(SYS_PAGE - 1);
	if (c.t && hr_maps_at(c.t, (uintptr_t)at, &was))
		hr_maps_remove(c.t, (uintptr_t)at, old);
	void *p = hr_next.mremap(at, old, new, flags, wanted);
	if (c.t && p != MAP_FAILED && flags & MREMAP_FIXED)
		hr_maps_remove(c.t, (uintptr_t)p, (new + SYS_PAGE - 1) & ~(SYS_PAGE - 1));
	if (c.t && was.kind != HR_MAPPING_FREE) {
		was.start = (uintptr_t)(p != MAP_FAILED ? p : at);
		was.length = p != MAP_FAILED ? (new + SYS_PAGE - 1) & ~(SYS_PAGE - 1) : old;
		hr_maps_add(c.t, was);
	}
	end(c);
	return p;
}

EXPORT int mprotect(void *at, size_t length, int prot)
{
	if (unlikely(!hr_real_ready() || hr_next.mprotect == NULL)) {
		long result = arch_syscall6(SYS_mprotect, (long)at, (long)length, prot, 0, 0, 0);
		if (result == 0)
			return 0;
		errno = (int)-result;
		return -1;
	}
	int result = hr_next.mprotect(at, length, prot);
	if (result == 0 && prot & PROT_EXEC) { /* LuaJIT's machine code is known by that */
		struct call c = begin(FRAME);
		if (c.t) {
			hr_lua_inside_code(c.t, FRAME[1], (uintptr_t)at);
			hr_maps_executable(c.t, (uintptr_t)at, length);
		}
		end(c);
	}
	return result;
}

/* ---- dlclose: rules and kept traces of what was unloaded are not to be used again ------------------- */

EXPORT int dlclose(void *handle)
{
	if (unlikely(!hr_real_ready()))
		return 0;
	if (unlikely(*hr_gate != GATE_RECORDING))
		return hr_next.dlclose(handle);
	atomic_fetch_add(&hr_rules_closing, 1);
	atomic_fetch_add(&hr_unwind_generation, 1);
	int result = hr_next.dlclose(handle); /* runs the user's destructors: the guard is down */
	int saved = errno;
	hr_modules_closed();
	hr_rules_forget();
	atomic_fetch_add(&hr_unwind_generation, 1);
	atomic_fetch_sub(&hr_rules_closing, 1);
	errno = saved;
	return result;
}

/* ---- threads: how large their stacks are ------------------------------------------------------------ */

static size_t stack_size_of(const pthread_attr_t *attr)
{
	size_t size = 0;
	pthread_attr_t usual;
	if (attr) {
		pthread_attr_getstacksize(attr, &size);
	} else if (pthread_getattr_default_np(&usual) == 0) {
		pthread_attr_getstacksize(&usual, &size);
		pthread_attr_destroy(&usual);
	}
	return size;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	int saved = errno;
	size_t size = stack_size_of(attr);
	errno = saved;
	int result = hr_next.pthread_create(thread, attr, run, arg);
	/* On glibc a pthread_t is the thread pointer. The new thread may have freed the memory it was stored in. */
	if (result == 0 && sys_readable((uintptr_t)thread))
		hr_thread_stack_size((uintptr_t)*thread, size);
	return result;
}

/* ---- the end of start-up ---------------------------------------------------------------------------- */

ARCH_START_MAIN
__attribute__((used)) void *hr_program_main;

/* Called by __libc_start_main; returns the next one. */
__attribute__((used)) void *hr_start_main(void *program_main)
{
	hr_program_main = program_main;
	return dlsym(RTLD_NEXT, "__libc_start_main");
}
