/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * segment.c - the file that this process publishes, and who may write where in it.
 *
 * The file is sparse, sized to its bound, mapped once, and its descriptor closed at once: the program may
 * close any descriptor and reuse its number. A page is made writable by MADV_POPULATE_WRITE before it is
 * touched: on a full file system that fails, where a plain store would kill the program with SIGBUS.
 * A file may not be made larger than RLIMIT_FSIZE: that would be a SIGXFSZ, so the limit is asked first.
 *
 * The directory is ours alone (0700, checked for its owner and for links). Files of ended processes are
 * removed now and then, when a new one is made, but for the newest 64.
 */
#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "segment_private.h"
#include "shim.h"

#define STRINGS_BYTES (4u << 20)

struct hr_header hr_identity __attribute__((aligned(64)));
struct hr_header *hr_header = &hr_identity;
static char *base; /* of the mapping; NULL: nothing is published */
static _Atomic uint64_t populated[HR_SECTION_COUNT]; /* bytes of each section that may be written */
static lock_word lock;
static char *strings; /* our copy of the strings section */
static uint64_t strings_used = 1; /* offset 0 is "not known" */
static uint64_t header_strings = 1; /* the first so many bytes belong to the header */
static lock_word strings_lock;

static const struct { uint64_t stride, capacity; } layout[HR_SECTION_COUNT] = {
	[HR_MODULES] = {sizeof(struct hr_module), 4096},
	[HR_NODES] = {sizeof(struct hr_node), NODES_MAX},
	[HR_SITES] = {sizeof(struct hr_site), SITES_MAX},
	[HR_DOMAINS] = {sizeof(struct hr_domain), DOMAINS_MAX},
	[HR_MAPPINGS] = {sizeof(struct hr_mapping), 65536},
	[HR_ZONES] = {sizeof(struct hr_zone), 256},
	[HR_THREADS] = {sizeof(struct hr_thread), 65536},
	[HR_STRINGS] = {1, STRINGS_BYTES},
	[HR_TIMELINE] = {sizeof(struct hr_point), HR_TIMELINE_POINTS},
	[HR_MARKS] = {sizeof(struct hr_mark), HR_MARKS_MAX},
	[HR_LEDGER] = {sizeof(struct hr_ledger_row), HR_C_COUNT},
};

void hr_lost(enum hr_lost reason)
{
	count_add(&hr_header->lost[reason], 1);
}

bool hr_segment_published(void)
{
	return base != NULL;
}

void *hr_segment_section(enum hr_section_kind kind)
{
	return base ? base + hr_header->sections[kind].offset : NULL;
}

uint64_t hr_segment_capacity(enum hr_section_kind kind)
{
	return layout[kind].capacity;
}

void hr_segment_used(enum hr_section_kind kind, uint64_t used)
{
	/* release: pairs with the reporter's acquire; the rows below `used` are filled */
	__atomic_store_n(&hr_header->sections[kind].used, used, __ATOMIC_RELEASE);
}

static uint64_t page_up(uint64_t n)
{
	return (n + SYS_PAGE - 1) & ~(SYS_PAGE - 1);
}

/* With the lock held. Grows by a quarter, so that a big table takes few calls. */
static bool populate(enum hr_section_kind kind, uint64_t need)
{
	uint64_t have = atomic_load(&populated[kind]);
	uint64_t bound = page_up(layout[kind].stride * layout[kind].capacity);
	uint64_t want = page_up(have + have / 4 > need ? have + have / 4 : need);
	if (want > bound)
		want = bound;
	char *at = base + hr_header->sections[kind].offset + have;
	if (sys_failed(sys_madvise(at, want - have, MADV_POPULATE_WRITE))) {
		want = page_up(need);
		if (sys_failed(sys_madvise(at, want - have, MADV_POPULATE_WRITE)))
			return false;
	}
	__atomic_fetch_add(&hr_header->own_segment_bytes, want - have, __ATOMIC_RELAXED);
	atomic_store_explicit(&populated[kind], want, memory_order_release);
	return true;
}

