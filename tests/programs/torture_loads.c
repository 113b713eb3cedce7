/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_loads.c DIRECTORY [ROUNDS] - libtorture_one.so and libtorture_two.so are loaded and unloaded in turns, so that
 * one comes to lie where the other was; each allocates from a constructor, from a function at several depths and from
 * a destructor, while two threads allocate and unwind all the time. The books are of the blocks the functions left.
 */
#include <dlfcn.h>

#include "expect.h"

SITE(one, "site_of_one");
SITE(two, "site_of_two");

static _Atomic int done;
static void *descend(int depth) { return depth > 0 ? descend(depth - 1) : malloc(200); }

static void *churn(void *unused)
{
	for (int i = 0; !done; i++)
		free(descend(i % 50));
	return NULL;
}

static int use(const char *path, const char *name, struct site *site, int round)
{
	void *library = dlopen(path, RTLD_NOW);
	void *(*keep)(int, size_t) = library ? (void *(*)(int, size_t))dlsym(library, name) : NULL;
	if (!keep) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	booked(site, keep(round % 10, 30), 30);
	return dlclose(library) != 0;
}

int main(int argc, char **argv)
{
	const int rounds = argc > 2 ? atoi(argv[2]) : 400;
	char paths[2][4096];
	int wrong = 0;
	pthread_t threads[2];
	snprintf(paths[0], sizeof paths[0], "%s/libtorture_one.so", argv[1]);
	snprintf(paths[1], sizeof paths[1], "%s/libtorture_two.so", argv[1]);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, churn, NULL);
	for (int i = 0; i < rounds; i++) {
		wrong += use(paths[0], "one_keep", &one, i);
		wrong += use(paths[1], "two_keep", &two, i);
	}
	done = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	expect_print(1);
	return wrong != 0;
}
