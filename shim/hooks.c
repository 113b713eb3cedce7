/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.c - malloc and its family, and nothing else. The only file that defines them, so that every other
 * file of the shim links into an ordinary test.
 *
 * Each hook: the real call, one track call, same return, same errno, same failure. A call that arrives
 * while our own code runs (the guard is up), or when nothing is recorded, passes straight through.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "shim.h"

#define FRAME ((const uintptr_t *)__builtin_frame_address(0))

static inline bool ready(void)
{
	if (likely(hr_next.malloc != NULL))
		return true;
	hr_real_resolve();
	return hr_next.usable_size != NULL; /* the last of the family to be set */
}

EXPORT void *malloc(size_t size)
{
	if (unlikely(!ready()))
		return hr_next.malloc ? hr_next.malloc(size) : hr_boot_alloc(size, 16);
	struct thread *t = hr_enter(FRAME);
	void *p = hr_next.malloc(size);
	if (unlikely(t == NULL))
		return p;
	hr_track_alloc(t, FRAME, p, size);
	hr_leave();
	return p;
}

EXPORT void free(void *p)
{
	if (unlikely(p == NULL || hr_boot_owns(p) || !ready()))
		return;
	struct thread *t = hr_enter(FRAME);
	if (likely(t != NULL)) {
		if (likely(p != t->deleting))
			hr_track_free(t, p);
		hr_next.free(p);
		hr_leave();
		return;
	}
	hr_next.free(p);
}

EXPORT void *calloc(size_t n, size_t size)
{
	if (unlikely(!ready())) {
		if (hr_next.calloc)
			return hr_next.calloc(n, size);
		size_t bytes;
		return __builtin_mul_overflow(n, size, &bytes) ? NULL : hr_boot_alloc(bytes, 16); /* the arena is zero */
	}
	struct thread *t = hr_enter(FRAME);
	void *p = hr_next.calloc(n, size);
	if (unlikely(t == NULL))
		return p;
	hr_track_alloc(t, FRAME, p, n * size); /* cannot have wrapped: p would be NULL */
	hr_leave();
	return p;
}

static void *resize(const uintptr_t *frame, void *p, size_t size)
{
	if (unlikely(!ready()))
		return p ? hr_boot_realloc(p, size) : hr_boot_alloc(size, 16);
	if (unlikely(hr_boot_owns(p)))
		return hr_boot_realloc(p, size);
	struct thread *t = hr_enter(frame);
	if (unlikely(t == NULL))
		return hr_next.realloc(p, size);
	struct taken old = {.known = false};
	if (p)
		hr_track_take(t, p, &old);
	void *q = hr_next.realloc(p, size);
	if (likely(q != NULL))
		hr_track_resized(t, frame, q, size, &old);
	else if (p && size == 0) /* freed: glibc, jemalloc and tcmalloc return NULL for that */
		hr_track_dropped(t, &old);
	else
		hr_track_put_back(t, p, &old);
	hr_leave();
	return q;
}

EXPORT void *realloc(void *p, size_t size)
{
	return resize(FRAME, p, size);
}

/* Never the next one's: glibc's calls the public realloc, mimalloc's its own; ours is the same everywhere. */
EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return resize(FRAME, p, bytes);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size)
{
	if (unlikely(!ready()))
		return (*out = hr_boot_alloc(size, alignment)) ? 0 : ENOMEM;
	struct thread *t = hr_enter(FRAME);
	int error = hr_next.posix_memalign(out, alignment, size);
	if (unlikely(t == NULL))
		return error;
	if (error == 0)
		hr_track_alloc(t, FRAME, *out, size);
	hr_leave();
	return error;
}

/* memalign, aligned_alloc, valloc, pvalloc differ in what is called and in what counts as the size. */
#define ALIGNED_HOOK(call, boot_alignment, bytes)                                                                      \
	if (unlikely(!ready()))                                                                                        \
		return hr_boot_alloc(bytes, boot_alignment);                                                           \
	struct thread *t = hr_enter(FRAME);                                                                            \
	void *p = call;                                                                                                \
	if (unlikely(t == NULL))                                                                                       \
		return p;                                                                                              \
	hr_track_alloc(t, FRAME, p, bytes);                                                                            \
	hr_leave();                                                                                                    \
	return p

EXPORT void *memalign(size_t alignment, size_t size)
{
	ALIGNED_HOOK(hr_next.memalign(alignment, size), alignment, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	ALIGNED_HOOK(hr_next.aligned_alloc(alignment, size), alignment, size);
}

EXPORT void *valloc(size_t size)
{
	ALIGNED_HOOK(hr_next.valloc(size), SYS_PAGE, size);
}

EXPORT void *pvalloc(size_t size)
{
	ALIGNED_HOOK(hr_next.pvalloc(size), SYS_PAGE, size);
}

EXPORT void free_sized(void *p, size_t size);
EXPORT void free_aligned_sized(void *p, size_t alignment, size_t size);

EXPORT void free_sized(void *p, size_t size)
{
	free(p);
}

EXPORT void free_aligned_sized(void *p, size_t alignment, size_t size)
{
	free(p);
}

EXPORT size_t malloc_usable_size(void *p)
{
	if (unlikely(p == NULL || !ready()))
		return 0;
	return unlikely(hr_boot_owns(p)) ? hr_boot_size(p) : hr_next.usable_size(p);
}

/* For operator new and delete whose next form lives in the allocator itself (hooks_new.c). */
void hr_hook_allocated(const uintptr_t *frame, void *p, size_t size)
{
	struct thread *t = hr_enter(frame);
	if (t == NULL)
		return;
	if (t->last_block != p) /* else its malloc came through here after all */
		hr_track_alloc(t, frame, p, size);
	hr_leave();
}

struct thread *hr_hook_deleting(const uintptr_t *frame, void *p)
{
	struct thread *t = hr_enter(frame);
	if (t == NULL)
		return NULL;
	hr_track_free(t, p);
	t->deleting = p;
	hr_leave();
	return t;
}
