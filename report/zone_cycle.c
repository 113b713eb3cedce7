/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zone_cycle.c - a zone's name from nginx's own list of zones, when its pool does not keep one.
 *
 * nginx exports `ngx_cycle`. Where in that struct the list of zones is moved between versions, so it
 * is looked for: a ngx_list_t whose first elements hold the address of the zone asked about. The
 * length of an element is in the list. A module's `tag` is the address of its exported descriptor,
 * which names the kind.
 *
 *   ngx_list_t:     last, {elts, nelts, next}, size, nalloc, pool
 *   ngx_shm_zone_t: data 0, addr 8, size 16, name {len 24, data 32}, log 40, exists 48, init 56, tag 64
 *
 * Both the executable's file and the process's memory are hostile; every count is bounded.
 */
#include "zone_name.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define CYCLE_BYTES 0x400
#define ELEMENT_BYTES 72
#define MOST_ZONES 4096

struct list {
	uint64_t last, elts, nelts, next, size, nalloc, pool;
};

static bool read_memory(pid_t pid, uint64_t address, void *to, size_t length)
{
	const struct iovec local = {.iov_base = to, .iov_len = length};
	const struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = length};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)length;
}

/* ---- symbols of an ELF file ---------------------------------------------------------------- */

#define MOST_TABLE (64u << 20) /* bytes of one table */

/* Copies, not a mapping: who owns the file may cut it short meanwhile. */
struct elf {
	Elf64_Ehdr header;
	Elf64_Sym *symbols;
	size_t count;
	char *strings;
	size_t strings_length;
	uint64_t first_address; /* link-time address of file offset 0 */
};

static void elf_close(struct elf *elf)
{
	free(elf->symbols);
	free(elf->strings);
}

/* [offset, offset + length) of the file with a NUL behind it, or NULL. */
static void *read_table(int fd, uint64_t offset, uint64_t length)
{
	char *table = length <= MOST_TABLE && offset <= INT64_MAX ? calloc(1, length + 1) : NULL;

	if (table && pread(fd, table, length, offset) == (ssize_t)length)
		return table;
	free(table);
	return NULL;
}

static void find_first_address(struct elf *elf, int fd)
{
	const unsigned count = elf->header.e_phnum;
	Elf64_Phdr *p = read_table(fd, elf->header.e_phoff, (uint64_t)count * sizeof(*p));

	for (unsigned i = 0; p && i < count; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_offset == 0)
			elf->first_address = p[i].p_vaddr;
	free(p);
}

static void read_symbols(struct elf *elf, int fd)
{
	const unsigned count = elf->header.e_shnum;
	Elf64_Shdr *s = read_table(fd, elf->header.e_shoff, (uint64_t)count * sizeof(*s));

	for (unsigned i = 0; s && i < count; i++) {
		if (s[i].sh_type != SHT_DYNSYM || s[i].sh_link >= count)
			continue;
		const Elf64_Shdr *strings = &s[s[i].sh_link];
		elf->symbols = read_table(fd, s[i].sh_offset, s[i].sh_size);
		elf->count = s[i].sh_size / sizeof(Elf64_Sym);
		elf->strings = read_table(fd, strings->sh_offset, strings->sh_size);
		elf->strings_length = strings->sh_size;
		break;
	}
	free(s);
}

static bool elf_open(struct elf *elf, const char *path)
{
	struct stat st;
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	memset(elf, 0, sizeof(*elf));
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		pread(fd, &elf->header, sizeof(elf->header), 0) == sizeof(elf->header) &&
		memcmp(elf->header.e_ident, ELFMAG, SELFMAG) == 0 &&
		elf->header.e_ident[EI_CLASS] == ELFCLASS64) {
		find_first_address(elf, fd);
		read_symbols(elf, fd);
	}
	close(fd);
	if (elf->symbols && elf->strings)
		return true;
	elf_close(elf);
	return false;
}

static const char *symbol_name(const struct elf *elf, size_t i)
{
	return elf->symbols[i].st_name < elf->strings_length ? elf->strings + elf->symbols[i].st_name : "";
}

/* The link-time address of a symbol, 0 when there is none. */
static uint64_t symbol_value(const struct elf *elf, const char *name)
{
	for (size_t i = 0; i < elf->count; i++)
		if (elf->symbols[i].st_shndx != SHN_UNDEF && strcmp(symbol_name(elf, i), name) == 0)
			return elf->symbols[i].st_value;
	return 0;
}

bool zone_process_is_nginx(pid_t pid)
{
	char path[64];
	struct elf exe;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (!elf_open(&exe, path))
		return false;
	const bool is = symbol_value(&exe, "ngx_cycle") != 0;
	elf_close(&exe);
	return is;
}

/* ---- the process --------------------------------------------------------------------------- */

