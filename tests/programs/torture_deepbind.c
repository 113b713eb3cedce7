/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * torture_deepbind.c DIRECTORY - libtorture_one.so loaded with RTLD_DEEPBIND: its malloc is libc's, whatever was
 * preloaded. Its blocks are freed by the program, and the other way round the program's by it: the shim sees half
 * of each. To be run with glibc's malloc alone, where that is no mistake.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/libtorture_one.so", argv[1]);
	void *library = dlopen(path, RTLD_NOW | RTLD_DEEPBIND);
	void *(*keep)(int, size_t) = library ? (void *(*)(int, size_t))dlsym(library, "one_keep") : NULL;
	void (*inner_free)(void *) = keep ? (void (*)(void *))dlsym(library, "free") : NULL;
	if (!inner_free) {
		fprintf(stderr, "%s\n", dlerror());
		return 3;
	}
	for (int i = 0; i < 1000; i++) {
		free(realloc(keep(i % 5, 64), 100 + (size_t)i));
		inner_free(malloc(64));
		free(malloc(64));
	}
	puts("exchanged");
	return dlclose(library);
}
