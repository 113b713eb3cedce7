/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_run.c - runs Lua scripts in a VM of libluajit-5.1.so.2, as a program does that links it: Debian's own
 * luajit has LuaJIT inside, where nothing can be preloaded.
 *
 *   lua_run [-nVMS] [-joff] SCRIPT [ARGUMENT...]      status 1 and the message when it fails
 *
 * -n50: in 50 VMs, one after the other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <luajit-2.1/lauxlib.h>
#include <luajit-2.1/luajit.h>
#include <luajit-2.1/lualib.h>

static int run(lua_State *L, int argc, char **argv)
{
	luaL_openlibs(L);
	if (argc > 1 && strcmp(argv[1], "-joff") == 0) {
		luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
		argc--, argv++;
	}
	if (argc < 2)
		return 2;
	lua_createtable(L, argc, 1);
	for (int i = 1; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i - 1);
	}
	lua_setglobal(L, "arg");
	if (luaL_loadfile(L, argv[1]) || lua_pcall(L, 0, 0, 0)) {
		fprintf(stderr, "lua_run: %s\n", lua_tostring(L, -1));
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int vms = 1, status = 0;
	if (argc > 1 && strncmp(argv[1], "-n", 2) == 0) {
		vms = atoi(argv[1] + 2);
		argc--, argv++;
	}
	while (vms-- > 0 && status == 0) {
		lua_State *L = luaL_newstate();
		if (L == NULL)
			return 1;
		free(malloc(100));
		status = run(L, argc, argv);
		lua_close(L);
	}
	return status;
}
