/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_cut.c - cuts mappings into pieces, each with one owner.
 *
 * A file's mapping, the kernel's and a zone are told by their nature and are one piece. Anonymous memory
 * is cut by the claims on it; what nobody claims is told by nature where it has one ([heap], [stack], no
 * access at all), and otherwise waits: a live block of the allocator in it makes it the allocator's, and
 * without one it stays unexplained.
 *
 * One sweep: mappings ascend, and so do the claims of each rank, so a cursor a rank never goes back.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "xalloc.h"

#define LOADER_MOST (64u << 10) /* bytes the loader maps in one piece: static TLS, its tables */

struct sweep {
	const struct claims *claims;
	size_t cursor[RANK_COUNT], end[RANK_COUNT]; /* of each rank's part of the list */
};

static void sweep_begin(struct sweep *sweep, const struct claims *claims)
{
	*sweep = (struct sweep){.claims = claims};
	for (size_t i = claims->count; i-- > 0;)
		sweep->cursor[claims->list[i].rank] = i;
	for (size_t i = 0; i < claims->count; i++)
		sweep->end[claims->list[i].rank] = i + 1;
}

/* The claim that wins at `at`, or NULL; *until is lowered to where that may change. */
static const struct claim *sweep_at(struct sweep *sweep, uint64_t at, uint64_t *until)
{
	const struct claim *list = sweep->claims->list;
	for (int rank = 0; rank < RANK_COUNT; rank++) {
		size_t *cursor = &sweep->cursor[rank];
		while (*cursor < sweep->end[rank] && list[*cursor].end <= at)
			(*cursor)++;
		if (*cursor == sweep->end[rank])
			continue;
		const struct claim *claim = &list[*cursor];
		uint64_t edge = claim->start > at ? claim->start : claim->end;
		if (edge < *until)
			*until = edge;
		if (claim->start <= at)
			return claim;
	}
	return NULL;
}

static void add(struct pieces *pieces, const struct piece *piece)
{
	struct piece *last = pieces->count ? &pieces->list[pieces->count - 1] : NULL;
	if (last && last->vma == piece->vma && last->component == piece->component &&
		last->claimable == piece->claimable && !strcmp(last->label, piece->label)) {
		last->end = piece->end;
		return;
	}
	if (pieces->count == pieces->room) {
		pieces->room = pieces->room ? pieces->room * 2 : 256;
		pieces->list = xreallocarray(pieces->list, pieces->room, sizeof *pieces->list);
	}
	pieces->list[pieces->count++] = *piece;
	pieces->claimable += piece->claimable;
}

/* DIR/<pid>.<realtime ns>.seg, mapped shared: what a shim publishes. */
static bool is_segment(const struct vma *vma)
{
	const char *base = strrchr(vma->name, '/');
	if (!vma->shared || !base)
		return false;
	size_t digits = strspn(base + 1, "0123456789.");
	const char *rest = base + 1 + digits; /* "seg", or "seg (deleted)" */
	return digits > 2 && !strncmp(rest, "seg", 3) && (!rest[3] || rest[3] == ' ');
}

static bool is_shared_anonymous(const struct vma *vma)
{
	return vma->shared &&
	       (!strcmp(vma->name, "/dev/zero (deleted)") || !strncmp(vma->name, "[anon_shmem:", 12));
}

/* The owner of a mapping that is no private anonymous memory. */
static struct piece by_nature(const struct vma *vma, bool zones)
{
	struct piece piece = {.start = vma->start, .end = vma->end, .vma = vma, .label = vma->name};
	if (is_shared_anonymous(vma)) {
		piece.component = zones ? C_NGINX_SHM : C_MMAP;
		piece.label = "shared anonymous";
	} else if (is_segment(vma)) {
		piece.component = C_HEAPRAY;
		piece.label = "segment";
	} else if (vma->name[0] == '[') {
		piece.component = C_KERNEL;
	} else if (vma->executable && !vma->writable) {
		piece.component = C_TEXT;
	} else {
		piece.component = C_FILE;
	}
	return piece;
}

