/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_command.c - hostile command lines through main, from the dispatch to the end of the command.
 *
 * An input is the words after `heapray`, a line each (or with NULs between). What TARGET names is always the same
 * snapshot of an nginx (snapshot_corpus/packed), so that options meet figures. The rest of the world is kept out by
 * functions in the place of others: own_X is called for libc's X by the reporter (not by the fuzzer), __wrap_X for X by
 * everybody; run.sh finds their names here.
 *
 *   said to be missing   every file, every folder, the libraries, a screen, a port that can be listened to
 *   said to have worked  the programs of run and compare are "found", and cannot be executed
 *   a crash              fork, kill, unlink, rename, a socket: nothing here may come so far
 *   not compiled         --metric with bounds, several groups or many repeats: glibc's regcomp takes memory without end for them
 *   never asked          argp's own --HANG, which waits for an hour
 *
 * argp ends the process when it does not like a word. Here its parsers are entered through one that comes back instead.
 * The reporter leaves what does not repeat to exit; so all that a run has allocated is freed after it.
 */
#include "command.h"
#include "compare.h"
#include "directory.h"
#include "family.h"
#include "memory_file.h"
#include "snapshot.h"
#include "text.h"

#include <argp.h>
#include <regex.h>
#include <sanitizer/allocator_interface.h>
#include <setjmp.h>
#include <stdio.h>

#define WORDS 32
#define BLOCKS (1u << 18)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
int heapray_main(int argc, char **argv); /* main, renamed for this target */

__asm__(".pushsection .rodata\n"
	"kept: .incbin \"tests/fuzz/snapshot_corpus/packed\"\n"
	"kept_end:\n"
	".popsection");
extern const char kept[], kept_end[];

static struct family family;

/* ---- ends ---------------------------------------------------------------------------------- */

static jmp_buf end;        /* of the run */
static jmp_buf *parser_end; /* of the parser at hand */

void own_exit(int status)
{
	longjmp(end, 1);
}

/* ---- argp ---------------------------------------------------------------------------------- */

static argp_parser_t parsers[2]; /* of the command, of its child */

static error_t enter(argp_parser_t parser, int key, char *arg, struct argp_state *state)
{
	jmp_buf here, *outer = parser_end;
	error_t error = EINVAL;

	if (!parser)
		return key == ARGP_KEY_INIT ? 0 : ARGP_ERR_UNKNOWN;
	parser_end = &here;
	if (setjmp(here) == 0)
		error = parser(key, arg, state);
	parser_end = outer;
	return error;
}

static error_t enter_command(int key, char *arg, struct argp_state *state)
{
	/* Without a parser argp gives the input to the first child by itself. */
	if (!parsers[0] && key == ARGP_KEY_INIT && state->root_argp->children)
		state->child_inputs[0] = state->input;
	return enter(parsers[0], key, arg, state);
}

static error_t enter_child(int key, char *arg, struct argp_state *state)
{
	return enter(parsers[1], key, arg, state);
}

error_t __real_argp_parse(const struct argp *argp, int argc, char **argv, unsigned flags, int *index, void *input);

error_t __wrap_argp_parse(const struct argp *argp, int argc, char **argv, unsigned flags, int *index, void *input)
{
	struct argp own = *argp, child = {0};
	struct argp_child children[2] = {{&child, 0, NULL, 0}, {0}};

	parsers[0] = own.parser;
	own.parser = enter_command;
	if (own.children) {
		child = *own.children->argp;
		parsers[1] = child.parser;
		child.parser = enter_child;
		own.children = children;
	}
	const error_t error = __real_argp_parse(&own, argc, argv, flags | ARGP_NO_EXIT, index, input);
	if (error)
		longjmp(end, 1); /* it would have ended in there */
	return 0;
}

void __wrap_argp_error(const struct argp_state *state, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	longjmp(*parser_end, 1);
}

/* ---- the world ----------------------------------------------------------------------------- */

int __wrap_family_open(const struct options *options, struct family *to)
{
	*to = family;
	return family.count ? 0 : -1;
}

int __wrap_family_all(const struct options *options, bool ended, struct family *to)
{
	*to = family;
	return 0;
}

void __wrap_family_close(struct family *closed)
{
	memset(closed, 0, sizeof(*closed));
}

int __wrap_directory_open(const struct options *options, bool quiet, struct directory *directory)
{
	*directory = (struct directory){0};
	return 0;
}

char *__wrap_preload_find_command(const char *name, int *status)
{
	*status = 127;
	return name[0] == 'x' ? NULL : strdup("/bin/true");
}

static int missing(void)
{
	errno = ENOENT;
	return -1;
}

