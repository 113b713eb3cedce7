/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lua_threads.c - VMs in several threads at once, and one that is made in one thread and runs in others:
 *
 *   lua_threads SECONDS      status 1 when an answer was wrong
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <luajit-2.1/lauxlib.h>
#include <luajit-2.1/lualib.h>

#define THREADS 4

static const char script[] =
	"local t = {} for i = 1, 3000 do t[i] = { i, tostring(i) } end\n"
	"local co = coroutine.wrap(function() for i = 1, 100 do coroutine.yield({ i }) end end)\n"
	"local sum = 0 for i = 1, 100 do sum = sum + co()[1] end\n"
	"return sum + #t\n";

static time_t finish;
static lua_State *handed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int right(lua_State *L)
{
	int ok = luaL_dostring(L, script) == 0 && lua_tointeger(L, -1) == 5050 + 3000;
	lua_settop(L, 0);
	return ok;
}

static void *run(void *arg)
{
	while (time(NULL) < finish) {
		lua_State *L = luaL_newstate();
		luaL_openlibs(L);
		if (!right(L))
			return "wrong";
		pthread_mutex_lock(&lock);
		int ok = right(handed);
		pthread_mutex_unlock(&lock);
		if (!ok)
			return "wrong";
		lua_close(L);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	int status = 0;
	finish = time(NULL) + atoi(argv[1]);
	handed = luaL_newstate();
	luaL_openlibs(handed);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, run, NULL);
	for (int i = 0; i < THREADS; i++) {
		void *wrong = NULL;
		pthread_join(threads[i], &wrong);
		status |= wrong != NULL;
	}
	lua_close(handed);
	puts(status ? "wrong" : "fine");
	return status;
}
