/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * export_prometheus.c - the ledger, the allocator, the VMs, the largest owners, the zones and what was lost, as text
 * for Prometheus. Pids are no labels: with each restart they would be new series. A process is worker-0, worker-1, ...
 */
#include "export.h"

#include "xalloc.h"

#include <inttypes.h>

#define MOST_OWNERS 20

/* A value in quotes: as it is, but for the three characters the format has of its own. */
static void put_label(const char *name, const char *value, bool first, FILE *out)
{
	fprintf(out, "%s%s=\"", first ? "{" : ",", name);
	for (const char *p = value; *p; p++) {
		if (*p == '\\' || *p == '"')
			putc('\\', out);
		if (*p == '\n')
			fputs("\\n", out);
		else
			putc(*p, out);
	}
	putc('"', out);
}

static void family(const char *name, const char *type, const char *help, FILE *out)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* One sample; labels are pairs of name and value, ending with NULL. What is unknown has none. */
static void sample(const char *name, const struct json *value, const char *const *labels, FILE *out)
{
	if (json_is_unknown(value))
		return;
	fputs(name, out);
	for (size_t i = 0; labels[i]; i += 2)
		put_label(labels[i], labels[i + 1], i == 0, out);
	fprintf(out, "%s %" PRId64 "\n", labels[0] ? "}" : "", json_to_integer(value));
}

/* ---- processes ----------------------------------------------------------------------------- */

/* "worker-1": its role, and its place among those of its role. */
static char *name_of(const struct json *processes, size_t index)
{
	const char *role = json_to_string(json_get(json_at(processes, index), "role"));
	size_t before = 0;

	for (size_t i = 0; i < index; i++)
		before += strcmp(json_to_string(json_get(json_at(processes, i), "role")), role) == 0;
	return xasprintf("%s-%zu", role, before);
}

static void of_processes(const struct json *processes, const char *metric, const char *help, const char *part, const char *key, FILE *out)
{
	family(metric, "gauge", help, out);
	for (size_t i = 0; i < json_length(processes); i++) {
		char *name = name_of(processes, i);
		const char *const labels[] = {"process", name, NULL};
		sample(metric, json_get(json_get(json_at(processes, i), part), key), labels, out);
		free(name);
	}
}

static void of_components(const struct json *processes, const char *metric, const char *help, const char *key, FILE *out)
{
	family(metric, "gauge", help, out);
	for (size_t i = 0; i < json_length(processes); i++) {
		const struct json *components = json_get(json_at(processes, i), "components");
		char *name = name_of(processes, i);
		for (size_t k = 0; k < json_length(components); k++) {
			const char *const labels[] = {"process", name, "component", json_to_string(json_get(json_at(components, k), "id")), NULL};
			sample(metric, json_get(json_at(components, k), key), labels, out);
		}
		const char *const labels[] = {"process", name, "component", "unexplained", NULL};
		sample(metric, json_get(json_get(json_at(processes, i), "unexplained"), key), labels, out);
		free(name);
	}
}

static void of_vms(const struct json *processes, const char *metric, const char *help, const char *key, FILE *out)
{
	family(metric, "gauge", help, out);
	for (size_t i = 0; i < json_length(processes); i++) {
		const struct json *vms = json_get(json_at(processes, i), "vms");
		char *name = name_of(processes, i);
		for (size_t k = 0; k < json_length(vms); k++) {
			const char *const labels[] = {"process", name, "domain", json_to_string(json_get(json_at(vms, k), "domain")), NULL};
			sample(metric, json_get(json_at(vms, k), key), labels, out);
		}
		free(name);
	}
}

