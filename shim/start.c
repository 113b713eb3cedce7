/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * start.c - the constructor, the gate, and fork.
 *
 * The gate is a word in a page of its own that reads 0 in every forked child (MADV_WIPEONFORK), however it
 * was forked. Each hook looks at it; 0 leads here, where it is decided:
 *
 *   nothing started, or switched off     pass through, for ever
 *   a fork's child, at its first event   rebuild our rows from the live table, which the child has by
 *                                        copy-on-write, then open the gate
 *   a vfork's child                      shares the page: counts into its parent, rightly
 *
 * Where fork's handlers ran, the child has made its own segment in them, while it may still do so: before a
 * worker drops its privileges or enters a chroot. A child forked by a bare system call makes it here.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "shim.h"

static volatile uint32_t closed;
volatile uint32_t *hr_gate = &closed;
static enum { OFF, ON, CHILD } state; /* CHILD: of a fork, before its first event */
static uint64_t pid;

/*
 * A line that cannot be written costs the program nothing: neither a SIGPIPE, where nobody reads descriptor 2,
 * nor a SIGXFSZ, where it is a file and RLIMIT_FSIZE ends it. Such a signal is kept off and taken away again.
 */
static void write_quietly(const char *text, size_t bytes)
{
	const uint64_t ours = 1ull << (SIGPIPE - 1) | 1ull << (SIGXFSZ - 1);
	const struct timespec at_once = {0, 0};
	uint64_t before = 0, pending = 0;
	arch_syscall6(SYS_rt_sigpending, (long)&pending, sizeof pending, 0, 0, 0, 0);
	arch_syscall6(SYS_rt_sigprocmask, SIG_BLOCK, (long)&ours, (long)&before, sizeof before, 0, 0);
	if (sys_failed(sys_write(2, text, bytes))) {
		const uint64_t fresh = ours & ~pending; /* one that waited before is the program's */
		arch_syscall6(SYS_rt_sigtimedwait, (long)&fresh, 0, (long)&at_once, sizeof fresh, 0, 0);
	}
	arch_syscall6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof before, 0, 0);
}

/* At most one line a reason, from the constructor only: later, descriptor 2 may be the program's data. */
static void say(const char *a, const char *b, const char *c, const char *d)
{
	char text[4608] = "heapray: ";
	const char *parts[] = {a, b, c, d, "\n"};
	size_t at = strlen(text);
	for (int i = 0; i < 5; i++) {
		size_t n = strlen(parts[i]);
		if (at + n > sizeof text)
			break;
		memcpy(text + at, parts[i], n);
		at += n;
	}
	write_quietly(text, at);
}

/* ---- start ------------------------------------------------------------------------------------ */

static bool open_gate_page(void)
{
	void *page = sys_alloc(SYS_PAGE);
	if (page == NULL || sys_failed(sys_madvise(page, SYS_PAGE, MADV_WIPEONFORK)))
		return false;
	hr_gate = page;
	return true;
}

static void copy_cmdline(char **argv)
{
	char text[4096];
	size_t at = 0;
	for (char **a = argv; a && *a && at < sizeof text - 1; a++) {
		size_t n = strnlen(*a, sizeof text - 1 - at);
		memcpy(text + at, *a, n);
		at += n;
		if (at < sizeof text - 1)
			text[at++] = ' ';
	}
	if (at)
		hr_identity.cmdline = hr_header->cmdline = hr_segment_string(hr_self, text, at - 1);
}

static void describe(char **argv)
{
	struct hr_header *h = hr_header;
	h->exe = hr_segment_string(hr_self, hr_config.exe, strlen(hr_config.exe));
	if (!hr_config.hide_cmdline)
		copy_cmdline(argv);
	hr_real_publish(h);
	hr_strings_of_header();
	hr_identity.exe = h->exe;
	hr_identity.allocator_name = h->allocator_name;
	hr_identity.warnings = h->warnings;
	memcpy(hr_identity.provider, h->provider, sizeof h->provider);
}

static void warn(void)
{
	if (hr_header->warnings & HR_WARN_STATIC_MALLOC)
		say("malloc is linked into ", hr_config.exe, ": its allocations cannot be seen", "");
	else if (hr_header->warnings & HR_WARN_NOT_FIRST)
		say("another library's malloc comes first: put libheapray.so first in LD_PRELOAD", "", "", "");
}

