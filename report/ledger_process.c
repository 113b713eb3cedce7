/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_process.c - builds the ledger of one live process.
 *
 * smaps is read once and everything is fitted to that read. The order matters: threads are read first
 * (a thread that ends in between leaves a claim that no longer holds memory, which cuts nothing), the live
 * table after the cut (it only names what no claim did), and pagemap last and at once.
 */
#include "ledger_process.h"

#include <errno.h>
#include <string.h>

#include "ledger_books.h"
#include "live_table.h"
#include "text.h"
#include "xalloc.h"
#include "zone_find.h"

static void claim_all(struct ledger *ledger, struct peek *peek)
{
	nature_claim_images(peek, &ledger->smaps, &ledger->claims);
	if (ledger->books)
		books_claim(ledger->books, &ledger->claims, &ledger->threads);
	threads_claim(&ledger->threads, peek, &ledger->smaps, &ledger->claims);
	if (!strcmp(ledger->program.allocator, "glibc"))
		nature_claim_glibc(peek, &ledger->smaps, "mapped for blocks", &ledger->claims);
	if (ledger->program.luajit && !ledger->books)
		nature_claim_luajit(peek, &ledger->smaps, program_luajit(&ledger->program), &ledger->claims);
	claims_settle(&ledger->claims);
}

static bool see_block(void *context, const struct live_block *block)
{
	struct ledger *ledger = context;
	if (ledger->books->sites[block->site].domain != 0)
		return true;
	return ledger_block(&ledger->pieces, block->address) > 0;
}

static void detail_add(struct ledger *ledger, const struct piece *piece)
{
	for (size_t i = ledger->detail_count; i-- > 0;) {
		struct detail *detail = &ledger->details[i];
		if (detail->component != piece->component || strcmp(detail->label, piece->label))
			continue;
		detail->ranges++;
		usage_add(&detail->figures, &piece->figures);
		return;
	}
	xgrow(ledger->details, ledger->detail_count, ledger->detail_room);
	ledger->details[ledger->detail_count++] = (struct detail){
		.component = piece->component, .label = piece->label, .ranges = 1, .figures = piece->figures};
}

static int by_component_and_size(const void *left, const void *right)
{
	const struct detail *a = left, *b = right;
	if (a->component != b->component)
		return a->component < b->component ? -1 : 1;
	if (a->figures.resident_bytes != b->figures.resident_bytes)
		return a->figures.resident_bytes > b->figures.resident_bytes ? -1 : 1;
	return strcmp(a->label, b->label);
}

/* Stacks have a line each in `threads`; here they are one. */
static void sum(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->pieces.count; i++) {
		struct piece *piece = &ledger->pieces.list[i];
		struct component_row *row = &ledger->rows[piece->component];
		row->present = true;
		usage_add(&row->figures, &piece->figures);
		if (piece->component != C_STACKS)
			detail_add(ledger, piece);
	}
	if (ledger->detail_count)
		qsort(ledger->details, ledger->detail_count, sizeof *ledger->details, by_component_and_size);
	ledger->system = ledger->smaps.total;
}

/* Resident bytes of the zones it maps, whoever touched them. One unknown zone makes the sum unknown. */
static uint64_t loaded(const struct ledger *ledger, const struct zone_set *zones)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < ledger->pieces.count; i++) {
		const struct piece *piece = &ledger->pieces.list[i];
		const struct zone *zone = NULL;
		if (piece->component != C_NGINX_SHM || piece->vma->offset)
			continue;
		for (size_t k = 0; zones && k < zones->length && !zone; k++)
			if (zones->zones[k].inode == piece->vma->inode &&
				(uint32_t)zones->zones[k].device == piece->vma->device_minor &&
				zones->zones[k].device >> 32 == piece->vma->device_major)
				zone = &zones->zones[k];
		if (!zone || zone->resident == JSON_UNKNOWN)
			return JSON_UNKNOWN;
		bytes += zone->resident;
	}
	return bytes;
}