bool hr_segment_reach(enum hr_section_kind kind, uint64_t row)
{
	uint64_t need = (row + 1) * layout[kind].stride;
	if (likely(need <= atomic_load_explicit(&populated[kind], memory_order_acquire)))
		return true;
	if (base == NULL || row >= layout[kind].capacity)
		return false;
	hr_lock(hr_self, &lock);
	bool ok = need <= atomic_load(&populated[kind]) || populate(kind, need);
	hr_unlock(hr_self, &lock);
	if (!ok)
		hr_lost(HR_LOST_SEGMENT_FULL);
	return ok;
}

void hr_segment_fill(enum hr_section_kind kind, uint64_t count, void (*make_row)(void *row, uint64_t id))
{
	static char batch[32 << 10] __attribute__((aligned(64)));
	const uint64_t stride = layout[kind].stride, most = sizeof batch / stride;
	char *rows = hr_segment_section(kind);
	for (uint64_t first = 0, n; first < count; first += n) {
		n = count - first < most ? count - first : most;
		for (uint64_t i = 0; i < n; i++)
			make_row(batch + i * stride, first + i);
		hr_memory_write(batch, rows + first * stride, n * stride);
	}
}

/* ---- strings ---------------------------------------------------------------------------------- */

struct hr_str hr_segment_string(struct thread *t, const char *text, size_t length)
{
	struct hr_str none = {0, 0};
	if (length == 0 || length > 65535)
		return none;
	hr_lock(t, &strings_lock);
	uint64_t at = strings_used;
	bool room = strings && at + length + 1 <= STRINGS_BYTES;
	if (room)
		strings_used += length + 1;
	hr_unlock(t, &strings_lock);
	if (!room || !hr_segment_reach(HR_STRINGS, at + length)) {
		hr_lost(HR_LOST_STRINGS_FULL);
		return none;
	}
	memcpy(strings + at, text, length);
	char *published = hr_segment_section(HR_STRINGS);
	memcpy(published + at, text, length);
	published[at + length] = '\0';
	hr_segment_used(HR_STRINGS, strings_used);
	return (struct hr_str){(uint32_t)at, (uint32_t)length};
}

void hr_strings_of_header(void)
{
	header_strings = strings_used;
}

void hr_strings_republish(bool all)
{
	atomic_store(&strings_lock, 0);
	uint64_t used = all ? strings_used : header_strings;
	if (!hr_segment_reach(HR_STRINGS, used - 1))
		return;
	memcpy(hr_segment_section(HR_STRINGS), strings, used);
	hr_segment_used(HR_STRINGS, used);
}

/* ---- making the file -------------------------------------------------------------------------- */

static uint64_t lay_out(struct hr_header *h)
{
	uint64_t at = HR_HEADER_SIZE;
	for (int k = 0; k < HR_SECTION_COUNT; k++) {
		h->sections[k] = (struct hr_section){.offset = at, .stride = layout[k].stride, .capacity = layout[k].capacity};
		at += page_up(layout[k].stride * layout[k].capacity);
	}
	return at;
}

static bool allowed_size(uint64_t size)
{
	struct rlimit64 limit;
	if (sys_failed(arch_syscall6(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&limit, 0, 0)))
		return false;
	return limit.rlim_cur == RLIM64_INFINITY || limit.rlim_cur >= size;
}

static const char *check_dir(const char *dir)
{
	struct stat st;
	arch_syscall6(SYS_mkdirat, AT_FDCWD, (long)dir, 0700, 0, 0, 0);
	if (sys_failed(arch_syscall6(SYS_newfstatat, AT_FDCWD, (long)dir, (long)&st, AT_SYMLINK_NOFOLLOW, 0, 0)))
		return " cannot be made";
	if (!S_ISDIR(st.st_mode))
		return " is not a directory";
	if (st.st_uid != (uid_t)arch_syscall6(SYS_geteuid, 0, 0, 0, 0, 0, 0))
		return " belongs to another user";
	if (st.st_mode & 022)
		return " can be written by others";
	return NULL;
}

