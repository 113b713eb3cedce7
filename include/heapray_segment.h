/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heapray_segment.h - the contract between libheapray.so (writes) and heapray (reads).
 *
 * Each process under the shim publishes one file, its segment. The shim maps it once and writes;
 * the reporter maps it read-only, live or after the process ended, however it ended.
 *
 *   0      +--------------------------------------------------------------+
 *          | struct hr_header: who, when, settings, state, totals, lost[] |
 *   8192   +--------------------------------------------------------------+
 *          | sections, each an array of rows of a fixed stride:           |
 *          |   modules  nodes  sites  domains  mappings  zones  threads   |
 *          |   strings  timeline  marks  ledger                           |
 *          +--------------------------------------------------------------+
 *
 * Words. A *node* is a frame in a trie: the path from a root to a node is a stack. A *site* is a
 * stack in a domain, with its counters. A *domain* is one heap (the allocator, a LuaJIT VM, direct
 * mmaps, a heap the program announced). *Backing* is an mmap that holds blocks; it is never part of
 * a total of blocks.
 *
 * How it is published. A row is filled, then the section's `used` is stored with release; a reader
 * loads `used` with acquire and may read the rows below it. Rows are never moved. Counters are
 * relaxed and in flight: a reader tolerates sums that differ by the events of that moment.
 *
 * How it is read. Every byte is hostile: check magic, version, header_size, each section's
 * offset + stride * used against the file's size, and each index and string before use.
 *
 * All integers are in the byte order of the machine (the magic tells), bytes unless named
 * otherwise, times are CLOCK_MONOTONIC ns unless named `realtime`. No pointers to be followed.
 *
 * Version: any change of a struct below that an older reader would misread bumps HR_VERSION.
 */
#ifndef HEAPRAY_SEGMENT_H
#define HEAPRAY_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#define HR_MAGIC 0x3159415250414548ull /* "HEAPRAY1" where the first byte is the lowest */
#define HR_VERSION 1u
#define HR_HEADER_SIZE 8192u

/* ---- sections ------------------------------------------------------------------------------ */

enum hr_section_kind {
	HR_MODULES,
	HR_NODES,
	HR_SITES,
	HR_DOMAINS,
	HR_MAPPINGS,
	HR_ZONES,
	HR_THREADS,
	HR_STRINGS, /* stride 1: bytes, each string followed by a NUL */
	HR_TIMELINE,
	HR_MARKS,
	HR_LEDGER,
	HR_SECTION_COUNT = 16, /* room to grow without moving the header */
};

struct hr_section {
	uint64_t offset;   /* from the start of the file */
	uint64_t stride;   /* bytes a row; a reader takes min(stride, its own struct) of it */
	uint64_t capacity; /* rows that fit */
	uint64_t used;     /* rows published; release store, acquire load */
};

/* A string in the strings section; {0,0} is "not known". */
struct hr_str {
	uint32_t offset, length;
};

/* ---- rows ---------------------------------------------------------------------------------- */

/* A loaded object. Row 0 is "no module". An object that was unloaded keeps its row. */
struct hr_module {
	struct hr_str path;  /* as the loader has it, the executable's real path for the program */
	uint64_t bias;       /* link-time address + bias = address in memory */
	uint64_t start, end; /* addresses of its mapping */
	uint64_t generation; /* of dlclose, when the row was made */
	uint32_t build_id_length, reserved;
	uint8_t build_id[32];
};

enum hr_node_kind {
	HR_NODE_ROOT,   /* value: enum hr_root */
	HR_NODE_NATIVE, /* value: return address (look it up minus one) */
	HR_NODE_LUA,    /* value: string offset of the chunk name << 32 | line; function in `extra` */
};

enum hr_root {
	HR_ROOT_STACK,       /* the ordinary root: the walk reached the end of the stack */
	HR_ROOT_JIT,         /* <jit>: the walk ended in machine code that belongs to no object */
	HR_ROOT_NO_INFO,     /* <no unwind info> */
	HR_ROOT_TRUNCATED,   /* <truncated>: too deep; the innermost frames are kept */
	HR_ROOT_NOT_SAMPLED, /* <not sampled>: exact remainder of what was not given a stack */
	HR_ROOT_FULL,        /* <tables full>: events whose stack found no room */
	HR_ROOT_COUNT,
};

