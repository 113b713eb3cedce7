/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind_truth.c - libunwind, for the frames our rules cannot express, and as the truth in check mode.
 *
 * It is loaded by dlopen(RTLD_LOCAL) when main begins. (Not in the constructor: that runs before libc's own,
 * which a dlopen there would run without the program's arguments and environment.) So none of its symbols
 * enters the program's scope: as a plain dependency it replaces libgcc's unwinder and breaks errors raised on LuaJIT traces.
 * Only the remote half is used, with an address space of our own: libunwind's local address space opens a
 * pipe and later reads and writes those descriptor numbers, whoever owns them by then. Reads of the stack go
 * through our bounded reader, unwind tables through _dl_find_object: no lock of the loader is taken, no
 * descriptor opened.
 */
#include <dlfcn.h>
#include <libunwind-x86_64.h>
#include <sys/stat.h>

#include "shim.h"

static unw_addr_space_t (*create_addr_space)(unw_accessors_t *, int);
static int (*init_remote)(unw_cursor_t *, unw_addr_space_t, void *);
static int (*step)(unw_cursor_t *);
static int (*get_reg)(unw_cursor_t *, int, unw_word_t *);
static int (*set_caching_policy)(unw_addr_space_t, unw_caching_policy_t);
static int (*search_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t *, unw_proc_info_t *, int, void *);
static unw_addr_space_t space;

struct context {
	const struct thread *t;
	struct arch_entry entry;
	struct reader reader;
};

/* The sorted table behind .eh_frame_hdr: where it is and how many entries it has. */
static bool table_of(const uint8_t *hdr, const int32_t **table, uint64_t *count)
{
	/* version 1, frame pointer sdata4 pcrel, count udata4, table sdata4 datarel: what linkers write */
	if (hdr == NULL || hdr[0] != 1 || hdr[2] != 0x03 || hdr[3] != 0x3b || (hdr[1] & 0x0f) != 0x0b)
		return false;
	*count = *(const uint32_t *)(hdr + 8);
	*table = (const int32_t *)(hdr + 12);
	return true;
}

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *pi, int need, void *arg)
{
	struct object object;
	const int32_t *table;
	uint64_t count;
	if (!hr_object_at(ip, &object) || !table_of(object.eh_frame_hdr, &table, &count))
		return -UNW_ENOINFO;
	unw_dyn_info_t di = {.format = UNW_INFO_FORMAT_REMOTE_TABLE, .start_ip = object.start, .end_ip = object.end};
	di.u.rti.segbase = (unw_word_t)object.eh_frame_hdr;
	di.u.rti.table_data = (unw_word_t)table;
	di.u.rti.table_len = count * 8 / sizeof(unw_word_t);
	return search_table(as, ip, &di, pi, need, arg);
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *pi, void *arg)
{
}

static int no_dyn_info(unw_addr_space_t as, unw_word_t *list, void *arg)
{
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t as, unw_word_t address, unw_word_t *value, int write, void *arg)
{
	struct context *c = arg;
	struct object object;
	if (write || address & 7)
		return -UNW_EINVAL;
	if (address >= c->reader.low && address + 8 <= c->reader.high) {
		*value = *(const unw_word_t *)address;
		return 0;
	}
	if ((hr_object_at(address, &object) && address + 8 <= object.end) || sys_readable(address)) {
		*value = *(const unw_word_t *)address;
		return 0;
	}
	return -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *value, int write, void *arg)
{
	const struct context *c = arg;
	if (write)
		return -UNW_EINVAL;
	switch (reg) {
	case UNW_X86_64_RIP: *value = c->entry.ip; break;
	case UNW_X86_64_RSP: *value = c->entry.sp; break;
	case UNW_X86_64_RBP: *value = c->entry.fp; break;
	default: *value = 0; /* not known in a hook; rules that need them end the walk */
	}
	return 0;
}

static int access_fpreg(unw_addr_space_t as, unw_regnum_t reg, unw_fpreg_t *value, int write, void *arg)
{
	return -UNW_EINVAL;
}