static int read_live(struct ledger *ledger)
{
	int pid = ledger->process->pid;
	threads_read(pid, &ledger->threads);
	if (!smaps_read(pid, &ledger->smaps))
		return 0;
	text_error(errno == EACCES || errno == EPERM ? "Run it as root or as the user of the process." : NULL,
		"process %d: /proc/%d/smaps: %s", pid, pid, strerror(errno));
	return -1;
}

#define OLD_NS 5000000000ull

static void say_doubts(const struct ledger *ledger, bool measured, int64_t blocks, struct quality *quality)
{
	int pid = ledger->process->pid;
	const struct hr_header *own = ledger->process->segment ? &ledger->process->segment->header : NULL;
	if (own && own->allocator.taken_ns && own->last_event_ns > own->allocator.taken_ns + OLD_NS)
		quality_approximate(quality,
			"process %d: what %s says of itself is %s older than the last allocation", pid,
			ledger->allocator, text_duration(own->last_event_ns - own->allocator.taken_ns));
	if (!measured)
		quality_approximate(quality,
			"process %d: no pagemap: parts of mappings that hold several things are told by "
			"length",
			pid);
	if (!ledger->process->segment && ledger->program.allocator_maps)
		quality_approximate(quality,
			"process %d: without the shim, anonymous maps of no known owner are taken to be %s's",
			pid, ledger->allocator);
	if (ledger->process->segment && blocks < 0)
		quality_approximate(quality,
			"process %d: its live table could not be read: maps that hold blocks stay "
			"unexplained",
			pid);
	if (ledger->books && ledger->books != ledger->process->segment)
		quality_approximate(quality,
			"process %d has not allocated since it was forked: its books are its parent's", pid);
}

/* Cuts the mappings and gives every piece its owner and figures. */
static void place(struct ledger *ledger, struct quality *quality)
{
	const struct process *process = ledger->process;
	struct peek peek;
	int64_t blocks = 0;
	peek_open(&peek, process->pid);
	claim_all(ledger, &peek);
	ledger_cut(&ledger->smaps, &ledger->claims, ledger->program.nginx, &ledger->pieces);
	if (ledger->books && ledger->pieces.claimable)
		blocks = live_table_walk(
			&peek, &process->segment->header, ledger->books->site_count, see_block, ledger);
	ledger_rest(&ledger->pieces,
		!process->segment && ledger->program.allocator_maps ? "anonymous maps" : NULL);
	bool measured = ledger_measure(&ledger->pieces, &peek.pagemap);
	threads_measure(&ledger->threads, process->pid, &ledger->pieces);
	sum(ledger);
	books_used(ledger, &peek);
	say_doubts(ledger, measured, blocks, quality);
	peek_close(&peek);
}

int ledger_build(struct ledger *ledger, const struct family *family, size_t member,
	const struct zone_set *zones, struct quality *quality)
{
	const struct process *process = &family->members[member];
	*ledger = (struct ledger){.process = process, .books = books_of(family, member)};
	ledger->parent_counts = process->parent < family->count;
	for (int i = 0; i < C_COUNT; i++)
		ledger->rows[i] = (struct component_row){
			.used_bytes = JSON_UNKNOWN, .used_count = JSON_UNKNOWN, .loaded_bytes = JSON_UNKNOWN};
	if (!process->alive)
		return books_published(ledger);
	if (read_live(ledger))
		return -1;
	program_look(&ledger->smaps, process->exe, &ledger->program);
	ledger->program.nginx |= process->role != HR_ROLE_PROCESS || zone_process_is_nginx(process->pid);
	ledger->allocator = books_allocator(process->segment, &ledger->program);
	place(ledger, quality);
	ledger->rows[C_NGINX_SHM].loaded_bytes = loaded(ledger, zones);
	return 0;
}

void ledger_free(struct ledger *ledger)
{
	free(ledger->details);
	pieces_free(&ledger->pieces);
	claims_free(&ledger->claims);
	threads_free(&ledger->threads);
	smaps_free(&ledger->smaps);
}