static void put_processes(const struct json *processes, FILE *out)
{
	of_processes(processes, "heapray_resident_bytes", "Resident memory of a process.", "system", "resident_bytes", out);
	of_processes(processes, "heapray_virtual_bytes", "Address space of a process.", "system", "virtual_bytes", out);
	of_processes(processes, "heapray_swap_bytes", "Swapped memory of a process.", "system", "swap_bytes", out);
	of_components(processes, "heapray_component_resident_bytes", "Resident memory by what it is; sums to heapray_resident_bytes.", "resident_bytes", out);
	of_components(processes, "heapray_component_virtual_bytes", "Address space by what it is; sums to heapray_virtual_bytes.", "virtual_bytes", out);
	of_components(processes, "heapray_component_used_bytes", "Of a component, what the program uses.", "used_bytes", out);
	of_processes(processes, "heapray_allocator_requested_bytes", "Live bytes the program asked the allocator for.", "allocator", "requested_bytes", out);
	of_processes(processes, "heapray_allocator_in_use_bytes", "In use as the allocator counts.", "allocator", "in_use_bytes", out);
	of_processes(processes, "heapray_allocator_held_bytes", "What the allocator has from the kernel.", "allocator", "held_bytes", out);
	of_processes(processes, "heapray_allocator_free_held_bytes", "Free but held by the allocator.", "allocator", "free_held_bytes", out);
	of_vms(processes, "heapray_vm_used_bytes", "Live bytes of a Lua VM.", "used_bytes", out);
	of_vms(processes, "heapray_vm_held_bytes", "What a Lua VM has from the kernel.", "held_bytes", out);
}

/* ---- owners ---------------------------------------------------------------------------------- */

static void put_owners(const struct json *modules, FILE *out)
{
	int64_t others = 0;

	if (json_length(modules) == 0)
		return;
	family("heapray_owner_live_bytes", "gauge", "Live bytes of the allocator by whose they are, in all processes; the largest, and all others.", out);
	for (size_t i = 0; i < json_length(modules); i++) {
		const char *const labels[] = {"owner", json_to_string(json_get(json_at(modules, i), "name")), NULL};
		if (i < MOST_OWNERS)
			sample("heapray_owner_live_bytes", json_get(json_at(modules, i), "live_bytes"), labels, out);
		else
			others += json_to_integer(json_get(json_at(modules, i), "live_bytes"));
	}
	if (others)
		fprintf(out, "heapray_owner_live_bytes{owner=\"all others\"} %" PRId64 "\n", others);
}

/* ---- zones ----------------------------------------------------------------------------------- */

static const struct {
	const char *metric, *type, *help, *part, *key;
} of_zones[] = {
	{"heapray_zone_size_bytes", "gauge", "Size of a shared-memory zone.", NULL, "size_bytes"},
	{"heapray_zone_resident_bytes", "gauge", "Resident memory of a zone, whoever touched it.", NULL, "resident_bytes"},
	{"heapray_zone_pages", "gauge", "Slab pages of a zone.", NULL, "pages_total"},
	{"heapray_zone_pages_free", "gauge", "Free slab pages of a zone.", NULL, "pages_free"},
	{"heapray_zone_largest_free_run_pages", "gauge", "Free pages in a row, the most.", NULL, "largest_free_run_pages"},
	{"heapray_zone_used_bytes", "gauge", "Used slabs of a zone.", "used", "bytes"},
	{"heapray_zone_free_bytes", "gauge", "Free slabs of a zone.", "free", "bytes"},
	{"heapray_zone_failures_total", "counter", "Allocations the zone refused.", NULL, "failures"},
};

/* Before a reload's old workers end there are two of a name: the generation tells them apart. */
static void zone_labels(const struct json *zone, const char **labels, char *generation, size_t size)
{
	snprintf(generation, size, "%" PRId64, json_to_integer(json_get(zone, "generation")));
	labels[0] = "zone";
	labels[1] = json_to_string(json_get(zone, "name"));
	labels[2] = "kind";
	labels[3] = json_to_string(json_get(zone, "kind"));
	labels[4] = "generation";
	labels[5] = generation;
	labels[6] = NULL;
}

