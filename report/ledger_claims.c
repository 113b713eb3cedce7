/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_claims.c - the list of claims: ranges whose owner is known.
 *
 * Sources may be wrong or hostile (a stale row, a scribbled segment), so claims of one rank are made
 * disjoint before they are used: whoever starts first keeps what it has. With that the cutting of
 * mappings is one sweep, whatever was claimed.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"
#include "xalloc.h"

static const struct {
	const char *id, *label;
} names[C_COUNT] = {
	[C_ALLOCATOR] = {"allocator", "allocator"},
	[C_LUAJIT_HTTP] = {"luajit_http", "LuaJIT, http"},
	[C_LUAJIT_STREAM] = {"luajit_stream", "LuaJIT, stream"},
	[C_LUAJIT_OTHER] = {"luajit_other", "LuaJIT, other"},
	[C_NGINX_SHM] = {"nginx_shm", "nginx shared zones"},
	[C_MMAP] = {"mmap", "direct mmaps"},
	[C_TEXT] = {"text", "text segments"},
	[C_STACKS] = {"stacks", "thread stacks"},
	[C_FILE] = {"file", "files and module data"},
	[C_HEAPRAY] = {"heapray", "heapray's own"},
	[C_KERNEL] = {"kernel", "kernel (vdso, vvar)"},
	[C_RESERVED] = {"reserved", "guards, reservations"},
	[C_UNEXPLAINED] = {"unexplained", "unexplained"},
};

const char *component_id(enum component component)
{
	return names[component].id;
}

const char *component_label(enum component component)
{
	return names[component].label;
}

void claims_add(struct claims *claims, uint64_t start, uint64_t end, enum claim_rank rank,
	enum component component, const char *label)
{
	uint64_t page = (uint64_t)getpagesize();
	if (start >= end || end > UINT64_MAX - page)
		return;
	start &= -page;
	end = (end + page - 1) & -page;
	if (claims->count == claims->room) {
		claims->room = claims->room ? claims->room * 2 : 64;
		claims->list = xreallocarray(claims->list, claims->room, sizeof *claims->list);
	}
	claims->list[claims->count++] = (struct claim){start, end, rank, component, label};
}

static int by_rank_and_start(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->end != b->end)
		return a->end < b->end ? -1 : 1;
	return a->component != b->component ? (a->component < b->component ? -1 : 1)
					    : strcmp(a->label, b->label);
}

void claims_settle(struct claims *claims)
{
	if (!claims->count)
		return;
	qsort(claims->list, claims->count, sizeof *claims->list, by_rank_and_start);
	size_t kept = 0;
	for (size_t i = 0; i < claims->count; i++) {
		struct claim claim = claims->list[i];
		const struct claim *last = kept ? &claims->list[kept - 1] : NULL;
		if (last && last->rank == claim.rank && claim.start < last->end)
			claim.start = last->end;
		if (claim.start < claim.end)
			claims->list[kept++] = claim;
	}
	claims->count = kept;
}

void claims_free(struct claims *claims)
{
	free(claims->list);
	*claims = (struct claims){0};
}
