/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_threads.c - where each thread's stack is.
 *
 * libc maps a thread's stack as one piece: a guard without access, the stack, and at its upper end the
 * thread's control block. Above it the kernel may merge the stack with any other anonymous mapping:
 *
 *   | ---p guard | rw-p stack ... <- stack pointer ... [TLS][control block] | other memory ... |
 *                ^ start: the mapping's                                     ^ end: the block's page ends
 *
 * The control block is where the shim says, or else is found: its first and third words are its own
 * address (the x86-64 ABI's tcb, which glibc and musl both keep), at a multiple of 64. glibc has the
 * thread's id in it; where that is no living thread, the stack is one that glibc keeps for the next.
 * The main thread's stack is [stack], which needs no finding. Where a program gave its thread memory of its
 * own without a guard, nothing tells where the stack begins: the part above the stack pointer is claimed.
 */
#include "ledger_threads.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peek.h"
#include "xalloc.h"

#define PAGE 4096u
#define TCB_ALIGN 64u
#define TCB_TID 0x2d0u     /* glibc, x86-64: offsetof(struct pthread, tid), for all versions since 2.4 */
#define SEARCH_PAGES 2048u /* 8 MiB, the usual size of a stack */
#define GUARD_MOST (64u << 10)

static int by_tid(const void *left, const void *right)
{
	return ((const struct thread *)left)->tid - ((const struct thread *)right)->tid;
}

/* The stack pointer is the last field but one of /proc/PID/task/TID/syscall; "running" has none. */
static uint64_t stack_pointer(int pid, int tid)
{
	char path[64], line[256];
	uint64_t fields[9];
	snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", pid, tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	char *at = fgets(line, sizeof line, file);
	fclose(file);
	size_t count = 0;
	for (char *end; at && count < 9; at = end) {
		fields[count] = strtoull(at, &end, 0);
		if (end == at)
			break;
		count++;
	}
	return count >= 3 ? fields[count - 2] : 0;
}

static void read_name(int pid, struct thread *thread)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task/%d/comm", pid, thread->tid);
	FILE *file = fopen(path, "re");
	if (file && fgets(thread->name, sizeof thread->name, file))
		thread->name[strcspn(thread->name, "\n")] = 0;
	if (file)
		fclose(file);
	snprintf(thread->label, sizeof thread->label, "%s (%d)", thread->name, thread->tid);
}

void threads_read(int pid, struct threads *threads)
{
	char path[64];
	size_t room = 0;
	*threads = (struct threads){0};
	snprintf(path, sizeof path, "/proc/%d/task", pid);
	DIR *tasks = opendir(path);
	for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		if (threads->count == room) {
			room = room ? room * 2 : 16;
			threads->list = xreallocarray(threads->list, room, sizeof *threads->list);
		}
		struct thread *thread = &threads->list[threads->count++];
		*thread = (struct thread){.tid = atoi(entry->d_name)};
		thread->stack_pointer = stack_pointer(pid, thread->tid);
		read_name(pid, thread);
	}
	if (tasks)
		closedir(tasks);
	if (threads->count)
		qsort(threads->list, threads->count, sizeof *threads->list, by_tid);
}

static struct thread *find(struct threads *threads, int tid)
{
	struct thread key = {.tid = tid};
	return threads->count ? bsearch(&key, threads->list, threads->count, sizeof key, by_tid) : NULL;
}

void threads_set_pointer(struct threads *threads, int tid, uint64_t thread_pointer)
{
	struct thread *thread = find(threads, tid);
	if (thread)
		thread->thread_pointer = thread_pointer;
}

/* The first control block in [from, to), or 0. Reads page by page: it is seldom more than a few away. */
static uint64_t control_block(struct peek *peek, uint64_t from, uint64_t to)
{
	uint64_t words[PAGE / 8];
	from &= -(uint64_t)PAGE;
	for (size_t pages = 0; from < to && pages < SEARCH_PAGES; from += PAGE, pages++) {
		if (!peek_at(peek, from, words, sizeof words))
			continue; /* not resident; the block's page is */
		for (uint64_t at = 0; at < PAGE; at += TCB_ALIGN)
			if (words[at / 8] == from + at && words[at / 8 + 2] == from + at)
				return from + at;
	}
	return 0;
}

static bool is_stack_like(const struct vma *vma)
{
	return vma && vma_is_anonymous(vma) && vma->readable && vma->writable && !vma->name[0];
}

