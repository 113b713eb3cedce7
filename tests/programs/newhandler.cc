/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * newhandler.cc - a new_handler that allocates, frees a reserve, and gives up at its third call. It is the
 * user's code, called from inside operator new: what it does must be seen, and its exception must pass. So must
 * bad_alloc, when there is no handler.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "expect.h"

SITE(in_handler, "site_in_handler");
extern "C" {
static void *site_in_handler(size_t n) { return malloc(n); }
}

struct given_up {};
static int calls;

static void handler()
{
	calls++;
	booked(&in_handler, site_in_handler(1234), 1234);
	if (calls == 3)
		throw given_up();
}

int main()
{
	std::set_new_handler(handler);
	const char *how = "not at all";
	try {
		booked(&in_handler, ::operator new(size_t(1) << 62), 0);
	} catch (const given_up &) {
		how = "by its own exception";
	} catch (const std::bad_alloc &) {
		how = "by bad_alloc";
	}
	std::set_new_handler(nullptr);
	bool refused = false;
	try {
		booked(&in_handler, ::operator new[](size_t(1) << 62), 0);
	} catch (const std::bad_alloc &) {
		refused = ::operator new(size_t(1) << 62, std::nothrow) == nullptr;
	}
	if (!refused)
		return 3;
	fprintf(stderr, "left %s after %d calls\n", how, calls);
	expect_print(1);
	return 0;
}