static int no_resume(unw_addr_space_t as, unw_cursor_t *cursor, void *arg)
{
	return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t as, unw_word_t ip, char *buffer, size_t size, unw_word_t *offset, void *arg)
{
	return -UNW_ENOINFO;
}

/*
 * Setting libunwind up opens a pipe, for a check of addresses that only its local address space makes: it is
 * closed again. It took the two lowest free descriptors, and they are the two ends of one pipe.
 */
struct descriptors {
	long first, second;
};

static struct descriptors lowest_free(void)
{
	struct descriptors d = {sys_open("/", O_PATH | O_CLOEXEC, 0), sys_open("/", O_PATH | O_CLOEXEC, 0)};
	if (!sys_failed(d.first))
		sys_close((int)d.first);
	if (!sys_failed(d.second))
		sys_close((int)d.second);
	return d;
}

static void close_pipe(struct descriptors d)
{
	struct stat first, second;
	if (sys_failed(d.first) || sys_failed(d.second) || sys_failed(arch_syscall6(SYS_fstat, d.first, (long)&first, 0, 0, 0, 0)) ||
	    sys_failed(arch_syscall6(SYS_fstat, d.second, (long)&second, 0, 0, 0, 0)))
		return;
	if (!S_ISFIFO(first.st_mode) || !S_ISFIFO(second.st_mode) || first.st_ino != second.st_ino)
		return;
	sys_close((int)d.first);
	sys_close((int)d.second);
}

void hr_truth_start(void)
{
	static unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = no_dyn_info,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = no_resume,
		.get_proc_name = no_name,
	};
	void *lib = dlopen("libunwind-x86_64.so.8", RTLD_LOCAL | RTLD_NOW);
	if (lib == NULL)
		return;
	create_addr_space = (unw_addr_space_t (*)(unw_accessors_t *, int))dlsym(lib, "_Ux86_64_create_addr_space");
	init_remote = (int (*)(unw_cursor_t *, unw_addr_space_t, void *))dlsym(lib, "_Ux86_64_init_remote");
	step = (int (*)(unw_cursor_t *))dlsym(lib, "_Ux86_64_step");
	get_reg = (int (*)(unw_cursor_t *, int, unw_word_t *))dlsym(lib, "_Ux86_64_get_reg");
	set_caching_policy = (int (*)(unw_addr_space_t, unw_caching_policy_t))dlsym(lib, "_Ux86_64_set_caching_policy");
	search_table = (int (*)(unw_addr_space_t, unw_word_t, unw_dyn_info_t *, unw_proc_info_t *, int, void *))dlsym(lib, "_Ux86_64_dwarf_search_unwind_table");
	if (!create_addr_space || !init_remote || !step || !get_reg || !set_caching_policy || !search_table)
		return;
	struct descriptors opened = lowest_free();
	space = create_addr_space(&accessors, 0);
	if (space)
		set_caching_policy(space, UNW_CACHE_NONE); /* sets up the local half, too */
	close_pipe(opened);
}

bool hr_truth_available(void)
{
	return space != NULL;
}

/* Another thread may have been in libunwind, holding its locks: they stay locked in the child. */
void hr_truth_forked(void)
{
	if (!__libc_single_threaded)
		space = NULL;
}

static bool has_fde(uintptr_t ip)
{
	struct object object;
	return hr_object_at(ip - 1, &object) && object.eh_frame_hdr &&
	       hr_rule_compile(object.eh_frame_hdr, object.start, object.end, ip - 1).kind != RULE_NONE;
}

size_t hr_truth_walk(const struct thread *t, struct arch_entry entry, uintptr_t *ips, size_t max, uintptr_t *end_ip)
{
	struct context c = {.t = t, .entry = entry, .reader = hr_reader(t, entry.sp)};
	unw_cursor_t cursor;
	size_t count = 0;
	if (space == NULL || init_remote(&cursor, space, &c) < 0)
		return 0;
	do {
		unw_word_t ip;
		if (get_reg(&cursor, UNW_X86_64_RIP, &ip) < 0 || ip < SYS_PAGE)
			break;
		if (!has_fde(ip)) {
			*end_ip = ip;
			break;
		}
		ips[count++] = ip;
	} while (count < max && step(&cursor) > 0);
	return count;
}
