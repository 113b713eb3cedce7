/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pools.c - finds nginx's pools among the live blocks and reads them.
 *
 * Three passes: which sites are pools (their stack has ngx_create_pool), the live blocks of those sites
 * together with the addresses and sizes of all (a pool's large blocks are looked up there), and then
 * each pool's own memory. nginx runs on meanwhile: what does not agree with itself is counted as torn.
 */
#include "pools.h"

#include <stdio.h>

#include "callers.h"
#include "live_table.h"
#include "peek.h"
#include "xalloc.h"

#define FRAMES 12         /* above ngx_create_pool, to tell what a pool is for */
#define MOST_LINKS 65536u /* of a pool's list of blocks, or of large ones */
#define MOST_BLOCKS 4000000u

struct pool_head {
	uint64_t last, end, next, failed, max, current, chain, large, cleanup, log;
};

/* A site whose blocks are pools; the same creator has several (stripes, callers). */
struct pool_site {
	bool is_pool;
	const char *kind, *creator;
};

struct block {
	uint64_t address, size;
	uint32_t site;
};

struct search {
	struct pool_site *sites;
	struct block *pools, *all;
	size_t pool_count, pool_room, all_count, all_room;
	bool too_many;
};

static const struct {
	const char *function, *kind;
} kinds[] = {
	{"ngx_init_cycle", "cycle"},
	{"ngx_event_accept", "connection"},
	{"ngx_event_recvmsg", "connection"},
	{"ngx_event_connect_peer", "connection"},
	{"ngx_get_connection", "connection"},
	{"ngx_create_connection", "connection"},
	{"ngx_http_upstream_connect", "connection"},
	{"ngx_http_upstream_init_request", "connection"},
	{"ngx_http_create_request", "request"},
	{"ngx_http_alloc_request", "request"},
	{"ngx_http_v2_create_stream", "request"},
};

const char *pool_kind_of(const char *const *functions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!functions[i])
			continue;
		if (!strncmp(functions[i], "ngx_http_lua_", 13) ||
			!strncmp(functions[i], "ngx_stream_lua_", 15))
			return "lua";
		for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
			if (!strcmp(functions[i], kinds[k].function))
				return kinds[k].kind;
		/* A handler of a phase runs below the request's own functions: only the nearest callers tell.
		 */
		if (i >= 3)
			break;
	}
	return "other";
}

/* ---- which sites are pools ------------------------------------------------------------------- */

static void look_at_site(
	struct stacks_of *stacks, const struct segment *segment, uint32_t node, struct pool_site *site)
{
	const char *above[FRAMES] = {0};
	size_t count = 0;
	bool found = false;
	/* Between malloc's hook and ngx_create_pool is at most ngx_memalign. */
	for (unsigned depth = 0; node >= HR_ROOT_COUNT && count < FRAMES && (found || depth < 4); depth++) {
		bool library = callers_is_library(stacks, node);
		if (!found && library)
			return; /* it is nginx itself that makes pools */
		const char *function = library ? NULL : callers_function(stacks, node);
		if (found)
			above[count++] = function;
		found |= function && !strcmp(function, "ngx_create_pool");
		node = segment->nodes[node].parent;
	}
	if (!found)
		return;
	site->is_pool = true;
	site->kind = pool_kind_of(above, count);
	site->creator = above[0] ? above[0] : "unknown";
}

static bool find_sites(struct stacks_of *stacks, const struct segment *segment, struct search *search)
{
	bool any = false;
	for (size_t i = 0; i < segment->site_count; i++) {
		const struct hr_site *site = &segment->sites[i];
		if (site->domain != 0 || site->allocated_bytes <= site->freed_bytes)
			continue;
		look_at_site(stacks, segment, site->node, &search->sites[i]);
		any |= search->sites[i].is_pool;
	}
	return any;
}

static bool see_block(void *context, const struct live_block *live)
{
	struct search *search = context;
	struct block block = {.address = live->address, .size = live->size, .site = live->site};
	if (search->sites[live->site].is_pool) {
		xgrow(search->pools, search->pool_count, search->pool_room);
		search->pools[search->pool_count++] = block;
	}
	if (search->all_count >= MOST_BLOCKS) {
		search->too_many = true;
		return true;
	}
	xgrow(search->all, search->all_count, search->all_room);
	search->all[search->all_count++] = block;
	return true;
}

