/* SPDX-License-Identifier: BSD-2-Clause */
/* ledger_json.c - `breakdown --json`. */
#include "breakdown.h"
#include "ledger_books.h"
#include "process.h"

static void set_usage(struct json *object, const struct usage *figures)
{
	json_set_bytes(object, "virtual_bytes", figures->virtual_bytes);
	json_set_bytes(object, "resident_bytes", figures->resident_bytes);
	json_set_bytes(object, "swap_bytes", figures->swap_bytes);
}

static struct json *usage_json(const struct usage *figures)
{
	struct json *object = json_object();
	set_usage(object, figures);
	return object;
}

static struct json *component_json(
	enum component component, const char *allocator, const struct component_row *row)
{
	struct json *object = json_object();
	json_set_string(object, "id", component_id(component));
	json_set_string(object, "label", component == C_ALLOCATOR ? allocator : component_label(component));
	set_usage(object, &row->figures);
	json_set_bytes(object, "used_bytes", row->used_bytes);
	json_set_bytes(object, "used_count", row->used_count);
	if (component == C_NGINX_SHM)
		json_set_bytes(object, "loaded_bytes", row->loaded_bytes);
	return object;
}

/* The lines below a component. */
static struct json *details_json(const struct ledger *ledger, enum component component)
{
	struct json *array = json_array();
	for (size_t i = 0; i < ledger->detail_count; i++) {
		const struct detail *detail = &ledger->details[i];
		if (detail->component != component)
			continue;
		struct json *object = json_object();
		json_set_string(object, "label", detail->label);
		set_usage(object, &detail->figures);
		json_set_bytes(object, "pss_bytes", detail->figures.pss_bytes);
		json_set_bytes(object, "ranges", detail->ranges);
		json_append(array, object);
	}
	return array;
}

static struct json *components_json(
	const struct component_row *rows, const char *allocator, const struct ledger *ledger)
{
	struct json *array = json_array();
	for (int c = 0; c < C_UNEXPLAINED; c++) {
		if (!rows[c].present)
			continue;
		struct json *object = component_json(c, allocator, &rows[c]);
		if (ledger && c != C_STACKS) {
			json_set_bytes(object, "pss_bytes", rows[c].figures.pss_bytes);
			json_set(object, "parts", details_json(ledger, c));
		}
		json_append(array, object);
	}
	return array;
}

static struct json *waterfall_json(const struct ledger *ledger)
{
	struct waterfall w;
	if (!books_waterfall(ledger, &w))
		return json_null();
	struct json *object = json_object();
	json_set_string(object, "name", w.name);
	json_set_bytes(object, "requested_bytes", w.requested);
	json_set_bytes(object, "usable_bytes", w.usable);
	json_set_bool(object, "usable_estimated", w.usable_estimated);
	json_set_bytes(object, "in_use_bytes", w.in_use);
	json_set_bytes(object, "held_bytes", w.held);
	json_set_bytes(object, "free_held_bytes", w.free_held);
	json_set_bytes(object, "top_bytes", w.top);
	json_set_bytes(object, "mapped_bytes", w.mapped);
	json_set_bytes(object, "resident_bytes", w.resident);
	json_set_bytes(object, "age_ms", w.age_ns == JSON_UNKNOWN ? JSON_UNKNOWN : w.age_ns / 1000000);
	return object;
}

static const char *vm_subsystem(uint32_t subsystem)
{
	return subsystem == HR_SUBSYSTEM_HTTP     ? "http"
	       : subsystem == HR_SUBSYSTEM_STREAM ? "stream"
						  : "other";
}

static struct json *vms_json(const struct ledger *ledger)
{
	struct json *array = json_array();
	for (size_t i = 0; ledger->books && i < ledger->books->domain_count; i++) {
		const struct hr_domain *domain = &ledger->books->domains[i];
		if ((domain->kind != HR_DOMAIN_LUAJIT && domain->kind != HR_DOMAIN_LUA) ||
			domain->flags & HR_DOMAIN_CLOSED)
			continue;
		struct json *object = json_object();
		json_set_string(object, "domain", segment_domain_name(ledger->books, i));
		json_set_string(object, "subsystem", vm_subsystem(domain->subsystem));
		json_set_bytes(object, "used_bytes", domain->live_bytes);
		json_set_bytes(object, "used_count", domain->live_count);
		json_set_bytes(object, "held_bytes", domain->arena_bytes + domain->direct_bytes);
		json_set_bytes(object, "free_held_bytes", domain->free_held_bytes);
		json_set_bytes(object, "machine_code_bytes", domain->machine_code_bytes);
		json_set_bytes(object, "direct_bytes", domain->direct_bytes);
		json_set_bytes(object, "peak_bytes", domain->peak_bytes);
		json_append(array, object);
	}
	return array;
}

static struct json *threads_json(const struct threads *threads)
{
	struct json *array = json_array();
	for (size_t i = 0; i < threads->count; i++) {
		const struct thread *thread = &threads->list[i];
		struct json *object = json_object();
		json_set_integer(object, "tid", thread->tid);
		json_set_string(object, "name", thread->name);
		json_set_bool(object, "stack_found", thread->end != 0);
		set_usage(object, &thread->figures);
		json_append(array, object);
	}
	return array;
}

static struct json *process_json(const struct ledger *ledger, const struct breakdown_member *more)
{
	const struct process *process = ledger->process;
	struct json *object = json_object();
	json_set_integer(object, "pid", process->pid);
	json_set_integer(object, "parent_pid", process->parent_pid);
	json_set_string(object, "role", role_name(process->role));
	json_set_string(object, "exe", process->exe);
	json_set_bool(object, "preloaded", process->segment != NULL);
	json_set_string(object, "state", process->alive ? "live" : "ended");
	json_set_integer(object, "generation", process->generation);
	json_set_bool(object, "draining", process->draining);
	json_set(object, "system", usage_json(&ledger->system));
	json_set(object, "components", components_json(ledger->rows, ledger->allocator, ledger));
	json_set(object, "unexplained", usage_json(&ledger->rows[C_UNEXPLAINED].figures));
	json_set(object, "unexplained_parts", details_json(ledger, C_UNEXPLAINED));
	json_set(object, "allocator", waterfall_json(ledger));
	json_set(object, "vms", vms_json(ledger));
	json_set(object, "threads", threads_json(&ledger->threads));
	json_set(object, "pools", pools_json(&more->pools));
	json_set_bytes(object, "torn_pools", more->pools.torn);
	json_set(object, "modules", subsystems_json(&more->subsystems));
	return object;
}

struct json *breakdown_json(const struct breakdown *breakdown)
{
	const struct ledger_family *ledgers = &breakdown->ledgers;
	struct json *object = json_object(), *processes = json_array(), *total = json_object();
	json_set_integer(object, "schema", 1);
	for (size_t i = 0; i < ledgers->count; i++)
		json_append(processes, process_json(&ledgers->members[i], &breakdown->members[i]));
	json_set(object, "processes", processes);
	json_set(total, "system", usage_json(&ledgers->system));
	json_set(total, "components", components_json(ledgers->total, ledgers->members[0].allocator, NULL));
	json_set(total, "unexplained", usage_json(&ledgers->total[C_UNEXPLAINED].figures));
	json_set(total, "modules", subsystems_json(&breakdown->subsystems));
	json_set_string(total, "rule", LEDGER_FAMILY_RULE);
	json_set(object, "total", total);
	json_set(object, "quality", quality_json(&breakdown->quality));
	return object;
}
