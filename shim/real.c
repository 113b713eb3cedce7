/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * real.c - the next library's functions.
 *
 * Each symbol is looked up with RTLD_NEXT, so the shim chains to whatever allocator was preloaded after
 * it. Symbols resolve one by one: under jemalloc, pvalloc is still libc's, while free is jemalloc's, and
 * a block of the one given to the other is a crash. So the family is the library that has malloc, and an
 * entry that comes from elsewhere is built from that family's own (PITFALLS P10b).
 *
 * dlsym of a missing symbol allocates: the guard is up while we look, and the boot arena serves.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>

#include "shim.h"

struct next hr_next;
const void *hr_allocator_map;
static _Atomic uint32_t resolved; /* 0 no, 1 under way, 2 yes */
static bool built_some;
static void *next_new, *next_delete;

static const struct link_map *map_of(const void *address)
{
	struct dl_find_object found;
	if (address == NULL || _dl_find_object((void *)address, &found) != 0)
		return NULL;
	return found.dlfo_link_map;
}

bool hr_real_in_allocator(const void *address)
{
	return address != NULL && map_of(address) == hr_allocator_map;
}

/* ---- entries built from the family's own ------------------------------------------------------ */

static void *built_calloc(size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	void *p = hr_next.malloc(bytes);
	return p ? memset(p, 0, bytes) : NULL;
}

static void *built_memalign(size_t alignment, size_t size)
{
	void *p = NULL;
	if (alignment < sizeof(void *))
		alignment = sizeof(void *);
	int error = hr_next.posix_memalign(&p, alignment, size);
	if (error) {
		errno = error;
		return NULL;
	}
	return p;
}

static int built_posix_memalign(void **out, size_t alignment, size_t size)
{
	if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0)
		return EINVAL;
	int saved = errno;
	void *p = hr_next.memalign(alignment, size);
	errno = saved;
	if (p == NULL)
		return ENOMEM;
	*out = p;
	return 0;
}

static void *built_valloc(size_t size)
{
	return built_memalign(SYS_PAGE, size);
}

static void *built_pvalloc(size_t size)
{
	size_t rounded = (size + SYS_PAGE - 1) & ~(SYS_PAGE - 1);
	if (rounded < size) {
		errno = ENOMEM;
		return NULL;
	}
	return built_memalign(SYS_PAGE, rounded);
}

static size_t built_usable_size(void *p)
{
	return 0; /* not known */
}

/* The symbol, if it comes from the library that has malloc; else NULL. */
static void *family(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);
	return p && map_of(p) == hr_allocator_map ? p : NULL;
}

#define FAMILY(field, name, otherwise)                                                                                 \
	do {                                                                                                           \
		hr_next.field = family(name);                                                                          \
		if (hr_next.field == NULL) {                                                                           \
			hr_next.field = otherwise;                                                                     \
			built_some = true;                                                                             \
		}                                                                                                      \
	} while (0)

static void resolve_family(void)
{
	void *real_malloc = dlsym(RTLD_NEXT, "malloc");
	hr_allocator_map = map_of(real_malloc);
	hr_next.free = dlsym(RTLD_NEXT, "free");
	hr_next.realloc = dlsym(RTLD_NEXT, "realloc");
	hr_next.malloc = real_malloc;
	hr_next.posix_memalign = family("posix_memalign");
	hr_next.memalign = family("memalign");
	if (hr_next.posix_memalign == NULL && hr_next.memalign == NULL) /* a small family: whatever there is */
		hr_next.posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
	if (hr_next.posix_memalign == NULL)
		hr_next.posix_memalign = built_posix_memalign;
	if (hr_next.memalign == NULL)
		hr_next.memalign = built_memalign;
	FAMILY(calloc, "calloc", built_calloc);
	FAMILY(aligned_alloc, "aligned_alloc", built_memalign);
	FAMILY(valloc, "valloc", built_valloc);
	FAMILY(pvalloc, "pvalloc", built_pvalloc);
	FAMILY(usable_size, "malloc_usable_size", built_usable_size);
}

void hr_real_resolve(void)
{
	uint32_t not_yet = 0;
	if (!atomic_compare_exchange_strong(&resolved, &not_yet, 1))
		return;
	uintptr_t before = hr_guard;
	hr_guard = (uintptr_t)__builtin_frame_address(0);
	resolve_family();
	hr_next.mmap = dlsym(RTLD_NEXT, "mmap");
	hr_next.munmap = dlsym(RTLD_NEXT, "munmap");
	hr_next.mremap = dlsym(RTLD_NEXT, "mremap");
	hr_next.mprotect = dlsym(RTLD_NEXT, "mprotect");
	hr_next.dlclose = dlsym(RTLD_NEXT, "dlclose");
	hr_next.pthread_create = dlsym(RTLD_NEXT, "pthread_create");
	next_new = dlsym(RTLD_NEXT, "_Znwm");
	next_delete = dlsym(RTLD_NEXT, "_ZdlPv");
	hr_guard = before;
	atomic_store(&resolved, 2);
}