/* Row i < HR_ROOT_COUNT is root i. parent < own index, always: the trie has no cycles. */
struct hr_node {
	uint64_t value;
	uint32_t parent;
	uint32_t kind;       /* enum hr_node_kind */
	uint32_t module;     /* native: row of modules, 0 = none */
	uint32_t extra;      /* lua: string offset of the function's name, 0 = not known */
	uint32_t flags;      /* HR_NODE_ON_TRACE */
	uint32_t depth;      /* frames from the root, root = 0 */
};
#define HR_NODE_ON_TRACE 1u

/*
 * A site's counters. One (node, domain) may have several rows, one per stripe of threads: a reader
 * sums them. live = allocated - freed. In a forked child `allocated` starts at what was inherited.
 * Peak: a row whose peak_epoch equals the header's holds live_at_peak; any other row's live has not
 * changed since the peak.
 */
struct hr_site {
	uint32_t node;
	uint16_t domain;
	uint16_t stripe;
	uint64_t allocated_bytes, allocated_count;
	uint64_t freed_bytes, freed_count;
	uint64_t live_at_peak;
	uint64_t peak_epoch;
	uint64_t temporary_count; /* freed before the thread's next allocation */
	/* second cache line: seldom written */
	uint64_t inherited_bytes, inherited_count;             /* live at birth */
	uint64_t inherited_freed_bytes, inherited_freed_count; /* of those, freed since */
	double variance_live, variance_allocated; /* of an estimate, in bytes squared */
	uint32_t flags, reserved; /* HR_SITE_ESTIMATED */
	uint64_t reserved_too;
};
#define HR_SITE_ESTIMATED 1u

enum hr_domain_kind {
	HR_DOMAIN_ALLOCATOR, /* domain 0, always */
	HR_DOMAIN_MMAP,      /* domain 1, always */
	HR_DOMAIN_LUAJIT,
	HR_DOMAIN_LUA, /* PUC Lua */
	HR_DOMAIN_HEAP,
};
enum hr_subsystem { HR_SUBSYSTEM_OTHER, HR_SUBSYSTEM_HTTP, HR_SUBSYSTEM_STREAM };
#define HR_DOMAIN_CLOSED 1u    /* flags: the VM was closed; its totals stay */
#define HR_DOMAIN_AGGREGATE 2u /* flags: the sum of VMs whose rows were reused */

/* A heap. For VMs all figures are exact and counted on the VM's own thread. */
struct hr_domain {
	struct hr_str name; /* allocator, mmap, luajit:http:0, lua:0, heap:NAME */
	uint32_t kind, subsystem, flags, sequence;
	uint64_t live_bytes, live_count, peak_bytes; /* VMs and named heaps; 0 for domains 0 and 1 */
	uint64_t allocated_bytes, allocated_count;
	uint64_t gc_bytes;          /* what the collector counts, when last asked */
	uint64_t arena_bytes;       /* mapped for arenas (segments) */
	uint64_t direct_bytes;      /* mapped for single large blocks */
	uint64_t machine_code_bytes;
	uint64_t free_held_bytes;   /* of the arenas, free; UINT64_MAX = not known */
	uint64_t free_held_age_ns;  /* MONOTONIC time at which it was taken */
	uint64_t lua_samples, lua_dropped;
	struct hr_str lua_off_reason; /* why Lua stacks are off; {0,0} = they are on */
	uint64_t created_ns, closed_ns;
	uint64_t reserved[8];
};

enum hr_mapping_kind {
	HR_MAPPING_FREE,      /* the row is not in use */
	HR_MAPPING_DIRECT,    /* an anonymous mmap of the program's own: a block of domain mmap */
	HR_MAPPING_ALLOCATOR, /* backing of the allocator */
	HR_MAPPING_LUAJIT,    /* backing of a VM: arena or direct block */
	HR_MAPPING_MCODE,     /* LuaJIT machine code or callback page */
	HR_MAPPING_ZONE,      /* shared anonymous memory (nginx zones) */
	HR_MAPPING_FILE,      /* a file */
	HR_MAPPING_HEAPRAY,   /* the shim's own */
	HR_MAPPING_HEAP,      /* chunk of a named heap */
};

