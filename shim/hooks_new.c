/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks_new.c - operator new and delete, all forms.
 *
 * Each calls its next form, always: a program may replace some of them and rely on the others to lead
 * there. Where the next form lives in the allocator's own library (jemalloc, tcmalloc, mimalloc), it does
 * not pass through malloc, so it is booked here; elsewhere (libstdc++) its malloc or free comes through
 * hooks.c and is booked there. So all allocators see the same events.
 *
 * Without a next form (a C++ module loaded RTLD_LOCAL brings its own libstdc++) the caller's own is taken;
 * if there is none, derived forms lead to the base form, and that to malloc and free.
 *
 * The guard is down while they run: new_handler is the user's code, and bad_alloc passes through us.
 */
#include <stdlib.h>

#include "shim.h"

#define FRAME ((const uintptr_t *)__builtin_frame_address(0))

typedef const void *nothrow_tag;

struct form {
	void *_Atomic next;
	_Atomic uint32_t state; /* 0 not looked up, 1 not there, 2 elsewhere, 3 in the allocator */
};

static void *next_form(struct form *form, const char *name, const void *caller)
{
	void *p = atomic_load_explicit(&form->next, memory_order_acquire);
	if (likely(p != NULL))
		return p;
	uintptr_t before = hr_guard;
	if (hr_guard == 0)
		hr_guard = (uintptr_t)FRAME; /* dlsym allocates when the symbol is missing */
	p = hr_real_symbol(name, caller);
	hr_guard = before;
	atomic_store(&form->state, p == NULL ? 1 : hr_real_in_allocator(p) ? 3 : 2);
	atomic_store_explicit(&form->next, p, memory_order_release);
	return p;
}

#define NEW(symbol, parameters, arguments, derived)                                                                    \
	EXPORT void *symbol parameters;                                                                                \
	EXPORT void *symbol parameters                                                                                 \
	{                                                                                                              \
		static struct form form;                                                                               \
		void *(*next) parameters = next_form(&form, #symbol, __builtin_return_address(0));                     \
		if (unlikely(next == NULL))                                                                            \
			return derived;                                                                                \
		void *p = next arguments;                                                                              \
		if (form.state == 3 && p)                                                                              \
			hr_hook_allocated(FRAME, p, size);                                                             \
		return p;                                                                                              \
	}

NEW(_Znwm, (size_t size), (size), malloc(size ? size : 1))
NEW(_Znam, (size_t size), (size), _Znwm(size))
NEW(_ZnwmRKSt9nothrow_t, (size_t size, nothrow_tag tag), (size, tag), _Znwm(size))
NEW(_ZnamRKSt9nothrow_t, (size_t size, nothrow_tag tag), (size, tag), _Znam(size))
NEW(_ZnwmSt11align_val_t, (size_t size, size_t alignment), (size, alignment),
	aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1)))
NEW(_ZnamSt11align_val_t, (size_t size, size_t alignment), (size, alignment), _ZnwmSt11align_val_t(size, alignment))
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, nothrow_tag tag), (size, alignment, tag),
	_ZnwmSt11align_val_t(size, alignment))
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, nothrow_tag tag), (size, alignment, tag),
	_ZnamSt11align_val_t(size, alignment))

/* jemalloc's delete calls the public free, tcmalloc's does not: `deleting` keeps the block from being booked twice. */
#define DELETE(symbol, parameters, arguments, derived)                                                                 \
	EXPORT void symbol parameters;                                                                                 \
	EXPORT void symbol parameters                                                                                  \
	{                                                                                                              \
		static struct form form;                                                                               \
		void (*next) parameters = next_form(&form, #symbol, __builtin_return_address(0));                      \
		if (unlikely(next == NULL)) {                                                                          \
			derived;                                                                                       \
			return;                                                                                        \
		}                                                                                                      \
		struct thread *t = form.state == 3 && p ? hr_hook_deleting(FRAME, p) : NULL;                           \
		next arguments;                                                                                        \
		if (t)                                                                                                 \
			t->deleting = NULL;                                                                            \
	}

DELETE(_ZdlPv, (void *p), (p), free(p))
DELETE(_ZdaPv, (void *p), (p), _ZdlPv(p))
DELETE(_ZdlPvm, (void *p, size_t size), (p, size), _ZdlPv(p))
DELETE(_ZdaPvm, (void *p, size_t size), (p, size), _ZdaPv(p))
DELETE(_ZdlPvRKSt9nothrow_t, (void *p, nothrow_tag tag), (p, tag), _ZdlPv(p))
DELETE(_ZdaPvRKSt9nothrow_t, (void *p, nothrow_tag tag), (p, tag), _ZdaPv(p))
DELETE(_ZdlPvSt11align_val_t, (void *p, size_t alignment), (p, alignment), free(p))
DELETE(_ZdaPvSt11align_val_t, (void *p, size_t alignment), (p, alignment), _ZdlPvSt11align_val_t(p, alignment))
DELETE(_ZdlPvmSt11align_val_t, (void *p, size_t size, size_t alignment), (p, size, alignment), _ZdlPvSt11align_val_t(p, alignment))
DELETE(_ZdaPvmSt11align_val_t, (void *p, size_t size, size_t alignment), (p, size, alignment), _ZdaPvSt11align_val_t(p, alignment))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t alignment, nothrow_tag tag), (p, alignment, tag),
	_ZdlPvSt11align_val_t(p, alignment))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *p, size_t alignment, nothrow_tag tag), (p, alignment, tag),
	_ZdaPvSt11align_val_t(p, alignment))