bool hr_real_ready(void)
{
	/* acquire: pairs with the store in hr_real_resolve; the table is filled */
	return atomic_load_explicit(&resolved, memory_order_acquire) == 2;
}

void *hr_real_symbol(const char *name, const void *caller)
{
	void *p = dlsym(RTLD_NEXT, name);
	if (p)
		return p;
	const struct link_map *map = map_of(caller);
	if (map && map->l_name[0] == '\0') { /* the program: what it has inside, as it exports it */
		p = dlsym(RTLD_DEFAULT, name);
		return map_of(p) == map ? p : NULL;
	}
	void *handle = map && map->l_name[0] ? dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD) : NULL;
	if (handle == NULL)
		return NULL;
	p = dlsym(handle, name); /* looks in that object and what it depends on, not in the global scope */
	hr_next.dlclose(handle);
	return map_of(p) == map_of(hr_real_symbol) ? NULL : p;
}

/* ---- the self-check: who provides what -------------------------------------------------------- */

static const char *path_of(const void *address)
{
	const struct link_map *map = map_of(address);
	if (map == NULL)
		return "";
	return map->l_name[0] ? map->l_name : hr_config.exe;
}

static struct hr_str string_of(const char *text)
{
	return hr_segment_string(hr_self, text, strlen(text));
}

static const char *allocator_name(const char *path)
{
	static const char *const known[][2] = {
		{"libc.so", "glibc"},       {"libc-", "glibc"},       {"jemalloc", "jemalloc"}, {"tcmalloc", "tcmalloc"},
		{"mimalloc", "mimalloc"},   {"ld-musl", "musl"},      {"libhoard", "hoard"},    {"snmalloc", "snmalloc"},
		{"hardened_malloc", "hardened_malloc"},
	};
	const char *base = strrchr(path, '/');
	base = base ? base + 1 : path;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strstr(base, known[i][0]))
			return known[i][1];
	return base;
}

/*
 * Whose malloc does the program get? Ours, unless another library comes first or it brings its own. In a
 * program that takes malloc's address, not built as PIE, the symbol's address is an entry of its own PLT that
 * leads here: the symbol is undefined there.
 */
static uint32_t first_malloc(void)
{
	Dl_info info;
	ElfW(Sym) *symbol = NULL;
	const void *p = dlsym(RTLD_DEFAULT, "malloc");
	const struct link_map *first = map_of(p);
	if (first == NULL || first == map_of(hr_real_publish))
		return 0;
	if (dladdr1(p, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol && symbol->st_shndx == SHN_UNDEF)
		return 0;
	return first->l_name[0] == '\0' ? HR_WARN_STATIC_MALLOC : HR_WARN_NOT_FIRST;
}

void hr_real_publish(struct hr_header *h)
{
	const void *entry[HR_ENTRY_COUNT] = {
		[HR_ENTRY_MALLOC] = hr_next.malloc,
		[HR_ENTRY_FREE] = hr_next.free,
		[HR_ENTRY_CALLOC] = hr_next.calloc,
		[HR_ENTRY_REALLOC] = hr_next.realloc,
		[HR_ENTRY_MEMALIGN] = hr_next.memalign,
		[HR_ENTRY_ALIGNED_ALLOC] = hr_next.aligned_alloc,
		[HR_ENTRY_POSIX_MEMALIGN] = hr_next.posix_memalign,
		[HR_ENTRY_VALLOC] = hr_next.valloc,
		[HR_ENTRY_PVALLOC] = hr_next.pvalloc,
		[HR_ENTRY_USABLE_SIZE] = hr_next.usable_size,
		[HR_ENTRY_NEW] = next_new,
		[HR_ENTRY_DELETE] = next_delete,
		[HR_ENTRY_MMAP] = hr_next.mmap,
	};
	for (int i = 0; i < HR_ENTRY_COUNT; i++)
		if (entry[i])
			h->provider[i] = string_of(path_of(entry[i]));
	h->allocator_name = string_of(allocator_name(path_of(hr_next.malloc)));
	if (built_some)
		h->warnings |= HR_WARN_MIXED_FAMILY;
	h->warnings |= first_malloc();
}
