/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * newonly.cc - a program that replaces only operator new(size_t) and delete(void*), as the standard allows:
 * all other forms must lead there. Its blocks begin with a word of its own, so one that came from elsewhere
 * is noticed, and aborts.
 */
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

static const size_t OURS = 0x6f7572626c6f636bul;
static unsigned long made, gone;

void *operator new(size_t n)
{
	size_t *p = static_cast<size_t *>(malloc(n + 16));
	if (!p)
		throw std::bad_alloc();
	p[0] = OURS;
	made++;
	return p + 2;
}

void operator delete(void *block) noexcept
{
	if (!block)
		return;
	size_t *p = static_cast<size_t *>(block) - 2;
	if (p[0] != OURS)
		abort();
	p[0] = 0;
	gone++;
	free(p);
}

int main()
{
	for (int i = 1; i < 200; i++) {
		int *many = new int[i];
		delete[] many;
		char *quiet = new (std::nothrow) char[i];
		delete[] quiet;
		::operator delete(::operator new(i), size_t(i));
		::operator delete[](::operator new[](i), size_t(i));
		::operator delete(::operator new(i, std::nothrow), std::nothrow);
		std::vector<std::string> texts(i % 10, std::string(40 + i, 'x'));
		std::map<int, std::shared_ptr<std::string>> tree;
		for (int j = 0; j < i % 7; j++)
			tree[j] = std::make_shared<std::string>(100, 'y');
	}
	printf("made %lu gone %lu\n", made, gone);
	return made == gone ? 0 : 1;
}