/* The object that has `address` mapped: its path and where its file offset 0 is. */
static bool find_object(pid_t pid, uint64_t address, char *path, size_t path_size, uint64_t *base)
{
	char maps[64], line[4352], name[4096], current[4096] = "";
	unsigned long start, end, offset, first = 0;
	bool found = false;

	snprintf(maps, sizeof(maps), "/proc/%d/maps", (int)pid);
	FILE *f = fopen(maps, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %4095[^\n]", &start, &end, &offset, name) != 4 ||
			name[0] != '/')
			continue;
		if (offset == 0) {
			first = start;
			snprintf(current, sizeof(current), "%s", name);
		}
		found = address >= start && address < end && strcmp(name, current) == 0;
	}
	fclose(f);
	*base = first;
	snprintf(path, path_size, "/proc/%d/root%s", (int)pid, current);
	return found;
}

/* Names the module that `tag` is the descriptor of. */
static void set_kind(pid_t pid, uint64_t tag, struct zone_name *name)
{
	char path[4200];
	uint64_t base;
	struct elf elf;

	snprintf(name->kind, sizeof(name->kind), "other");
	if (!find_object(pid, tag, path, sizeof(path), &base) || !elf_open(&elf, path))
		return;
	for (size_t i = 0; i < elf.count; i++) {
		if (elf.symbols[i].st_shndx == SHN_UNDEF ||
			elf.symbols[i].st_value != tag - base + elf.first_address)
			continue;
		snprintf(name->kind, sizeof(name->kind), "%s", symbol_name(&elf, i));
		break;
	}
	elf_close(&elf);
}

static bool search_list(pid_t pid, struct list *list, uint64_t start, uint64_t size, struct zone_name *name)
{
	uint64_t zone[ELEMENT_BYTES / 8];

	for (unsigned n = 0; n < MOST_ZONES; n++) {
		for (uint64_t i = 0; i < list->nelts && n < MOST_ZONES; i++, n++) {
			if (!read_memory(pid, list->elts + i * list->size, zone, sizeof(zone)))
				return false;
			if (zone[1] != start || zone[2] > size || size - zone[2] >= 65536)
				continue;
			const uint64_t length = zone[3] < ZONE_NAME ? zone[3] : ZONE_NAME - 1;
			memset(name, 0, sizeof(*name));
			if (!read_memory(pid, zone[4], name->name, length))
				return false;
			set_kind(pid, zone[8], name);
			return true;
		}
		if (!list->next || !read_memory(pid, list->next, &list->elts, 3 * 8) ||
			list->nelts > list->nalloc)
			return false;
	}
	return false;
}

/* The list of zones is the one that has the zone in it. */
static bool search_cycle(pid_t pid, uint64_t cycle, uint64_t start, uint64_t size, struct zone_name *name)
{
	uint8_t bytes[CYCLE_BYTES];
	struct list list;

	if (!read_memory(pid, cycle, bytes, sizeof(bytes)))
		return false;
	for (size_t at = 0; at + sizeof(list) <= sizeof(bytes); at += 8) {
		memcpy(&list, bytes + at, sizeof(list));
		if (list.size < ELEMENT_BYTES || list.size > 160 || list.size % 8 || list.nelts == 0 ||
			list.nelts > list.nalloc || list.nalloc > MOST_ZONES || list.elts == 0)
			continue;
		if (search_list(pid, &list, start, size, name))
			return true;
	}
	return false;
}

static uint64_t load_bias(pid_t pid, const struct elf *exe)
{
	char path[64];
	Elf64_auxv_t auxv[64];

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t length = fd < 0 ? -1 : read(fd, auxv, sizeof(auxv));
	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < length / (ssize_t)sizeof(auxv[0]); i++)
		if (auxv[i].a_type == AT_PHDR)
			return auxv[i].a_un.a_val - exe->header.e_phoff - exe->first_address;
	return 0;
}

bool zone_name_from_cycle(pid_t pid, uint64_t start, uint64_t end, struct zone_name *name)
{
	char path[64];
	struct elf exe;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (!elf_open(&exe, path))
		return false;
	const uint64_t bias = load_bias(pid, &exe);
	const uint64_t cycle_at = symbol_value(&exe, "ngx_cycle"),
		       counter_at = symbol_value(&exe, "ngx_connection_counter");
	elf_close(&exe);

	uint64_t address;
	if (counter_at && read_memory(pid, bias + counter_at, &address, 8) && address >= start &&
		address < end) {
		*name = (struct zone_name){.name = "nginx_shared_zone", .kind = "other"};
		return true;
	}
	return cycle_at && read_memory(pid, bias + cycle_at, &address, 8) &&
	       search_cycle(pid, address, start, end - start, name);
}