static bool seen_before(const struct json *zones, size_t index)
{
	const char *a[7], *b[7];
	char one[24], other[24];

	zone_labels(json_at(zones, index), a, one, sizeof(one));
	for (size_t i = 0; i < index; i++) {
		zone_labels(json_at(zones, i), b, other, sizeof(other));
		if (strcmp(a[1], b[1]) == 0 && strcmp(a[3], b[3]) == 0 && strcmp(one, other) == 0)
			return true; /* zones without a name: the largest stands for them */
	}
	return false;
}

static void put_zones(const struct json *zones, FILE *out)
{
	const char *labels[7];
	char generation[24];

	for (size_t k = 0; k < sizeof(of_zones) / sizeof(of_zones[0]) && json_length(zones); k++) {
		family(of_zones[k].metric, of_zones[k].type, of_zones[k].help, out);
		for (size_t i = 0; i < json_length(zones); i++) {
			const struct json *zone = json_at(zones, i), *from = of_zones[k].part ? json_get(zone, of_zones[k].part) : zone;
			if (seen_before(zones, i))
				continue;
			zone_labels(zone, labels, generation, sizeof(generation));
			sample(of_zones[k].metric, json_get(from, of_zones[k].key), labels, out);
		}
	}
	if (json_length(zones))
		family("heapray_zone_fragmented", "gauge", "1: no page of the zone is free, and yet a quarter of it is.", out);
	for (size_t i = 0; i < json_length(zones); i++) {
		const char *state = json_to_string(json_get(json_at(zones, i), "state"));
		if (!*state || seen_before(zones, i))
			continue;
		struct json *value = json_integer(strcmp(state, "fragmented") == 0);
		zone_labels(json_at(zones, i), labels, generation, sizeof(generation));
		sample("heapray_zone_fragmented", value, labels, out);
		json_free(value);
	}
}

/* ---- what to know of it ------------------------------------------------------------------------ */

static void put_quality(const struct json *quality, FILE *out)
{
	const struct json *lost = json_get(quality, "lost"), *value;
	const char *const none[] = {NULL};
	const char *reason;

	family("heapray_lost_total", "counter", "What could not be recorded, by reason.", out);
	for (size_t i = 0; (reason = json_member(lost, i, &value)); i++) {
		const char *const labels[] = {"reason", reason, NULL};
		sample("heapray_lost_total", value, labels, out);
	}
	family("heapray_unknown_frees_total", "counter", "Blocks freed that were not known.", out);
	sample("heapray_unknown_frees_total", json_get(quality, "unknown_frees"), none, out);
	family("heapray_own_bytes", "gauge", "Memory of heapray itself in all processes.", out);
	sample("heapray_own_bytes", json_get(quality, "own_bytes"), none, out);
}

void export_prometheus(const struct json *breakdown, const struct json *zones, double seconds, FILE *out)
{
	const struct json *processes = json_get(breakdown, "processes"), *total = json_get(breakdown, "total");
	const char *const none[] = {NULL};

	family("heapray_up", "gauge", "1: the processes could be read.", out);
	fprintf(out, "heapray_up %d\n", breakdown != NULL);
	family("heapray_build_info", "gauge", "The version of heapray.", out);
	fprintf(out, "heapray_build_info{version=\"%s\"} 1\n", HEAPRAY_VERSION);
	family("heapray_scrape_seconds", "gauge", "Time it took to read all this.", out);
	fprintf(out, "heapray_scrape_seconds %.6f\n", seconds);
	if (!breakdown)
		return;
	family("heapray_processes", "gauge", "Processes of the family.", out);
	fprintf(out, "heapray_processes %zu\n", json_length(processes));
	family("heapray_family_resident_bytes", "gauge", "Resident memory of the family, what is shared once.", out);
	sample("heapray_family_resident_bytes", json_get(json_get(total, "system"), "resident_bytes"), none, out);
	put_processes(processes, out);
	put_owners(json_get(total, "modules"), out);
	put_zones(json_get(zones, "zones"), out);
	put_quality(json_get(breakdown, "quality"), out);
}
