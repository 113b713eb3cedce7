/* SPDX-License-Identifier: BSD-2-Clause */
/* callers.c - opens the symbols of a file when one of its nodes is first asked for, and keeps what was found.
 */
#include "callers.h"

#include "owners.h"
#include "symbols.h"
#include "xalloc.h"

struct file {
	const char *path; /* of the first segment that named it */
	const char *base;
	const uint8_t *build_id;
	size_t id_length;
	int pid;                 /* where the file can be seen from; 0: nowhere but here */
	struct symbols *symbols; /* NULL: no name was asked for yet */
	char **passing;          /* unnamed functions that wrappers call */
	size_t passing_count, passing_room;
	bool passing_known;
};

struct callers {
	struct file **files;
	size_t count, room;
};

struct stacks_of {
	struct callers *callers;
	const struct segment *segment;
	int pid;
	struct file **modules;  /* as segment->modules; NULL: not asked for yet */
	const char **functions; /* as segment->nodes; NULL: not asked for yet */
	uint32_t *owners;       /* as segment->nodes; 0 = not asked for yet, else owner + 1 */
};

struct callers *callers_open(void)
{
	return xcalloc(1, sizeof(struct callers));
}

void callers_close(struct callers *callers)
{
	for (size_t i = 0; i < callers->count; i++) {
		struct file *file = callers->files[i];
		for (size_t k = 0; k < file->passing_count; k++)
			free(file->passing[k]);
		free(file->passing);
		if (file->symbols)
			symbols_close(file->symbols);
		free(file);
	}
	free(callers->files);
	free(callers);
}

struct stacks_of *callers_stacks(struct callers *callers, const struct segment *segment, int pid)
{
	struct stacks_of *stacks = xcalloc(1, sizeof *stacks);
	*stacks = (struct stacks_of){
		.callers = callers,
		.segment = segment,
		.pid = pid,
		.modules = xcalloc(segment->module_count, sizeof *stacks->modules),
		.functions = xcalloc(segment->node_count, sizeof *stacks->functions),
		.owners = xcalloc(segment->node_count, sizeof *stacks->owners),
	};
	return stacks;
}

void callers_stacks_free(struct stacks_of *stacks)
{
	free(stacks->modules);
	free(stacks->functions);
	free(stacks->owners);
	free(stacks);
}

/* ---- files --------------------------------------------------------------------------------------- */

static struct symbols *symbols_of(struct file *file)
{
	if (file->symbols)
		return file->symbols;
	char *inside = file->pid ? xasprintf("/proc/%d/root%s", file->pid, file->path) : NULL;
	const char *ways[] = {inside ? inside : file->path, file->path, NULL};
	file->symbols = symbols_open(ways, file->build_id, file->id_length);
	free(inside);
	return file->symbols;
}

static struct file *file_of(struct stacks_of *stacks, uint32_t module)
{
	if (stacks->modules[module])
		return stacks->modules[module];
	struct callers *callers = stacks->callers;
	const struct hr_module *row = &stacks->segment->modules[module];
	const char *path = segment_string(stacks->segment, row->path);
	size_t id_length = row->build_id_length <= sizeof row->build_id ? row->build_id_length : 0;
	if (!path)
		path = "";
	for (size_t i = 0; i < callers->count; i++) {
		struct file *file = callers->files[i];
		if (!strcmp(file->path, path) && file->id_length == id_length &&
			!memcmp(file->build_id, row->build_id, id_length))
			return stacks->modules[module] = file;
	}
	struct file *file = xcalloc(1, sizeof *file);
	const char *slash = strrchr(path, '/');
	*file = (struct file){.path = path,
		.base = slash ? slash + 1 : path,
		.build_id = row->build_id,
		.id_length = id_length,
		.pid = stacks->pid};
	xgrow(callers->files, callers->count, callers->room);
	callers->files[callers->count++] = file;
	return stacks->modules[module] = file;
}