char *hr_segment_number(char *at, uint64_t n)
{
	char digits[24];
	int count = 0;
	do
		digits[count++] = (char)('0' + n % 10);
	while (n /= 10);
	while (count)
		*at++ = digits[--count];
	return at;
}

static void make_path(char *path, uint64_t pid, uint64_t created)
{
	char *at = stpcpy(path, hr_config.dir);
	*at++ = '/';
	at = hr_segment_number(at, pid);
	*at++ = '.';
	at = hr_segment_number(at, created);
	strcpy(at, ".seg");
}

static uint64_t pid_namespace(void)
{
	struct stat st;
	if (sys_failed(arch_syscall6(SYS_newfstatat, AT_FDCWD, (long)"/proc/self/ns/pid", (long)&st, 0, 0, 0)))
		return 0;
	return st.st_ino;
}

static char *map_file(const char *path, uint64_t size, const char **reason)
{
	long fd = sys_open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (sys_failed(fd)) {
		*reason = fd == -EROFS ? " is read-only" : fd == -ENOSPC ? " is full" : fd == -EACCES ? " cannot be written" : " takes no file";
		return NULL;
	}
	char *p = NULL;
	if (sys_failed(arch_syscall6(SYS_ftruncate, fd, (long)size, 0, 0, 0, 0))) {
		*reason = " takes no file of the size needed";
	} else {
		long at = sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
		p = sys_failed(at) ? NULL : (char *)at;
		if (p == NULL)
			*reason = " cannot be mapped: address space is limited";
	}
	sys_close((int)fd);
	if (p && sys_failed(sys_madvise(p, HR_HEADER_SIZE, MADV_POPULATE_WRITE))) {
		*reason = " is full (or Linux is older than 5.14)";
		sys_free(p, size);
		p = NULL;
	}
	if (p == NULL)
		sys_unlink(path);
	return p;
}

int hr_segment_create(const char **reason, bool first)
{
	char path[sizeof hr_config.dir + 64];
	struct hr_header *from = &hr_identity;
	uint64_t size = lay_out(from);
	from->pid = (uint64_t)sys_getpid();
	from->created_realtime_ns = sys_realtime_ns();
	if (!allowed_size(size)) {
		*reason = ": a segment is larger than the limit on file sizes (RLIMIT_FSIZE)";
		return -1;
	}
	if (first && (*reason = check_dir(hr_config.dir)) != NULL)
		return -1;
	from->pid_namespace = pid_namespace(); /* asked each time: after unshare() a child has another than its parent */
	if (first && from->created_realtime_ns / 1000 % REAP_ONE_IN == 0)
		hr_segment_reap();
	make_path(path, from->pid, from->created_realtime_ns);
	char *p = map_file(path, size, reason);
	if (p == NULL)
		return -1;
	from->file_size = size;
	from->header_size = HR_HEADER_SIZE;
	from->version = HR_VERSION;
	from->own_segment_bytes = HR_HEADER_SIZE;
	memcpy(p, from, sizeof *from);
	if (strings == NULL)
		strings = hr_memory_reserve(STRINGS_BYTES);
	if (base) /* the parent's */
		sys_free(base, size);
	base = p;
	hr_header = (struct hr_header *)p;
	for (int k = 0; k < HR_SECTION_COUNT; k++)
		atomic_store(&populated[k], 0);
	atomic_store(&lock, 0);
	/* release: a reader that sees the magic sees the header */
	__atomic_store_n(&hr_header->magic, HR_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

static uint32_t forks; /* a child goes on counting where its parent was: each may have one child */

void hr_segment_before_fork(void)
{
	forks++;
}

void hr_segment_forked(void)
{
	if (forks % REAP_ONE_IN == 0)
		hr_segment_reap();
}

void hr_segment_let_go(void)
{
	if (base)
		sys_free(base, lay_out(&hr_identity));
	base = NULL;
	hr_header = &hr_identity;
}
