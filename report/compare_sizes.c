/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_sizes.c - a histogram by exact size, folded to classes of four to a power of two.
 *
 * What a block of n bytes occupies is a matter of the allocator alone, so it is asked outside the program:
 * `heapray compare --probe` under the arm's LD_PRELOAD allocates one block of each size and prints its
 * malloc_usable_size. Blocks that were aligned, or got a larger chunk because it happened to be free, may
 * have a little more.
 */
#include "compare_sizes.h"

#include "compare_run.h"
#include "xalloc.h"

#include <inttypes.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

static struct size_slot *slot_of(struct sizes *sizes, uint64_t size)
{
	size_t i = (size * 0x9e3779b97f4a7c15ull >> 20) & (sizes->capacity - 1);

	while (sizes->slots[i].count && sizes->slots[i].size != size)
		i = (i + 1) & (sizes->capacity - 1);
	return &sizes->slots[i];
}

static void grow(struct sizes *sizes)
{
	const struct sizes old = *sizes;

	sizes->capacity = old.capacity ? 2 * old.capacity : 256;
	sizes->slots = xcalloc(sizes->capacity, sizeof(*sizes->slots));
	for (size_t i = 0; i < old.capacity; i++)
		if (old.slots[i].count)
			*slot_of(sizes, old.slots[i].size) = old.slots[i];
	free(old.slots);
}

void sizes_add(struct sizes *sizes, uint64_t size, uint64_t count)
{
	if (2 * sizes->used >= sizes->capacity)
		grow(sizes);
	struct size_slot *slot = slot_of(sizes, size);
	sizes->used += slot->count == 0;
	slot->size = size;
	slot->count += count;
}

void sizes_free(struct sizes *sizes)
{
	free(sizes->slots);
	memset(sizes, 0, sizeof(*sizes));
}

/* ---- asking the allocator ------------------------------------------------------------------ */

int sizes_probe(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		void *block = malloc(strtoull(line, NULL, 10));
		printf("%zu\n", block ? malloc_usable_size(block) : 0);
	}
	return 0;
}

/* Starts it with `in` as its input; a pipe to its output. */
static FILE *start_probe(const struct arm *arm, FILE *in, pid_t *pid)
{
	int ends[2];

	if (pipe(ends) != 0)
		return NULL;
	fflush(NULL);
	*pid = fork();
	if (*pid == 0) {
		run_environment(arm, NULL);
		dup2(fileno(in), STDIN_FILENO);
		lseek(STDIN_FILENO, 0, SEEK_SET);
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl("/proc/self/exe", "heapray", "compare", "--probe", NULL);
		_exit(127);
	}
	close(ends[1]);
	return fdopen(ends[0], "r");
}

/* usable[i] of the i-th slot in use; false when the probe did not answer for all. */
static bool ask(const struct sizes *sizes, const struct arm *arm, uint64_t *usable)
{
	FILE *in = tmpfile();
	size_t answers = 0;
	pid_t pid = -1;

	if (!in)
		return false;
	for (size_t i = 0; i < sizes->capacity; i++)
		if (sizes->slots[i].count)
			fprintf(in, "%" PRIu64 "\n", sizes->slots[i].size);
	FILE *out = start_probe(arm, in, &pid);
	while (out && answers < sizes->used && fscanf(out, "%" SCNu64, &usable[answers]) == 1)
		answers++;
	if (out)
		fclose(out);
	fclose(in);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return answers == sizes->used;
}

/* ---- classes ------------------------------------------------------------------------------- */

/* The largest size of the class: steps of 8 up to 64, then four to a doubling. */
static uint64_t class_of(uint64_t size)
{
	uint64_t step = 8;

	if (size > (1ull << 60))
		return UINT64_MAX;
	while (size > 8 * step)
		step *= 2;
	return size ? (size + step - 1) / step * step : step;
}

static int by_class(const void *a, const void *b)
{
	const uint64_t x = ((const struct size_class *)a)->up_to, y = ((const struct size_class *)b)->up_to;

	return (x > y) - (x < y);
}

/* Adds up neighbours of one class; returns how many are left. */
static size_t fold(struct size_class *classes, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || classes[kept - 1].up_to != classes[i].up_to) {
			classes[kept++] = classes[i];
			continue;
		}
		classes[kept - 1].count += classes[i].count;
		classes[kept - 1].requested += classes[i].requested;
		classes[kept - 1].usable += classes[i].usable;
	}
	return kept;
}

size_t sizes_classes(const struct sizes *sizes, const struct arm *arm, struct size_class **result)
{
	uint64_t *usable = xcalloc(sizes->used, sizeof(*usable));
	struct size_class *classes = xcalloc(sizes->used, sizeof(*classes));
	const bool asked = sizes->used > 0 && ask(sizes, arm, usable);
	size_t count = 0;

	for (size_t i = 0; i < sizes->capacity; i++) {
		const struct size_slot *slot = &sizes->slots[i];
		if (!slot->count)
			continue;
		classes[count] = (struct size_class){.up_to = class_of(slot->size), .count = slot->count,
			.requested = slot->size * slot->count, .usable = asked ? usable[count] * slot->count : 0};
		count++;
	}
	free(usable);
	if (count > 0)
		qsort(classes, count, sizeof(*classes), by_class);
	*result = classes;
	return fold(classes, count);
}
