/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_nature.c - reads owners off the memory itself.
 *
 * Every word that is read is another program's: it is taken for a header only when all its fields agree
 * with each other and with the mapping it lies in.
 */
#include "ledger_nature.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peek.h"

#define PAGE 4096u

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

void program_look(const struct smaps *smaps, const char *exe, struct program *program)
{
	*program = (struct program){.allocator = "allocator"};
	const char *name = base_name(exe);
	program->nginx = starts(name, "nginx") || starts(name, "openresty") || starts(name, "tengine") ||
			 starts(name, "angie") || starts(name, "freenginx");
	for (size_t i = 0; i < smaps->count; i++) {
		const char *file = base_name(smaps->vmas[i].name);
		if (smaps->vmas[i].name[0] != '/')
			continue;
		bool libc = !strcmp(program->allocator, "allocator");
		if (starts(file, "libjemalloc")) {
			program->allocator = "jemalloc";
			program->allocator_maps = true;
		} else if (starts(file, "libmimalloc")) {
			program->allocator = "mimalloc";
			program->allocator_maps = true;
		} else if (starts(file, "libtcmalloc")) {
			program->allocator = "tcmalloc";
		} else if (libc && (starts(file, "libc.so.6") || starts(file, "libc-2."))) {
			program->allocator = "glibc";
		} else if (libc && (starts(file, "ld-musl") || starts(file, "libc.musl"))) {
			program->allocator = "musl";
		}
		program->luajit |= starts(file, "libluajit");
		program->lua_http |= starts(file, "ngx_http_lua_module");
		program->lua_stream |= starts(file, "ngx_stream_lua_module");
	}
}

enum component program_luajit(const struct program *program)
{
	if (program->lua_http && !program->lua_stream)
		return C_LUAJIT_HTTP;
	return program->lua_stream && !program->lua_http ? C_LUAJIT_STREAM : C_LUAJIT_OTHER;
}

/* ---- images -------------------------------------------------------------------------------- */

static void claim_image(const struct vma *vma, const Elf64_Phdr *headers, size_t count, struct claims *claims)
{
	uint64_t bias = vma->start;
	for (size_t i = 0; i < count; i++) {
		if (headers[i].p_type != PT_LOAD || headers[i].p_offset)
			continue;
		bias = vma->start - (headers[i].p_vaddr & -(uint64_t)PAGE);
		break;
	}
	for (size_t i = 0; i < count; i++) {
		const Elf64_Phdr *h = &headers[i];
		if (h->p_type != PT_LOAD || h->p_memsz <= h->p_filesz || h->p_memsz > 1ull << 40 ||
			h->p_vaddr > 1ull << 47)
			continue;
		uint64_t from = bias + h->p_vaddr + h->p_filesz, to = bias + h->p_vaddr + h->p_memsz;
		claims_add(claims, (from + PAGE - 1) & -(uint64_t)PAGE, to, RANK_IMAGE, C_FILE, vma->name);
	}
}

struct image_start {
	Elf64_Ehdr elf;
	Elf64_Phdr headers[16];
};

/*
 * From the file, as the process sees it: the mapping of its first page need not be resident in a forked
 * process. A file that was removed or replaced since is read from the mapping, where that can be.
 */
