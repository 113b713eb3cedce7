/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * publish.c - what is done now and then, from allocation events: no thread, no timer, no signal.
 *
 * Every 64 events a thread looks at the clock. Once in the publishing interval (a second, unless
 * HEAPRAY_PUBLISH_MS says otherwise) one of them writes a point of the time line, the process title, the
 * allocator's own figures and copies of the zones' heads. A descriptor (to read our own resident size) is
 * opened only while the process has one thread: with more, the program could close it under us.
 */
#include <dlfcn.h>
#include <string.h>

#include "shim.h"
#include "timeline.h"

_Atomic uint64_t hr_now_ns;
_Atomic uint32_t hr_age;
static _Atomic uint64_t last_published_ns;
#define BURST_NS 8000000u
#define BURST_BYTES (1u << 20)
static uint64_t live_at_publish;
static struct timeline line;
static const char *title; /* argv[0], where a program writes its title */
static size_t title_room;
static const long *nginx_process; /* ngx_process of an nginx, else NULL */
static const void *const *nginx_cycle; /* ngx_cycle, likewise */

/* In nginx's master, at a fork: workers of a new configuration belong to a new generation. */
void hr_publish_generation(void)
{
	static const void *cycle;
	if (nginx_cycle == NULL || *nginx_cycle == cycle)
		return;
	if (cycle)
		hr_identity.reload_generation = ++hr_header->reload_generation;
	cycle = *nginx_cycle;
}

static uint64_t look_at_clock(void)
{
	uint64_t now = sys_coarse_ns();
	uint64_t start = hr_header->start_ns;
	atomic_store_explicit(&hr_now_ns, now, memory_order_relaxed);
	atomic_store_explicit(&hr_age, (uint32_t)(now > start ? (now - start) / HR_LIVE_AGE_NS : 0), memory_order_relaxed);
	return now;
}

static void publish_role(void)
{
	size_t n = 0;
	while (n < title_room && n < sizeof hr_header->title - 1 && title[n])
		n++;
	if (n && memcmp(hr_header->title, title, n) != 0) {
		memset(hr_header->title, 0, sizeof hr_header->title);
		memcpy(hr_header->title, title, n);
	}
	if (nginx_process == NULL)
		return;
	switch ((int)*nginx_process) { /* ngx_process_cycle.h; NGX_PROCESS_SINGLE is 0 */
	case 1: hr_header->role = HR_ROLE_MASTER; break;
	case 3: hr_header->role = HR_ROLE_WORKER; break;
	case 4: hr_header->role = strstr(hr_header->title, "loader") ? HR_ROLE_CACHE_LOADER : HR_ROLE_CACHE_MANAGER; break;
	default: hr_header->role = HR_ROLE_PROCESS;
	}
}

struct size {
	uint64_t virtual, resident; /* bytes; UINT64_MAX: not known */
};

static struct size own_size(void)
{
	struct size size = {UINT64_MAX, UINT64_MAX};
	if (!__libc_single_threaded)
		return size;
	char text[128];
	long fd = sys_open("/proc/self/statm", O_RDONLY | O_CLOEXEC, 0);
	if (sys_failed(fd))
		return size;
	long n = sys_read((int)fd, text, sizeof text - 1);
	sys_close((int)fd);
	text[n > 0 ? n : 0] = '\0';
	const char *at = text; /* size resident shared ... in pages */
	uint64_t pages[2] = {0, 0};
	for (int i = 0; i < 2; i++, at++)
		for (; *at >= '0' && *at <= '9'; at++)
			pages[i] = pages[i] * 10 + (uint64_t)(*at - '0');
	if (pages[0] && pages[1])
		size = (struct size){pages[0] * SYS_PAGE, pages[1] * SYS_PAGE};
	return size;
}

