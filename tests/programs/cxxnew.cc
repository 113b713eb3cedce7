/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cxxnew.cc - every form of operator new and delete, each new met by each kind of delete, and books as JSON.
 *
 * Sizes are multiples of the alignment, and not 0: libstdc++ rounds the first up and asks malloc for 1 byte
 * instead of the second, which an allocator's own operator new does not.
 */
#include "expect.h"

#include <new>
#include <string>
#include <vector>

extern "C" {
static void *site_new(size_t n) { return ::operator new(n); }
static void *site_new_array(size_t n) { return ::operator new[](n); }
static void *site_new_nothrow(size_t n) { return ::operator new(n, std::nothrow); }
static void *site_new_array_nothrow(size_t n) { return ::operator new[](n, std::nothrow); }
static void *site_new_aligned(size_t n) { return ::operator new(n, std::align_val_t(64)); }
static void *site_new_array_aligned(size_t n) { return ::operator new[](n, std::align_val_t(64)); }
static void *site_new_aligned_nothrow(size_t n) { return ::operator new(n, std::align_val_t(64), std::nothrow); }
static void *site_new_array_aligned_nothrow(size_t n) { return ::operator new[](n, std::align_val_t(64), std::nothrow); }
}

typedef void *(*new_form)(size_t);
typedef void (*delete_form)(void *, size_t);

static void d_plain(void *p, size_t) { ::operator delete(p); }
static void d_sized(void *p, size_t n) { ::operator delete(p, n); }
static void d_nothrow(void *p, size_t) { ::operator delete(p, std::nothrow); }
static void d_array(void *p, size_t) { ::operator delete[](p); }
static void d_array_sized(void *p, size_t n) { ::operator delete[](p, n); }
static void d_array_nothrow(void *p, size_t) { ::operator delete[](p, std::nothrow); }
static void d_aligned(void *p, size_t) { ::operator delete(p, std::align_val_t(64)); }
static void d_aligned_sized(void *p, size_t n) { ::operator delete(p, n, std::align_val_t(64)); }
static void d_aligned_nothrow(void *p, size_t) { ::operator delete(p, std::align_val_t(64), std::nothrow); }
static void d_array_aligned(void *p, size_t) { ::operator delete[](p, std::align_val_t(64)); }
static void d_array_aligned_sized(void *p, size_t n) { ::operator delete[](p, n, std::align_val_t(64)); }
static void d_array_aligned_nothrow(void *p, size_t) { ::operator delete[](p, std::align_val_t(64), std::nothrow); }

static void exercise(site *s, new_form make, delete_form a, delete_form b, delete_form c)
{
	const delete_form forms[] = {a, b, c};
	for (int i = 0; i < 9; i++) {
		const size_t n = 64 * (1 + i);
		void *p = booked(s, make(n), n);
		memset(p, 0x5a, n);
		if (i % 2)
			continue;
		unbooked(s, n);
		forms[i / 2 % 3](p, n);
	}
}

int main()
{
	SITE(one, "site_new");
	SITE(many, "site_new_array");
	SITE(one_nothrow, "site_new_nothrow");
	SITE(many_nothrow, "site_new_array_nothrow");
	SITE(one_aligned, "site_new_aligned");
	SITE(many_aligned, "site_new_array_aligned");
	SITE(one_both, "site_new_aligned_nothrow");
	SITE(many_both, "site_new_array_aligned_nothrow");
	exercise(&one, site_new, d_plain, d_sized, d_nothrow);
	exercise(&many, site_new_array, d_array, d_array_sized, d_array_nothrow);
	exercise(&one_nothrow, site_new_nothrow, d_plain, d_sized, d_nothrow);
	exercise(&many_nothrow, site_new_array_nothrow, d_array, d_array_sized, d_array_nothrow);
	exercise(&one_aligned, site_new_aligned, d_aligned, d_aligned_sized, d_aligned_nothrow);
	exercise(&many_aligned, site_new_array_aligned, d_array_aligned, d_array_aligned_sized, d_array_aligned_nothrow);
	exercise(&one_both, site_new_aligned_nothrow, d_aligned, d_aligned_sized, d_aligned_nothrow);
	exercise(&many_both, site_new_array_aligned_nothrow, d_array_aligned, d_array_aligned_sized, d_array_aligned_nothrow);
	expect_print(1);
	return 0;
}
