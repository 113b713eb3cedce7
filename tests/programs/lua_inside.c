/* SPDX-License-Identifier: BSD-2-Clause */
/* lua_inside.c - lua_run with LuaJIT linked into it, its functions exported: as Debian's luajit is. */
#include "lua_run.c"
