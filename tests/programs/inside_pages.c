/* SPDX-License-Identifier: BSD-2-Clause */
/* inside_pages.c - has LuaJIT inside, and a mapping that is as large as its first one but holds something else. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <luajit-2.1/lauxlib.h>
#include <luajit-2.1/luajit.h>

#define BYTES (1u << 17)

int main(int argc, char **argv)
{
	if (argc > 5) { /* so that these are in it */
		lua_State *L = luaL_newstate();
		luaJIT_setmode(L, 0, 0);
		lua_getallocf(L, NULL);
		lua_setallocf(L, NULL, NULL);
		lua_gc(L, 0, 0);
		lua_getinfo(L, "", NULL);
	}
	uint64_t *pages = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < BYTES / sizeof *pages; i++)
		pages[i] = 4096;
	for (int i = 0; i < 10; i++)
		free(malloc(100));
	puts("fine");
	return 0;
}
