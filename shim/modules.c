/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modules.c - loaded objects: which one an address belongs to, and their rows in the segment.
 *
 * _dl_find_object answers without a lock in a few ns (glibc 2.35). A row is made when the first frame
 * of an object is interned; it keeps path, build-id and addresses, since the file may be unloaded or
 * replaced later. After a dlclose, rows of objects that are gone are not matched again: another object
 * at the same address gets a row of its own.
 */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>

#include "shim.h"

#define MODULES_MAX 4096u

struct module {
	uintptr_t start, end;
	const void *link_map;
	bool gone, vanishes;
	enum module_class class;
	struct hr_module row; /* our copy of what is published */
};

static struct module *modules; /* [0] is "no module" */
static _Atomic uint32_t modules_used;
static lock_word lock;
static uint64_t generation;
static const void *own_map;

bool hr_object_at(uintptr_t address, struct object *object)
{
	struct dl_find_object found;
	if (_dl_find_object((void *)address, &found) != 0)
		return false;
	object->start = (uintptr_t)found.dlfo_map_start;
	object->end = (uintptr_t)found.dlfo_map_end;
	object->eh_frame_hdr = found.dlfo_eh_frame;
	object->link_map = found.dlfo_link_map;
	return true;
}

static bool path_has(const char *path, const char *part)
{
	return strstr(path, part) != NULL;
}

static void read_build_id(const struct object *object, uintptr_t bias, struct hr_module *row)
{
	const ElfW(Ehdr) *ehdr = (const void *)object->start;
	if (memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0 || ehdr->e_phentsize != sizeof(ElfW(Phdr)))
		return;
	const ElfW(Phdr) *phdr = (const void *)(object->start + ehdr->e_phoff);
	if ((uintptr_t)(phdr + ehdr->e_phnum) > object->start + SYS_PAGE)
		return;
	for (int i = 0; i < ehdr->e_phnum; i++) {
		if (phdr[i].p_type != PT_NOTE)
			continue;
		uintptr_t at = bias + phdr[i].p_vaddr, end = at + phdr[i].p_memsz;
		if (at < object->start || end > object->end)
			continue;
		while (at + sizeof(ElfW(Nhdr)) <= end) {
			const ElfW(Nhdr) *note = (const void *)at;
			uintptr_t name = at + sizeof *note, data = name + ((note->n_namesz + 3u) & ~3u);
			if (data + note->n_descsz > end)
				break;
			if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp((void *)name, "GNU", 4) == 0) {
				row->build_id_length = note->n_descsz < sizeof row->build_id ? note->n_descsz : sizeof row->build_id;
				memcpy(row->build_id, (void *)data, row->build_id_length);
				return;
			}
			at = data + ((note->n_descsz + 3u) & ~3u);
		}
	}
}

static enum module_class class_of(const struct link_map *map)
{
	if (map == own_map)
		return MODULE_HEAPRAY;
	if (path_has(map->l_name, "libluajit"))
		return MODULE_LUAJIT;
	if (path_has(map->l_name, "/ld-linux") || path_has(map->l_name, "/ld-musl"))
		return MODULE_LOADER;
	if (path_has(map->l_name, "libunwind") && !path_has(map->l_name, "libunwind.so"))
		return MODULE_HEAPRAY;
	if (map == hr_allocator_map)
		return MODULE_ALLOCATOR;
	return MODULE_PROGRAM;
}

static void publish(uint32_t index)
{
	struct hr_module *rows = hr_segment_section(HR_MODULES);
	if (hr_segment_reach(HR_MODULES, index))
		rows[index] = modules[index].row;
}

static uint32_t find(const struct object *object)
{
	/* acquire: pairs with the release in add; the rows below are filled */
	uint32_t used = atomic_load_explicit(&modules_used, memory_order_acquire);
	for (uint32_t i = 1; i < used; i++)
		if (modules[i].start == object->start && modules[i].link_map == object->link_map && !modules[i].gone)
			return i;
	return 0;
}

static uint32_t add(struct thread *t, const struct object *object)
{
	const struct link_map *map = object->link_map;
	const char *path = map->l_name[0] ? map->l_name : hr_config.exe;
	struct hr_str name = hr_segment_string(t, path, strlen(path));
	hr_lock(t, &lock);
	uint32_t index = find(object);
	uint32_t used = atomic_load(&modules_used);
	if (index == 0 && used < MODULES_MAX) {
		struct module *m = &modules[used];
		m->start = object->start;
		m->end = object->end;
		m->link_map = map;
		m->vanishes = path_has(path, "/gconv/") || path_has(path, "libnss_");
		m->class = class_of(map);
		m->row.path = name;
		m->row.bias = map->l_addr;
		m->row.start = object->start;
		m->row.end = object->end;
		m->row.generation = generation;
		read_build_id(object, map->l_addr, &m->row);
		publish(used);
		atomic_store_explicit(&modules_used, used + 1, memory_order_release);
		hr_segment_used(HR_MODULES, used + 1);
		index = used;
	}
	hr_unlock(t, &lock);
	if (index == 0)
		hr_lost(HR_LOST_MODULES_FULL);
	return index;
}

uint32_t hr_module_of(struct thread *t, const struct object *object)
{
	uint32_t index = find(object);
	return index ? index : add(t, object);
}

enum module_class hr_module_class(uintptr_t address)
{
	struct object object;
	return hr_object_at(address, &object) ? class_of(object.link_map) : MODULE_PROGRAM;
}

enum module_class hr_module_row_class(uint32_t module)
{
	return modules[module].class;
}

bool hr_module_vanishes(uint32_t module)
{
	return modules[module].vanishes;
}

void hr_modules_closed(void)
{
	uint32_t used = atomic_load(&modules_used);
	generation++;
	hr_header->module_generation = generation;
	for (uint32_t i = 1; i < used; i++) {
		struct object now;
		if (!hr_object_at(modules[i].start, &now) || now.link_map != modules[i].link_map)
			modules[i].gone = true;
	}
}

void hr_modules_start(void)
{
	modules = hr_memory_reserve(MODULES_MAX * sizeof *modules);
	struct object own;
	if (hr_object_at((uintptr_t)hr_modules_start, &own))
		own_map = own.link_map;
	atomic_store(&modules_used, 1);
	if (modules)
		publish(0);
	hr_segment_used(HR_MODULES, 1);
	hr_memory_touched(4 * SYS_PAGE);
}

void hr_modules_republish(void)
{
	atomic_store(&lock, 0);
	uint32_t used = atomic_load(&modules_used);
	for (uint32_t i = 0; i < used; i++)
		publish(i);
	hr_segment_used(HR_MODULES, used);
	hr_header->module_generation = generation;
}