/* One interval of address space the shim saw mapped. Rows are reused; `version` is odd while written. */
struct hr_mapping {
	uint64_t version;
	uint64_t start, end;
	uint32_t kind, domain;
	uint32_t module, site; /* who called mmap; direct: its site */
	uint64_t time_ns;
};

/* A zone as last copied from its own head; all walking is the reporter's. */
#define HR_ZONE_HEAD_BYTES 256
#define HR_ZONE_STATS_BYTES 512
struct hr_zone {
	uint64_t version; /* odd while written */
	uint64_t address, size;
	uint64_t created_ns, closed_ns; /* closed: unmapped */
	uint64_t copied_ns;             /* when the copy below was taken, 0 = never */
	uint64_t head_offset;           /* offset in the zone of `stats` bytes below */
	char log_context[128];          /* NUL-terminated copy of pool->log_ctx */
	uint8_t head[HR_ZONE_HEAD_BYTES];
	uint8_t stats[HR_ZONE_STATS_BYTES];
	uint64_t reserved[9];
};

struct hr_thread {
	uint64_t thread_pointer, stack_low, stack_high; /* 0 = not known */
	uint64_t tid, started_ns, events;
	uint64_t reserved[2];
};

/* One point of the time line; when the ring is full every second one is dropped (see header). */
#define HR_TIMELINE_POINTS 512
#define HR_TIMELINE_DOMAINS 16 /* domain row i for i < 15; the last is the sum of all others */
struct hr_point {
	uint64_t time_ns;
	uint64_t resident_bytes, held_bytes; /* UINT64_MAX = not known */
	uint64_t allocated_count, freed_count;
	uint64_t live_bytes[HR_TIMELINE_DOMAINS];
	uint64_t reserved[3];
};

/* What the program says has happened (heapray.h). */
#define HR_MARKS_MAX 256
struct hr_mark {
	uint64_t time_ns; /* of the first call */
	struct hr_str name;
	uint64_t last_ns, count;
};

/* The compact ledger, for ended processes; one row a component. */
enum hr_component {
	HR_C_SYSTEM, /* virtual, resident, swap of the process */
	HR_C_ALLOCATOR,
	HR_C_LUAJIT_HTTP,
	HR_C_LUAJIT_STREAM,
	HR_C_LUAJIT_OTHER,
	HR_C_NGINX_SHM,
	HR_C_MMAP,
	HR_C_TEXT,
	HR_C_STACKS,
	HR_C_FILE,
	HR_C_HEAPRAY,
	HR_C_KERNEL,
	HR_C_COUNT,
};
struct hr_ledger_row {
	uint64_t component, time_ns;
	uint64_t virtual_bytes, resident_bytes, swap_bytes, used_bytes; /* UINT64_MAX = not known */
};

/* ---- the header ---------------------------------------------------------------------------- */

enum hr_state {
	HR_STATE_STARTING,
	HR_STATE_RECORDING,
	HR_STATE_FORKED,  /* a child that has not allocated yet: what it has is what its parent had */
	HR_STATE_STOPPED, /* recording ended; state_reason says why */
};

enum hr_role { HR_ROLE_PROCESS, HR_ROLE_MASTER, HR_ROLE_WORKER, HR_ROLE_CACHE_MANAGER, HR_ROLE_CACHE_LOADER };

/* What could not be recorded. */
enum hr_lost {
	HR_LOST_NODES_FULL,    /* stack dropped to <tables full>: no room for its nodes */
	HR_LOST_SITES_FULL,
	HR_LOST_BLOCKS_FULL,   /* a block that is not in the live table: its free is unknown */
	HR_LOST_MODULES_FULL,
	HR_LOST_STRINGS_FULL,
	HR_LOST_MAPPINGS_FULL,
	HR_LOST_ZONES_FULL,
	HR_LOST_DOMAINS_FULL,
	HR_LOST_THREADS_FULL,
	HR_LOST_NO_MEMORY,     /* mmap for our own tables failed */
	HR_LOST_SEGMENT_FULL,  /* populating the segment failed: the file system is full */
	HR_LOST_NESTED,        /* allocated while our own code ran (signal handlers) */
	HR_LOST_BOOT,          /* served by the boot arena */
	HR_LOST_TOO_LARGE,     /* a size or an address that does not fit the live table */
	HR_LOST_TRUNCATED,     /* stacks cut to the deepest kept frames */
	HR_LOST_UNWIND_FAILED, /* stacks that ended early in a frame that could not be read */
	HR_LOST_LUA_WALK,      /* Lua walks dropped by a sanity check */
	HR_LOST_LIVE_REBUILD,  /* entries a forked child could not take over */
	HR_LOST_COUNT = 32,
};