/* A mapping without access lies right below. */
static bool has_guard(const struct smaps *smaps, const struct vma *vma)
{
	const struct vma *below = vma > smaps->vmas ? vma - 1 : NULL;
	return below && below->end == vma->start && vma_is_anonymous(below) && !below->readable &&
	       !below->writable;
}

/* A stack, and the guard below it: its mapping, or of one that was merged with more the last page. */
static void claim_range(
	uint64_t start, uint64_t end, const char *label, const struct smaps *smaps, struct claims *claims)
{
	const struct vma *vma = smaps_find(smaps, start);
	claims_add(claims, start, end, RANK_STACK, C_STACKS, label);
	if (!vma || vma->start != start || !has_guard(smaps, vma))
		return;
	uint64_t low = start - (vma - 1)->start > GUARD_MOST ? start - PAGE : (vma - 1)->start;
	claims_add(claims, low, start, RANK_STACK, C_RESERVED, "stack guards");
}

static void claim(
	struct thread *thread, uint64_t start, uint64_t end, const struct smaps *smaps, struct claims *claims)
{
	thread->start = start;
	thread->end = end;
	claim_range(start, end, thread->label, smaps, claims);
}

/* From the thread's own pointers. */
static void claim_thread(
	struct thread *thread, struct peek *peek, const struct smaps *smaps, struct claims *claims)
{
	uint64_t tcb = thread->thread_pointer;
	const struct vma *vma = smaps_find(smaps, tcb ? tcb : thread->stack_pointer);
	if (!is_stack_like(vma))
		return;
	if (!tcb)
		tcb = control_block(peek, thread->stack_pointer, vma->end);
	uint64_t end = tcb >= vma->start && tcb < vma->end ? (tcb / PAGE + 1) * PAGE : vma->end;
	if (has_guard(smaps, vma))
		claim(thread, vma->start, end, smaps, claims);
	else if (thread->stack_pointer >= vma->start && thread->stack_pointer < end)
		claim(thread, thread->stack_pointer & -(uint64_t)PAGE, end, smaps, claims);
}

/* A guarded mapping that ends in a control block: of a thread that is running, or of one that ended. */
static void claim_guarded(struct threads *threads, struct peek *peek, const struct smaps *smaps,
	const struct vma *vma, struct claims *claims)
{
	uint64_t tcb = control_block(peek, vma->end - PAGE, vma->end);
	int32_t tid = 0;
	if (!tcb)
		return;
	if (!peek_at(peek, tcb + TCB_TID, &tid, sizeof tid))
		tid = 0;
	struct thread *thread = tid > 0 ? find(threads, tid) : NULL;
	if (!thread)
		claim_range(vma->start, vma->end, "kept for new threads", smaps, claims);
	else if (!thread->end)
		claim(thread, vma->start, vma->end, smaps, claims);
}

void threads_claim(
	struct threads *threads, struct peek *peek, const struct smaps *smaps, struct claims *claims)
{
	for (size_t i = 0; i < threads->count; i++)
		if (threads->list[i].tid != peek->pid)
			claim_thread(&threads->list[i], peek, smaps, claims);
	for (size_t i = 0; i < smaps->count; i++) {
		const struct vma *vma = &smaps->vmas[i];
		bool taken = false;
		if (!is_stack_like(vma) || !has_guard(smaps, vma))
			continue;
		for (size_t k = 0; k < threads->count && !taken; k++)
			taken = threads->list[k].start == vma->start;
		if (!taken)
			claim_guarded(threads, peek, smaps, vma, claims);
	}
}

void threads_measure(struct threads *threads, int pid, const struct pieces *pieces)
{
	for (size_t i = 0; i < pieces->count; i++) {
		const struct piece *piece = &pieces->list[i];
		if (piece->component != C_STACKS)
			continue;
		if (!strcmp(piece->vma->name, "[stack]")) {
			struct thread *main_thread = find(threads, pid);
			if (main_thread) {
				main_thread->start = piece->start;
				main_thread->end = piece->end;
				usage_add(&main_thread->figures, &piece->figures);
			}
			continue;
		}
		for (size_t k = 0; k < threads->count; k++)
			if (piece->label == threads->list[k].label)
				usage_add(&threads->list[k].figures, &piece->figures);
	}
}

void threads_free(struct threads *threads)
{
	free(threads->list);
	*threads = (struct threads){0};
}
