/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger_vm.c - LuaJIT VMs created from functions named as the modules' are (libledger_vm.c): one http, one stream, one other, each
 * holding a table of its own size. Prints "http N stream N other N", what the collectors count, and sleeps until
 * standard input ends. LuaJIT is loaded at run time: status 77 when it is not there.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *(*newstate)(void);
static int (*loadstring)(void *, const char *);
static int (*pcall)(void *, int, int, int);
static int (*gc)(void *, int, int);

static void *(*make_http)(void *(*)(void)), *(*make_stream)(void *(*)(void));

/* libledger_vm.so lies beside the program. */
static void *library(void)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof path - 32);
	path[length > 0 ? length : 0] = 0;
	char *slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "libledger_vm.so");
	return dlopen(path, RTLD_NOW);
}

static int run(void *vm, const char *code)
{
	if (loadstring(vm, code) != 0 || pcall(vm, 0, 0, 0) != 0)
		exit(1);
	return gc(vm, 3, 0) * 1024 + gc(vm, 4, 0); /* LUA_GCCOUNT, LUA_GCCOUNTB */
}

int main(void)
{
	char byte;
	if (!dlopen("libluajit-5.1.so.2", RTLD_NOW | RTLD_GLOBAL))
		return 77;
	*(void **)&newstate = dlsym(RTLD_DEFAULT, "luaL_newstate");
	*(void **)&loadstring = dlsym(RTLD_DEFAULT, "luaL_loadstring");
	*(void **)&pcall = dlsym(RTLD_DEFAULT, "lua_pcall");
	*(void **)&gc = dlsym(RTLD_DEFAULT, "lua_gc");
	void *makers = library();
	if (!makers)
		return 1;
	*(void **)&make_http = dlsym(makers, "ngx_http_lua_init_vm");
	*(void **)&make_stream = dlsym(makers, "ngx_stream_lua_init_vm");
	void *http = make_http(newstate), *stream = make_stream(newstate), *other = newstate();
	if (!http || !stream || !other)
		return 1;
	/* No library is open in them: plain tables and strings. */
	printf("http %d", run(http, "t = {} for i = 1, 40000 do t[i] = {i} end"));
	printf(" stream %d", run(stream, "t = {} for i = 1, 20000 do t[i] = {i} end"));
	printf(" other %d\n", run(other, "t = {} for i = 1, 10000 do t[i] = {i} end"));
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