static struct file *file_of_node(struct stacks_of *stacks, uint32_t node)
{
	const struct segment *segment = stacks->segment;
	const struct hr_node *row = node < segment->node_count ? &segment->nodes[node] : NULL;
	if (!row || row->kind != HR_NODE_NATIVE || !row->module || row->module >= segment->module_count)
		return NULL;
	return file_of(stacks, row->module);
}

/* ---- names --------------------------------------------------------------------------------------- */

const char *callers_function(struct stacks_of *stacks, uint32_t node)
{
	struct file *file = file_of_node(stacks, node);
	if (!file)
		return NULL;
	if (!stacks->functions[node]) {
		const struct hr_node *row = &stacks->segment->nodes[node];
		const struct symbol *found;
		size_t count = symbols_lookup(symbols_of(file),
			row->value - 1 - stacks->segment->modules[row->module].bias, &found);
		const char *function = count ? found[count - 1].function : NULL;
		stacks->functions[node] = function ? function : "";
	}
	return stacks->functions[node][0] ? stacks->functions[node] : NULL;
}

const char *callers_file(struct stacks_of *stacks, uint32_t node)
{
	struct file *file = file_of_node(stacks, node);
	return file ? file->base : NULL;
}

bool callers_is_library(struct stacks_of *stacks, uint32_t node)
{
	const char *file = callers_file(stacks, node);
	return file && (!strncmp(file, "lib", 3) || !strncmp(file, "ld-", 3));
}

/* ---- owners -------------------------------------------------------------------------------------- */

static bool is_wrapper(const char *function, void *context)
{
	return owners_is_wrapper(function);
}

static void add_passing(const char *function, void *context)
{
	struct file *file = context;
	xgrow(file->passing, file->passing_count, file->passing_room);
	file->passing[file->passing_count++] = xstrdup(function);
}

/* A function without a symbol that a wrapper calls or jumps to is a wrapper too, as in a stripped nginx. */
static bool passes_on(struct stacks_of *stacks, uint32_t node)
{
	const char *function = callers_function(stacks, node);
	if (!function)
		return false;
	if (owners_is_wrapper(function))
		return true;
	if (!strstr(function, "!fn@"))
		return false;
	struct file *file = file_of_node(stacks, node);
	if (!file->passing_known)
		symbols_unnamed_callees(symbols_of(file), is_wrapper, add_passing, file);
	file->passing_known = true;
	for (size_t i = 0; i < file->passing_count; i++)
		if (!strcmp(file->passing[i], function))
			return true;
	return false;
}

/* The C library allocates for whoever calls it. Its names are not needed for that, and cost most of all to
 * read. */
static bool is_libc(struct stacks_of *stacks, uint32_t node)
{
	const char *file = callers_file(stacks, node);
	return file && (!strncmp(file, "libc.so", 7) || !strncmp(file, "libc-2.", 7) ||
			       !strncmp(file, "libc.musl", 9));
}

static bool is_loader(struct stacks_of *stacks, uint32_t node)
{
	const char *file = callers_file(stacks, node);
	return file && !strncmp(file, "ld-", 3);
}

uint32_t callers_owner(struct stacks_of *stacks, uint32_t node)
{
	const struct segment *segment = stacks->segment;
	uint32_t at = node, libc = UINT32_MAX;
	if (node >= segment->node_count)
		return HR_ROOT_STACK;
	if (stacks->owners[node])
		return stacks->owners[node] - 1;
	/* parents are below their children: it ends */
	for (; segment->nodes[at].kind == HR_NODE_NATIVE; at = segment->nodes[at].parent) {
		if (is_libc(stacks, at))
			libc = libc == UINT32_MAX ? at : libc;
		else if (is_loader(stacks, at) || !passes_on(stacks, at))
			break;
	}
	if (segment->nodes[at].kind != HR_NODE_NATIVE && libc != UINT32_MAX)
		at = libc; /* nobody called it but itself, as before main */
	stacks->owners[node] = at + 1;
	return at;
}
