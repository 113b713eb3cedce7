/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * allocator_stats.c - what the allocator says of itself.
 *
 * Each allocator has its own way, and takes its own locks for it: so it is asked from an allocation event
 * with nothing of ours held, not again before a thousand times the last call's duration has passed, and
 * never again after a call of over 5 ms. Who allows more (HEAPRAY_ALLOCATOR_MS), for a measurement that may stop
 * for it, has longer calls after twenty times their duration. A figure it does not tell is UINT64_MAX.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <string.h>

#include "shim.h"

#define SHORT_NS 5000000u /* nobody notices */

static struct mallinfo2 (*glibc_info)(void);
static int (*jemalloc_ctl)(const char *, void *, size_t *, void *, size_t);
static int (*tcmalloc_property)(const char *, size_t *);
static void (*mimalloc_info)(size_t *, size_t *, size_t *, size_t *, size_t *, size_t *, size_t *, size_t *);
static uint64_t next_ns;
static _Atomic uint32_t busy;

static void *of_allocator(const char *name)
{
	void *p = dlsym(RTLD_DEFAULT, name);
	return hr_real_in_allocator(p) ? p : NULL;
}

void hr_allocator_stats_start(void)
{
	*(void **)&jemalloc_ctl = of_allocator("mallctl");
	*(void **)&tcmalloc_property = of_allocator("MallocExtension_GetNumericProperty");
	*(void **)&mimalloc_info = of_allocator("mi_process_info");
	*(void **)&glibc_info = of_allocator("mallinfo2");
	if (tcmalloc_property || mimalloc_info) /* they may bring a mallinfo of their own */
		glibc_info = NULL;
}

static void ask_glibc(struct hr_allocator_stats *s)
{
	struct mallinfo2 m = glibc_info();
	s->in_use_bytes = m.uordblks + m.hblkhd;
	s->held_bytes = m.arena + m.hblkhd;
	s->free_held_bytes = m.fordblks;
	s->top_bytes = m.keepcost;
	s->mapped_bytes = m.hblkhd;
}

static uint64_t jemalloc_figure(const char *name)
{
	size_t value = 0, size = sizeof value;
	return jemalloc_ctl(name, &value, &size, NULL, 0) == 0 ? value : UINT64_MAX;
}

static void ask_jemalloc(struct hr_allocator_stats *s)
{
	uint64_t epoch = 1;
	size_t size = sizeof epoch;
	jemalloc_ctl("epoch", &epoch, &size, &epoch, size);
	s->in_use_bytes = jemalloc_figure("stats.allocated");
	s->mapped_bytes = jemalloc_figure("stats.mapped");
	s->held_bytes = jemalloc_figure("stats.resident");
	if (s->held_bytes != UINT64_MAX && s->in_use_bytes != UINT64_MAX && s->held_bytes >= s->in_use_bytes)
		s->free_held_bytes = s->held_bytes - s->in_use_bytes;
}

static uint64_t tcmalloc_figure(const char *name)
{
	size_t value = 0;
	return tcmalloc_property(name, &value) ? value : UINT64_MAX;
}

static void ask_tcmalloc(struct hr_allocator_stats *s)
{
	uint64_t heap = tcmalloc_figure("generic.heap_size"), unmapped = tcmalloc_figure("tcmalloc.pageheap_unmapped_bytes");
	s->in_use_bytes = tcmalloc_figure("generic.current_allocated_bytes");
	s->mapped_bytes = heap;
	if (heap != UINT64_MAX && unmapped != UINT64_MAX)
		s->held_bytes = heap - unmapped;
	if (s->held_bytes != UINT64_MAX && s->in_use_bytes != UINT64_MAX && s->held_bytes >= s->in_use_bytes)
		s->free_held_bytes = s->held_bytes - s->in_use_bytes;
}

static void ask_mimalloc(struct hr_allocator_stats *s)
{
	size_t elapsed, user, system, rss, peak_rss, commit = 0, peak_commit, faults;
	mimalloc_info(&elapsed, &user, &system, &rss, &peak_rss, &commit, &peak_commit, &faults);
	s->held_bytes = commit; /* all it tells in 2.0.9 */
}

void hr_allocator_stats_tick(uint64_t now)
{
	uint32_t idle = 0;
	if (now < next_ns || !atomic_compare_exchange_strong(&busy, &idle, 1))
		return;
	struct hr_allocator_stats s = {
		.in_use_bytes = UINT64_MAX, .held_bytes = UINT64_MAX, .free_held_bytes = UINT64_MAX,
		.top_bytes = UINT64_MAX, .mapped_bytes = UINT64_MAX, .usable_bytes = UINT64_MAX,
	};
	uint64_t begun = sys_thread_cpu_ns();
	if (glibc_info)
		ask_glibc(&s);
	else if (jemalloc_ctl)
		ask_jemalloc(&s);
	else if (tcmalloc_property)
		ask_tcmalloc(&s);
	else if (mimalloc_info)
		ask_mimalloc(&s);
	s.taken_ns = sys_monotonic_ns();
	s.took_ns = sys_thread_cpu_ns() - begun; /* of the processor: on a busy machine the clock would blame the allocator */
	hr_header->allocator = s;
	next_ns = s.took_ns > hr_config.allocator_ns ? UINT64_MAX : now + (s.took_ns > SHORT_NS ? 20 : 1000) * s.took_ns;
	atomic_store(&busy, 0);
}

void hr_allocator_stats_forked(void)
{
	atomic_store(&busy, 0);
}