static int by_address(const void *left, const void *right)
{
	const struct block *a = left, *b = right;
	return (a->address > b->address) - (a->address < b->address);
}

/* ---- reading one pool ---------------------------------------------------------------------------- */

static bool plausible(const struct pool_head *head, uint64_t start, uint64_t end, uint64_t head_bytes)
{
	return head->end == end && head->last >= start + head_bytes && head->last <= end;
}

static bool read_blocks(
	struct peek *peek, const struct block *block, struct pool_head *head, struct pool_kind *sum)
{
	uint64_t next = block->address;
	for (unsigned links = 0; next && links < MOST_LINKS; links++) {
		struct pool_head here;
		size_t bytes = links ? 32 : sizeof here; /* later blocks have last, end, next, failed alone */
		if (!peek_at(peek, next, &here, bytes) || !plausible(&here, next, next + block->size, bytes))
			return false;
		if (!links)
			*head = here;
		sum->blocks++;
		sum->size_bytes += block->size;
		sum->used_bytes += here.last - next;
		sum->unused_bytes += here.end - here.last;
		next = here.next;
	}
	return true;
}

static bool read_large(struct peek *peek, uint64_t next, const struct search *search, struct pool_kind *sum)
{
	for (unsigned links = 0; next && links < MOST_LINKS; links++) {
		struct {
			uint64_t next, block;
		} large;
		if (!peek_at(peek, next, &large, sizeof large))
			return false;
		struct block key = {.address = large.block};
		const struct block *found =
			large.block && search->all_count
				? bsearch(&key, search->all, search->all_count, sizeof key, by_address)
				: NULL;
		sum->large_count += large.block != 0;
		sum->large_bytes += found ? found->size : 0;
		next = large.next;
	}
	return true;
}

static struct pool_kind *kind_row(struct pools *pools, const struct pool_site *site)
{
	for (size_t i = 0; i < pools->count; i++)
		if (!strcmp(pools->list[i].kind, site->kind) &&
			!strncmp(pools->list[i].creator, site->creator, sizeof pools->list[i].creator - 1))
			return &pools->list[i];
	xgrow(pools->list, pools->count, pools->room);
	struct pool_kind *row = &pools->list[pools->count++];
	*row = (struct pool_kind){.kind = site->kind};
	snprintf(row->creator, sizeof row->creator, "%s", site->creator);
	return row;
}

static void read_pool(
	struct peek *peek, const struct search *search, const struct block *block, struct pools *pools)
{
	struct pool_head head = {0};
	struct pool_kind one = {0};
	if (block->size < sizeof head || !read_blocks(peek, block, &head, &one) ||
		!read_large(peek, head.large, search, &one)) {
		pools->torn++;
		return;
	}
	struct pool_kind *row = kind_row(pools, &search->sites[block->site]);
	row->pools++;
	row->blocks += one.blocks;
	row->size_bytes += one.size_bytes;
	row->used_bytes += one.used_bytes;
	row->unused_bytes += one.unused_bytes;
	row->large_count += one.large_count;
	row->large_bytes = search->too_many ? JSON_UNKNOWN : row->large_bytes + one.large_bytes;
}

static int by_size(const void *left, const void *right)
{
	const struct pool_kind *a = left, *b = right;
	if (a->size_bytes != b->size_bytes)
		return a->size_bytes > b->size_bytes ? -1 : 1;
	int kind = strcmp(a->kind, b->kind);
	return kind ? kind : strcmp(a->creator, b->creator);
}

void pools_read(struct stacks_of *stacks, const struct segment *books, const struct hr_header *header,
	struct peek *peek, struct pools *pools)
{
	*pools = (struct pools){0};
	struct search search = {.sites = xcalloc(books->site_count, sizeof *search.sites)};
	if (find_sites(stacks, books, &search)) {
		live_table_walk(peek, header, books->site_count, see_block, &search);
		if (search.all_count)
			qsort(search.all, search.all_count, sizeof *search.all, by_address);
		for (size_t i = 0; i < search.pool_count; i++)
			read_pool(peek, &search, &search.pools[i], pools);
	}
	if (pools->count)
		qsort(pools->list, pools->count, sizeof *pools->list, by_size);
	free(search.pools);
	free(search.all);
	free(search.sites);
}

void pools_free(struct pools *pools)
{
	free(pools->list);
	*pools = (struct pools){0};
}