char *__wrap_preload_library(void) { return strdup("/nowhere/libheapray.so"); }
const char *__wrap_preload_obstacle(const char *path, bool *stumbles) { *stumbles = false; return NULL; }
int own_open(const char *path, int flags, ...) { return strcmp(path, MEMORY_PATH) == 0 ? open(path, flags) : missing(); }
int own_access(const char *path, int mode) { return missing(); }
int own_stat(const char *path, struct stat *st) { return missing(); }
int own_mkdir(const char *path, mode_t mode) { return missing(); }
char *own_mkdtemp(char *path) { missing(); return NULL; }
char *own_realpath(const char *path, char *to) { missing(); return NULL; }
FILE *own_fopen(const char *path, const char *mode) { missing(); return NULL; }
void *own_opendir(const char *path) { missing(); return NULL; }
int own_setenv(const char *name, const char *value, int replace) { return 0; }
int own_execv(const char *path, char **argv) { return missing(); }
int __wrap_run_and_report(const char *path, char **argv, const struct options *options, FILE *out) { return 0; }
int __wrap_screen_open(bool colour) { return -1; }
int __wrap_sizes_probe(void) { return 0; }
void __wrap_owners_add(const char *pattern) {} /* they stay for good */
bool __wrap_ready_yet(const void *ready, uint64_t since_ns, struct timespec started) { return true; } /* somebody listens */
void *__wrap_MHD_start_daemon(unsigned flags, ...) { missing(); return NULL; }
int own_fork(void) { abort(); }
int own_kill(int pid, int signal) { abort(); }
int own_unlink(const char *path) { abort(); }
int own_rename(const char *from, const char *to) { abort(); }
int own_socket(int family_, int type, int protocol) { abort(); }

struct command_json {
	int pid, fd;
};

struct command_json __wrap_command_json_start(void)
{
	return (struct command_json){-1, -1};
}

int __real_regcomp(regex_t *to, const char *regex, int flags);

int __wrap_regcomp(regex_t *to, const char *regex, int flags)
{
	unsigned repeats = 0, groups = 0;

	memset(to, 0, sizeof(*to));
	for (const char *c = regex; *c; c++) {
		repeats += strchr("*+?", *c) != NULL;
		groups += *c == '(';
	}
	return strchr(regex, '{') || groups > 1 || repeats > 6 ? REG_ESPACE : __real_regcomp(to, regex, flags);
}

/* ---- what a run allocates ------------------------------------------------------------------ */

static const void *blocks[BLOCKS]; /* by address, open addressing; 1: was freed */
static uint32_t used[BLOCKS], used_count;
static bool recording;

static uint32_t slot_of(const volatile void *p)
{
	return (uint32_t)(((uintptr_t)p >> 4) * 0x9e3779b97f4a7c15u >> 46) % BLOCKS;
}

static void __attribute__((no_sanitize("address", "undefined", "coverage"))) on_malloc(const volatile void *p, size_t size)
{
	if (!recording || used_count > BLOCKS / 2)
		return;
	uint32_t at = slot_of(p);
	while ((uintptr_t)blocks[at] > 1)
		at = (at + 1) % BLOCKS;
	if (!blocks[at])
		used[used_count++] = at;
	blocks[at] = (const void *)p;
}

static void __attribute__((no_sanitize("address", "undefined", "coverage"))) on_free(const volatile void *p)
{
	if (!recording || !p)
		return;
	for (uint32_t at = slot_of(p); blocks[at]; at = (at + 1) % BLOCKS) {
		if (blocks[at] == p) {
			blocks[at] = (const void *)1;
			return;
		}
	}
}

static void free_all(void)
{
	recording = false;
	for (uint32_t i = 0; i < used_count; i++) {
		if ((uintptr_t)blocks[used[i]] > 1)
			free((void *)blocks[used[i]]);
		blocks[used[i]] = NULL;
	}
	used_count = 0;
}

/* It keeps the last answer for itself. */
size_t __real_snapshot_births(const struct snapshot *snapshot, size_t member, const struct snapshot_births **births);

size_t __wrap_snapshot_births(const struct snapshot *snapshot, size_t member, const struct snapshot_births **births)
{
	const bool was = recording;

	recording = false;
	const size_t count = __real_snapshot_births(snapshot, member, births);
	recording = was;
	return count;
}

/* ---- a run --------------------------------------------------------------------------------- */

static void run(const char *words, size_t length)
{
	char *argv[WORDS + 2] = {"heapray"}, *text = malloc(length + 1);
	int argc = 1;

	memcpy(text, words, length);
	text[length] = '\0';
	for (size_t at = 0; at < length && argc <= WORDS;) {
		const size_t n = strcspn(text + at, "\n");
		text[at + n] = '\0';
		if (strncmp(text + at, "--H", 3) == 0) /* argp's own --HANG: waits an hour */
			text[at] = 'x';
		/* Each word by itself: what is beside it is not to be read. */
		argv[argc++] = strdup(text + at);
		at += n + 1;
	}
	text_set_color("never");
	text_set_exact_bytes(false);
	optind = 0;
	if (setjmp(end) == 0)
		heapray_main(argc, argv);
	fflush(stdout);
}

static void begin(void)
{
	setvbuf(stderr, NULL, _IOFBF, 1 << 16);
	memory_set(kept, (size_t)(kept_end - kept));
	if (snapshot_open(MEMORY_PATH, false, &family) != 0)
		abort(); /* the snapshot is of another version: see cut.py */
	/* What libc makes once, at the first use, is made here: it stays. */
	run("stacks\n--help\n", 14);
	run("zones\n", 6);
	run("growth\n", 7);
	__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	if (!family.count)
		begin();
	recording = true;
	run((const char *)data, length);
	free_all();
	return 0;
}