/* The owner of anonymous memory that nobody claimed. */
static void unclaimed(struct piece *piece)
{
	const struct vma *vma = piece->vma;
	piece->component = C_UNEXPLAINED;
	piece->label = "anonymous";
	if (!strcmp(vma->name, "[heap]")) {
		piece->component = C_ALLOCATOR;
		piece->label = "[heap]";
	} else if (!strcmp(vma->name, "[stack]")) {
		piece->component = C_STACKS;
		piece->label = "main";
	} else if (!vma->readable && !vma->writable && !vma->executable) {
		piece->component = C_RESERVED;
		piece->label = "no access";
	} else {
		piece->claimable = true;
	}
}

static void cut_anonymous(struct sweep *sweep, const struct vma *vma, struct pieces *pieces)
{
	for (uint64_t at = vma->start; at < vma->end;) {
		uint64_t until = vma->end;
		const struct claim *claim = sweep_at(sweep, at, &until);
		struct piece piece = {.start = at, .end = until, .vma = vma};
		if (claim) {
			piece.component = claim->component;
			piece.label = claim->label;
		} else {
			unclaimed(&piece);
		}
		add(pieces, &piece);
		at = until;
	}
}

void ledger_cut(const struct smaps *smaps, const struct claims *claims, bool zones, struct pieces *pieces)
{
	struct sweep sweep;
	*pieces = (struct pieces){0};
	sweep_begin(&sweep, claims);
	for (size_t i = 0; i < smaps->count; i++) {
		const struct vma *vma = &smaps->vmas[i];
		if (vma_is_anonymous(vma)) {
			cut_anonymous(&sweep, vma, pieces);
		} else {
			struct piece piece = by_nature(vma, zones);
			add(pieces, &piece);
		}
	}
}

static void give(struct pieces *pieces, struct piece *piece, enum component component, const char *label)
{
	piece->claimable = false;
	piece->component = component;
	piece->label = label;
	pieces->claimable--;
}

size_t ledger_block(struct pieces *pieces, uint64_t address)
{
	size_t low = 0, high = pieces->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (pieces->list[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	struct piece *piece = &pieces->list[low];
	if (low < pieces->count && piece->start <= address && piece->claimable)
		give(pieces, piece, C_ALLOCATOR, "mapped for blocks");
	return pieces->claimable;
}

/* Lies against a mapped file, as what the dynamic loader maps between modules does. */
static bool beside_file(const struct pieces *pieces, size_t i)
{
	const struct piece *piece = &pieces->list[i], *before = i ? piece - 1 : NULL,
			   *after = i + 1 < pieces->count ? piece + 1 : NULL;
	return (before && before->end == piece->start &&
		       (before->component == C_FILE || before->component == C_TEXT)) ||
	       (after && after->start == piece->end &&
		       (after->component == C_FILE || after->component == C_TEXT));
}

void ledger_rest(struct pieces *pieces, const char *allocator_label)
{
	for (size_t i = 0; i < pieces->count; i++) {
		struct piece *piece = &pieces->list[i];
		if (piece->claimable && piece->end - piece->start <= LOADER_MOST && beside_file(pieces, i))
			give(pieces, piece, C_FILE, "dynamic loader");
		if (piece->claimable && allocator_label)
			give(pieces, piece, C_ALLOCATOR, allocator_label);
	}
}

bool ledger_measure(struct pieces *pieces, const struct pagemap *pagemap)
{
	bool told = true;
	struct part *parts = NULL;
	for (size_t first = 0, next; first < pieces->count; first = next) {
		const struct vma *vma = pieces->list[first].vma;
		for (next = first + 1; next < pieces->count && pieces->list[next].vma == vma;)
			next++;
		size_t count = next - first;
		parts = xreallocarray(parts, count, sizeof *parts);
		for (size_t i = 0; i < count; i++)
			parts[i] = (struct part){
				.start = pieces->list[first + i].start, .end = pieces->list[first + i].end};
		told &= pagemap_parts(pagemap, vma, parts, count);
		for (size_t i = 0; i < count; i++)
			pieces->list[first + i].figures = parts[i].figures;
	}
	free(parts);
	return told;
}

void pieces_free(struct pieces *pieces)
{
	free(pieces->list);
	*pieces = (struct pieces){0};
}