static void set_identity(void)
{
	struct hr_header *h = &hr_identity;
	h->parent_pid = (uint64_t)arch_syscall6(SYS_getppid, 0, 0, 0, 0, 0, 0);
	h->uid = (uint64_t)arch_syscall6(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	h->start_ns = sys_monotonic_ns();
	h->start_realtime_ns = sys_realtime_ns();
	h->state = HR_STATE_RECORDING;
	h->sample_bytes = hr_config.sample_bytes;
	h->lua_sample_bytes = hr_config.lua_sample_bytes;
	h->check_unwind = hr_config.check_unwind;
	h->publish_ms = hr_config.publish_ns / 1000000;
}

static bool begin_recording(char **argv)
{
	const char *reason = "";
	set_identity();
	if (!open_gate_page()) {
		say("not recording: Linux is older than 4.14, or memory is limited", "", "", "");
		return false;
	}
	if (hr_segment_create(&reason, true) != 0) {
		say("not recording: ", hr_config.dir, reason, "; HEAPRAY_DIR=DIR names another place");
		return false;
	}
	hr_ledger_start();
	hr_publish_start(argv);
	hr_modules_start();
	hr_nodes_start();
	hr_sites_start();
	hr_domains_start();
	hr_rules_start();
	hr_maps_start();
	hr_luajit_start();
	hr_zones_start();
	hr_allocator_stats_start();
	hr_live_start();
	describe(argv);
	warn();
	return true;
}

static void before_fork(void);
static void after_fork_parent(void);
static void after_fork_child(void);

__attribute__((constructor)) static void start(int argc, char **argv, char **environment)
{
	hr_real_resolve();
	hr_config_read(environment);
	pid = (uint64_t)sys_getpid();
	if (hr_config.off || (!hr_config.follow_exec && hr_config.root_pid && hr_config.root_pid != pid))
		return;
	hr_guard = (uintptr_t)__builtin_frame_address(0);
	if (begin_recording(argv)) {
		state = ON;
		pthread_atfork(before_fork, after_fork_parent, after_fork_child);
		*hr_gate = GATE_RECORDING;
		if (hr_header->warnings & HR_WARN_STATIC_MALLOC)
			hr_header->state_reason = hr_segment_string(hr_self, "malloc is linked into the program", 33);
	}
	hr_guard = 0;
}

__attribute__((used)) void hr_main_begins(void)
{
	struct hr_site sum;
	if (*hr_gate != GATE_RECORDING)
		return;
	hr_guard = (uintptr_t)__builtin_frame_address(0);
	hr_truth_start();
	hr_unwind_checked = hr_config.check_unwind && hr_truth_available();
	hr_sites_sum(&sum, -1);
	hr_header->startup_allocated_bytes = sum.allocated_bytes;
	hr_header->startup_allocated_count = sum.allocated_count;
	hr_header->startup_freed_bytes = sum.freed_bytes;
	hr_header->startup_freed_count = sum.freed_count;
	hr_header->main_started_ns = sys_monotonic_ns();
	hr_guard = 0;
}

/* ---- fork ------------------------------------------------------------------------------------- */

/* A fork is an event too: an nginx master that allocates nothing gets its rows when it forks its workers. */
static void before_fork(void)
{
	if (state == CHILD)
		hr_gate_ask();
	if (state != ON)
		return;
	hr_publish_generation();
	hr_segment_before_fork();
	hr_stop(hr_self, NULL);
	hr_live_lock_all(NULL); /* in this order: the live table books its memory under its locks */
	hr_maps_lock();
}

static void after_fork_parent(void)
{
	if (state != ON)
		return;
	hr_live_unlock_all(NULL);
	hr_maps_unlock();
	hr_resume(hr_self, NULL);
	hr_segment_forked();
}

/* The child's segment, empty: its rows come with its first event. */
static void make_child_segment(void)
{
	struct hr_header *parent = hr_header;
	const char *reason;
	uint64_t own = parent->own_private_bytes, total = parent->hot[HR_HOT_TOTAL_LIVE];
	hr_identity.parent_pid = pid;
	hr_identity.parent_created_realtime_ns = hr_identity.created_realtime_ns;
	hr_identity.reload_generation = parent->reload_generation;
	hr_identity.role = parent->role;
	pid = (uint64_t)sys_getpid();
	hr_thread_forked();
	hr_truth_forked();
	hr_unwind_checked = hr_unwind_checked && hr_truth_available();
	if (hr_segment_create(&reason, false) != 0) {
		hr_segment_let_go();
		state = OFF;
		return;
	}
	hr_header->own_private_bytes = own;
	hr_header->inherited_bytes = hr_header->hot[HR_HOT_TOTAL_LIVE] = total; /* until the rows tell exactly */
	hr_header->state = HR_STATE_FORKED;
	hr_header->main_started_ns = sys_monotonic_ns(); /* start_ns stays the parent's: ages of blocks count from it */
	hr_header->start_realtime_ns = hr_header->created_realtime_ns;
	hr_strings_republish(false);
	hr_publish_forked();
	hr_live_geometry(&hr_header->live);
	state = CHILD;
}

static void after_fork_child(void)
{
	if (state == OFF)
		return;
	uintptr_t before = hr_guard;
	hr_guard = (uintptr_t)__builtin_frame_address(0);
	hr_live_unlock_all(NULL);
	hr_maps_unlock();
	make_child_segment();
	hr_guard = before;
}

static void visit_live(void *arg, const void *block, uint32_t site, uint64_t size)
{
	if (hr_sampling())
		hr_sampled_inherited(block, site, size);
	else
		hr_site_inherited(site, size, 1);
}

static bool rebuild(void)
{
	hr_sites_forked();
	hr_strings_republish(true);
	hr_modules_republish();
	hr_nodes_republish();
	hr_domains_republish();
	if (!hr_sites_rebuild_begin())
		return false;
	hr_header->inherited_bytes = 0;
	hr_track_hands(hr_self); /* before they are of another generation */
	hr_live_new_generation();
	hr_live_each(visit_live, NULL);
	hr_maps_rebuild();
	hr_luajit_rebuild();
	hr_heaps_rebuild();
	hr_maps_republish();
	hr_zones_republish();
	hr_sites_rebuild_end();
	hr_live_geometry(&hr_header->live);
	return true;
}

bool hr_gate_ask(void)
{
	if (state == OFF)
		return false;
	uintptr_t before = hr_guard;
	hr_guard = (uintptr_t)__builtin_frame_address(0);
	if (state == ON && (uint64_t)sys_getpid() != pid) { /* forked by a bare system call */
		hr_live_unlock_all(NULL);
		hr_maps_unlock();
		make_child_segment();
	}
	if (state == CHILD) {
		bool ok = rebuild();
		hr_header->state = ok ? HR_STATE_RECORDING : HR_STATE_STOPPED;
		state = ok ? ON : OFF;
		if (ok)
			*hr_gate = GATE_RECORDING;
	}
	hr_guard = before;
	return *hr_gate == GATE_RECORDING;
}