/* Entry points whose provider is told. */
enum hr_entry {
	HR_ENTRY_MALLOC,
	HR_ENTRY_FREE,
	HR_ENTRY_CALLOC,
	HR_ENTRY_REALLOC,
	HR_ENTRY_MEMALIGN,
	HR_ENTRY_ALIGNED_ALLOC,
	HR_ENTRY_POSIX_MEMALIGN,
	HR_ENTRY_VALLOC,
	HR_ENTRY_PVALLOC,
	HR_ENTRY_USABLE_SIZE,
	HR_ENTRY_NEW,
	HR_ENTRY_DELETE,
	HR_ENTRY_MMAP,
	HR_ENTRY_COUNT = 16,
};

#define HR_WARN_NOT_FIRST 1u      /* another library's malloc comes before the shim's */
#define HR_WARN_STATIC_MALLOC 2u  /* malloc is linked into the executable */
#define HR_WARN_MIXED_FAMILY 4u   /* entry points come from several libraries; missing ones were built */

/* What the allocator says of itself; UINT64_MAX = it does not tell. */
struct hr_allocator_stats {
	uint64_t taken_ns, took_ns;
	uint64_t in_use_bytes, held_bytes, free_held_bytes, top_bytes, mapped_bytes, usable_bytes;
};

/*
 * The live table, private memory of the process: address -> {site, size, age}. For reading from
 * outside (process_vm_readv); every entry is to be validated.
 *
 *   pools: array of pool_count struct hr_live_pool; a pool is leaves and gaps, one after the other, up to `used`
 *   leaf:  head, then 2^class words: the slots of a page of 4096 bytes; wide ones are two words, {entry, size}
 *   head:  page number << 12 | wide << 8 | used << 7 | class (4 bits); of a gap: its bytes, head included, << 12 | 15
 *   entry: offset in the page >> 3 (9 bits) | size << 9 (16 bits) | site << 25 (19 bits)
 *          | age in 4 s units << 44 (18 bits) | label << 62
 *
 *   An entry of 0, or with label 0, is empty. Age counts from the header's start_ns; labels are of forks, entries
 *   of another label than the header's are inherited. A leaf's class never changes.
 */
struct hr_live_pool {
	uint64_t start, size, used; /* bytes; used: release */
};
#define HR_LIVE_POOLS 32
struct hr_live_hand { /* a thread's newest block, which is not in the table yet; block 0: none */
	uint64_t block;
	uint32_t site, unused;
	uint64_t size, age;
	uint8_t inherited, unused_too[7];
};
struct hr_live_geometry {
	uint64_t pools, pool_count, label;
	uint64_t blocks, bytes_of_table; /* entries in use, memory of the table; relaxed */
	uint64_t threads, thread_count, hand_offset; /* array of addresses; at hand_offset from each is a struct hr_live_hand */
};
#define HR_LIVE_ENTRY(address, size, site, age, label)                                                                 \
	(((uint64_t)(address) & 0xfff) >> 3 | (uint64_t)(size) << 9 | (uint64_t)(site) << 25 | ((uint64_t)(age) & 0x3ffff) << 44 | \
		(uint64_t)(label) << 62)
