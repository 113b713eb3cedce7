/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page_target.c [SITES] - holds blocks of known owners, one of them of a function whose name is markup; with SITES from
 * so many different stacks. Prints its pid and waits to be killed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The assembler takes any name in quotes, and so may whoever builds the program that is looked at. */
static void *hostile(size_t n) __asm__("\"</script><img src=x onerror=document.title=1>\"") __attribute__((used));
static void *hostile(size_t n)
{
	return malloc(n);
}

static void *large(void)
{
	return malloc(3u << 20);
}

static void *small(void)
{
	return malloc(40);
}

/* A path of its own for each number: its bits are calls. */
static void *zero(unsigned bits, unsigned left);
static void *one(unsigned bits, unsigned left)
{
	return left ? bits & 1 ? one(bits >> 1, left - 1) : zero(bits >> 1, left - 1) : malloc(64);
}
static void *zero(unsigned bits, unsigned left)
{
	return left ? bits & 1 ? one(bits >> 1, left - 1) : zero(bits >> 1, left - 1) : malloc(64);
}

int main(int argc, char **argv)
{
	const unsigned sites = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	static void *kept[2000];

	memset(large(), 1, 3u << 20);
	for (int i = 0; i < 2000; i++)
		kept[i] = i % 2 ? small() : hostile(100);
	for (int i = 0; i < 2000; i += 4)
		free(kept[i]);
	for (unsigned i = 0; i < sites; i++)
		memset(zero(i, 16), 1, 64);
	printf("%d\n", (int)getpid());
	fflush(stdout);
	for (;;)
		pause();
}