static void fill_domains(struct hr_point *point)
{
	struct hr_site sum;
	hr_sites_sum(&sum, -1);
	point->allocated_count = sum.allocated_count;
	point->freed_count = sum.freed_count;
	uint64_t used = count_read(&hr_header->sections[HR_DOMAINS].used), told = 0;
	for (uint64_t d = 1; d < used; d++) {
		uint64_t live;
		if (d == DOMAIN_MMAP) {
			struct hr_site mapped;
			hr_sites_sum(&mapped, DOMAIN_MMAP);
			live = mapped.allocated_bytes - mapped.freed_bytes;
		} else {
			live = hr_domain_row((uint32_t)d)->live_bytes;
		}
		point->live_bytes[d < HR_TIMELINE_DOMAINS - 1 ? d : HR_TIMELINE_DOMAINS - 1] += live;
		told += live;
	}
	point->live_bytes[DOMAIN_ALLOCATOR] = sum.allocated_bytes - sum.freed_bytes - told;
}

static void publish_timeline(uint64_t now, uint64_t resident_bytes)
{
	if (!hr_timeline_due(&line, now) || !hr_segment_reach(HR_TIMELINE, HR_TIMELINE_POINTS - 1))
		return;
	line.points = hr_segment_section(HR_TIMELINE);
	struct hr_point point = {.time_ns = now, .resident_bytes = resident_bytes, .held_bytes = hr_header->allocator.held_bytes};
	fill_domains(&point);
	hr_timeline_add(&line, &point);
	hr_header->timeline_interval_ns = line.interval_ns;
	hr_segment_used(HR_TIMELINE, line.used);
}

static void publish(struct thread *t, uint64_t now)
{
	live_at_publish = count_read(&hr_header->hot[HR_HOT_TOTAL_LIVE]);
	publish_role();
	hr_allocator_stats_tick(now);
	struct size size = own_size();
	publish_timeline(now, size.resident);
	hr_ledger_publish(now, size.virtual, size.resident);
	hr_zones_tick(t, now);
	hr_live_geometry(&hr_header->live);
	hr_header->last_event_ns = now;
}

/* A program that allocates in a burst and then falls silent: its figures must not be from before the burst. */
static bool changed_much(uint64_t since)
{
	uint64_t then = live_at_publish, now = count_read(&hr_header->hot[HR_HOT_TOTAL_LIVE]);
	uint64_t change = now > then ? now - then : then - now;
	return since >= BURST_NS && change >= BURST_BYTES && change >= then / 8;
}

void hr_tick(struct thread *t)
{
	t->until_tick = TICK_EVENTS;
	t->events += TICK_EVENTS;
	uint64_t now = look_at_clock();
	if (t->stack_low == 0)
		hr_thread_stack_check(t);
	uint64_t last = atomic_load_explicit(&last_published_ns, memory_order_relaxed);
	if (now - last < hr_config.publish_ns && !changed_much(now - last))
		return;
	if (atomic_compare_exchange_strong(&last_published_ns, &last, now)) {
		publish(t, now);
		hr_thread_publish(t);
	}
}

void hr_publish_start(char **argv)
{
	look_at_clock();
	title = argv && argv[0] ? argv[0] : "";
	title_room = strlen(title) + 1;
	/* A program that sets its title writes over argv and the environment behind it, as far as they are contiguous. */
	for (char **a = argv; a && *a; a++)
		if (*a == title + title_room)
			title_room += strlen(*a) + 1;
	title_room += 32; /* the environment follows */
	nginx_process = dlsym(RTLD_DEFAULT, "ngx_process");
	nginx_cycle = dlsym(RTLD_DEFAULT, "ngx_cycle");
	if (nginx_cycle == NULL)
		nginx_process = NULL;
	line.interval_ns = hr_config.publish_ns ? hr_config.publish_ns : 1;
}

void hr_publish_forked(void)
{
	look_at_clock();
	atomic_store(&last_published_ns, 0);
	line.used = 0;
	line.interval_ns = hr_config.publish_ns ? hr_config.publish_ns : 1;
	hr_allocator_stats_forked();
}
