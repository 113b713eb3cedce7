/* SPDX-License-Identifier: BSD-2-Clause */
/* owners.c - the table of wrappers, and matching against it. */
#include "owners.h"

#include "xalloc.h"

#include <stddef.h>

static const char *const known[] = {
	/* libc */
	"malloc", "calloc", "realloc", "reallocarray", "memalign", "aligned_alloc", "posix_memalign", "valloc", "pvalloc", "mmap",
	"mmap64", "mremap", "strdup", "__strdup", "strndup", "__strndup", "wcsdup", "asprintf", "__asprintf", "__asprintf_chk",
	"vasprintf", "__vasprintf", "__vasprintf_chk", "__vasprintf_internal",
	/* C++ */
	"operator new*", "std::allocator<*>::allocate*", "std::allocator_traits<*>::allocate*", "std::__new_allocator<*>::allocate*",
	"__gnu_cxx::new_allocator<*>::allocate*",
	/* nginx */
	"ngx_alloc", "ngx_calloc", "ngx_memalign", "ngx_palloc*", "ngx_pnalloc", "ngx_pcalloc", "ngx_pmemalign", "ngx_create_pool",
	"ngx_array_*", "ngx_list_*", "ngx_create_temp_buf", "ngx_alloc_chain_link", "ngx_create_chain_of_bufs", "ngx_pstrdup",
	"ngx_pool_cleanup_add", "ngx_shm_alloc",
	/* OpenSSL */
	"CRYPTO_*alloc", "CRYPTO_*dup", "OPENSSL_*alloc",
	/* LuaJIT, Lua */
	"lj_mem_*", "lj_alloc_*", "luaM_*", "l_alloc",
	/* others that are met often */
	"g_malloc*", "g_realloc*", "g_try_malloc*", "g_strdup*", "g_strndup", "g_slice_alloc*", "xmalloc", "xcalloc", "xrealloc", "xstrdup",
	"zmalloc*", "zcalloc*", "zrealloc*", "ztrymalloc*", "ztrycalloc*", "ztryrealloc*", "zmalloc_usable", "apr_palloc*",
	"apr_pcalloc*", "sqlite3_malloc*", "sqlite3_realloc*", "sqlite3Malloc*", "sqlite3MemMalloc", "sqlite3MemRealloc",
	"sqlite3DbMalloc*", "PyMem_*", "_PyMem_*", "PyObject_Malloc", "PyObject_Calloc", "PyObject_Realloc", "_PyObject_Malloc",
};

static struct {
	const char **patterns;
	size_t count, capacity;
} added;

/* '*' any text; the usual two-pointer walk, linear but for what one star may have to try again. */
static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

void owners_add(const char *pattern)
{
	xgrow(added.patterns, added.count, added.capacity);
	added.patterns[added.count++] = pattern;
}

bool owners_is_wrapper(const char *function)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (matches(known[i], function))
			return true;
	}
	for (size_t i = 0; i < added.count; i++) {
		if (matches(added.patterns[i], function))
			return true;
	}
	return false;
}