#define HR_LIVE_OFFSET(w) (((w) & 0x1ffull) << 3)
#define HR_LIVE_SIZE(w) (((w) >> 9) & 0xffffull)
#define HR_LIVE_SIZE_WIDE 0xffffull /* and above: the size is in the second word of a wide slot */
#define HR_LIVE_SITE_BITS 19
#define HR_LIVE_SITE(w) (((w) >> 25) & 0x7ffffull)
#define HR_LIVE_AGE(w) (((w) >> 44) & 0x3ffffull)
#define HR_LIVE_LABEL(w) ((w) >> 62)
#define HR_LIVE_CLASS_MAX 10u /* a slot for each 8 bytes, wide */
#define HR_LIVE_HEAD(page, bits, wide) ((uint64_t)(page) << 12 | (uint64_t)(wide) << 8 | 1u << 7 | ((bits) + (wide)))
#define HR_LIVE_HEAD_UNUSED(class) ((uint64_t)(class))
#define HR_LIVE_HEAD_PAGE(h) ((h) & ~0xfffull)
#define HR_LIVE_HEAD_WIDE(h) ((uint32_t)((h) >> 8 & 1))
#define HR_LIVE_HEAD_USED(h) ((uint32_t)((h) >> 7 & 1))
#define HR_LIVE_HEAD_CLASS(h) ((uint32_t)((h) & 15))
#define HR_LIVE_CLASS_GAP 15u
#define HR_LIVE_HEAD_GAP(bytes) ((uint64_t)(bytes) << 12 | HR_LIVE_CLASS_GAP)
#define HR_LIVE_WORDS_MAX (1 + (1u << HR_LIVE_CLASS_MAX)) /* of a leaf or gap, head included */
/* What to step over, head included. */
#define HR_LIVE_HEAD_BYTES(h) (HR_LIVE_HEAD_CLASS(h) == HR_LIVE_CLASS_GAP ? (h) >> 12 : 8 + (8ull << HR_LIVE_HEAD_CLASS(h)))
#define HR_LIVE_AGE_NS 4000000000ull

struct hr_header {
	uint64_t magic;
	uint32_t version, header_size;
	uint64_t file_size;
	struct hr_section sections[HR_SECTION_COUNT];

	/* who and when */
	uint64_t pid, parent_pid, pid_namespace, uid;
	uint64_t created_realtime_ns;        /* also in the file's name */
	uint64_t parent_created_realtime_ns; /* of the segment of the process that forked this one; 0 = it did not fork: a family's root */
	uint64_t start_ns, start_realtime_ns;
	struct hr_str exe, cmdline, allocator_name;
	struct hr_str provider[HR_ENTRY_COUNT];
	char title[64]; /* the process title when last looked at (nginx writes its role there) */
	uint32_t role, state;
	uint32_t warnings, reload_generation;
	struct hr_str state_reason;

	/* settings */
	uint64_t sample_bytes, lua_sample_bytes, check_unwind, publish_ms;

	struct hr_live_geometry live;

	/* counts of the process; the hot ones have a cache line of their own */
	uint64_t hot[8] __attribute__((aligned(64))); /* enum hr_hot */
	uint64_t peak_ns;                             /* when the peak was */
	uint64_t main_started_ns;                     /* 0 = still before main */
	uint64_t startup_allocated_bytes, startup_allocated_count;
	uint64_t startup_freed_bytes, startup_freed_count;
	uint64_t inherited_bytes, inherited_count;
	uint64_t unknown_frees;
	uint64_t unwind_compared, unwind_differences, unwind_libunwind, unwind_probes;
	uint64_t module_generation; /* of dlclose */
	uint64_t last_event_ns;
	uint64_t own_private_bytes;   /* memory of the shim's tables */
	uint64_t own_segment_bytes;   /* populated pages of the segment */
	uint64_t timeline_interval_ns; /* between points, doubled when the ring is full */
	struct hr_allocator_stats allocator;
	uint64_t usable_sampled_requested, usable_sampled_usable; /* over sampled blocks: their ratio */
	uint64_t lost[HR_LOST_COUNT];
};

/* Words of hr_header.hot */
enum hr_hot {
	HR_HOT_TOTAL_LIVE, /* bytes live, all domains, as the peak sees it (slack 64 KiB a thread) */
	HR_HOT_PEAK_LIVE,  /* highest total recorded; when TOTAL_LIVE is above it, that is the peak */
	HR_HOT_PEAK_EPOCH,
};

_Static_assert(sizeof(struct hr_header) <= HR_HEADER_SIZE, "the header fits its pages");
_Static_assert(offsetof(struct hr_header, sections) == 24, "readers of every version find the sections here");
_Static_assert(sizeof(struct hr_section) == 32, "fixed");
_Static_assert(sizeof(struct hr_node) == 32, "nodes: eight-byte fields, no padding");
_Static_assert(sizeof(struct hr_site) == 128 && offsetof(struct hr_site, inherited_bytes) == 64, "hot counters share one cache line");
_Static_assert(sizeof(struct hr_zone) == 1024 + 0, "zones");
_Static_assert(sizeof(struct hr_mapping) == 48 + 0, "mappings");

#endif