static bool read_start(struct peek *peek, const struct vma *vma, struct image_start *start)
{
	char path[PATH_MAX];
	struct stat status;
	snprintf(path, sizeof path, "/proc/%d/root%s", peek->pid, vma->name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool read = fd >= 0 && !fstat(fd, &status) && status.st_ino == vma->inode &&
		    pread(fd, start, sizeof *start, 0) == (ssize_t)sizeof *start;
	if (fd >= 0)
		close(fd);
	return read || peek_at(peek, vma->start, start, sizeof *start);
}

void nature_claim_images(struct peek *peek, const struct smaps *smaps, struct claims *claims)
{
	for (size_t i = 0; i < smaps->count; i++) {
		const struct vma *vma = &smaps->vmas[i];
		struct image_start start;
		if (vma->offset || !vma->inode || !vma->readable || vma->shared || vma->name[0] != '/' ||
			!read_start(peek, vma, &start))
			continue;
		if (memcmp(start.elf.e_ident, ELFMAG, SELFMAG) || start.elf.e_ident[EI_CLASS] != ELFCLASS64 ||
			start.elf.e_phoff != sizeof start.elf ||
			start.elf.e_phentsize != sizeof *start.headers || start.elf.e_phnum > 16)
			continue;
		claim_image(vma, start.headers, start.elf.e_phnum, claims);
	}
}

/* ---- glibc --------------------------------------------------------------------------------- */

#define HEAP_SIZE (64ull << 20) /* malloc/arena.c: HEAP_MAX_SIZE; heaps lie at multiples of it */

/* The start of a heap of an arena other than the main one (glibc 2.35 added pagesize behind it). */
struct heap_info {
	uint64_t arena, previous, size, accessible;
};

static bool is_heap(const struct heap_info *heap)
{
	uint64_t arena_offset = heap->arena % HEAP_SIZE;
	return heap->arena && (arena_offset == 0x20 || arena_offset == 0x30) &&
	       heap->previous % HEAP_SIZE == 0 && heap->size >= PAGE && heap->size % PAGE == 0 &&
	       heap->accessible % PAGE == 0 && heap->accessible >= heap->size &&
	       heap->accessible <= HEAP_SIZE;
}

static void claim_heaps(struct peek *peek, const struct vma *vma, const char *label, struct claims *claims)
{
	struct heap_info heap;
	uint64_t at = (vma->start + HEAP_SIZE - 1) / HEAP_SIZE * HEAP_SIZE;
	for (; at < vma->end; at += HEAP_SIZE)
		if (peek_at(peek, at, &heap, sizeof heap) && is_heap(&heap))
			claims_add(claims, at, at + HEAP_SIZE, RANK_NATURE, C_ALLOCATOR, label);
}

/*
 * A block with a mapping of its own: {0, length | 2} and then the user's bytes. Neighbours merge, the
 * newest is the lowest.
 */
static void claim_mapped(struct peek *peek, const struct vma *vma, const char *label, struct claims *claims)
{
	uint64_t words[2];
	for (uint64_t at = vma->start; at < vma->end && peek_at(peek, at, words, sizeof words);) {
		uint64_t length = words[1] & ~7ull;
		if (words[0] || (words[1] & 7) != 2 || !length || length % PAGE || length > vma->end - at)
			break;
		claims_add(claims, at, at + length, RANK_NATURE, C_ALLOCATOR, label);
		at += length;
	}
}

static bool plain(const struct vma *vma)
{
	return vma_is_anonymous(vma) && !vma->name[0] && vma->readable && vma->writable &&
	       vma->figures.resident_bytes;
}

void nature_claim_glibc(
	struct peek *peek, const struct smaps *smaps, const char *label, struct claims *claims)
{
	for (size_t i = 0; i < smaps->count; i++) {
		if (!plain(&smaps->vmas[i]))
			continue;
		claim_heaps(peek, &smaps->vmas[i], label, claims);
		claim_mapped(peek, &smaps->vmas[i], label, claims);
	}
}

/* ---- LuaJIT -------------------------------------------------------------------------------- */

/* lj_alloc.c, 64 bit: the state lies 16 bytes into its first segment, the list of segments 840 into it. */
struct lua_segment {
	uint64_t base, size, next;
};
#define LUA_SEGMENTS_AT (16 + 840)
#define LUA_GRANULARITY (128u << 10)
#define LUA_TRIES 8192u

/* Follows the list of the state that may lie at `base`. True when a segment of it holds that state. */
static bool follow(struct peek *peek, const struct smaps *smaps, uint64_t base, enum component component,
	struct claims *claims)
{
	struct lua_segment segment = {.next = base + LUA_SEGMENTS_AT};
	bool own = false;
	for (int bound = 0;
		bound < 65536 && segment.next && peek_at(peek, segment.next, &segment, sizeof segment);
		bound++) {
		const struct vma *holder = smaps_find(smaps, segment.base);
		if (!holder || !plain(holder) || segment.base % PAGE || segment.size % PAGE ||
			!segment.size || segment.size > holder->end - segment.base)
			break;
		own |= segment.base <= base &&
		       base - segment.base < segment.size; /* neighbours were joined */
		if (claims)
			claims_add(claims, segment.base, segment.base + segment.size, RANK_NATURE, component,
				"arenas");
	}
	return own;
}

/* Segments are multiples of 128 KiB, and neighbours merge: the state is some segments from either end. */
static void try_from(struct peek *peek, const struct smaps *smaps, const struct vma *vma, uint64_t at,
	enum component component, struct claims *claims)
{
	for (unsigned tries = 0; at < vma->end && tries < LUA_TRIES; at += LUA_GRANULARITY, tries++)
		if (follow(peek, smaps, at, component, NULL))
			follow(peek, smaps, at, component, claims);
}

/* Where a claimed arena that holds the address ends; 0: none does. */
static uint64_t arena_end(const struct claims *claims, size_t first, uint64_t at)
{
	for (size_t i = first; i < claims->count; i++)
		if (claims->list[i].start <= at && at < claims->list[i].end)
			return claims->list[i].end;
	return 0;
}

/*
 * A large block has a mapping of its own: {1, (length - 32) | 2}, then the user's bytes. Neighbours merge,
 * with arenas too: from one to the next, and page by page where neither is, for a while.
 */
static void claim_direct(struct peek *peek, const struct vma *vma, enum component component, size_t first,
	struct claims *claims)
{
	uint64_t words[2];
	unsigned tries = 0;
	for (uint64_t at = vma->start; at < vma->end && tries < LUA_TRIES;) {
		uint64_t arena = arena_end(claims, first, at);
		if (arena) {
			at = arena;
			continue;
		}
		tries++;
		uint64_t length = peek_at(peek, at, words, sizeof words) ? (words[1] & ~7ull) + 32 : 0;
		if (!length || words[0] != 1 || (words[1] & 7) != 2 || length % PAGE ||
			length > vma->end - at) {
			at += PAGE;
			continue;
		}
		claims_add(claims, at, at + length, RANK_NATURE, component, "direct blocks");
		at += length;
	}
}

void nature_claim_luajit(
	struct peek *peek, const struct smaps *smaps, enum component component, struct claims *claims)
{
	size_t first = claims->count;
	for (size_t i = 0; i < smaps->count; i++) {
		const struct vma *vma = &smaps->vmas[i];
		uint64_t from_end = (vma->end - vma->start) % LUA_GRANULARITY;
		if (vma_is_anonymous(vma) && vma->executable && !vma->name[0])
			claims_add(claims, vma->start, vma->end, RANK_NATURE, component, "machine code");
		if (!plain(vma))
			continue;
		try_from(peek, smaps, vma, vma->start, component, claims);
		if (from_end)
			try_from(peek, smaps, vma, vma->start + from_end, component, claims);
	}
	for (size_t i = 0; i < smaps->count; i++)
		if (plain(&smaps->vmas[i]))
			claim_direct(peek, &smaps->vmas[i], component, first, claims);
}
