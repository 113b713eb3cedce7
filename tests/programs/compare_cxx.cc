/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare_cxx.cc - a C++ program that does the same each time: strings, containers, aligned new, arrays, and
 * blocks that outlive each other. Prints a number that depends on all of it.
 */
#include <cstdio>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <vector>

struct alignas(64) line {
	unsigned char bytes[64];
};

static unsigned next_random()
{
	static unsigned state = 12345;
	return state = state * 1103515245u + 12345u, state >> 16;
}

int main()
{
	std::map<std::string, std::vector<int>> words;
	std::vector<std::unique_ptr<line>> lines;
	std::vector<std::unique_ptr<int[]>> arrays;
	unsigned long sum = 0;

	for (int i = 0; i < 40000; i++) {
		std::string word = "a word that is too long to be kept inside " + std::to_string(next_random() % 2000);
		words[word].push_back(i);
		if (i % 4 == 0)
			lines.emplace_back(new line());
		if (i % 3 == 0)
			arrays.emplace_back(new int[next_random() % 100 + 1]);
		if (i % 1000 == 999)
			words.erase(words.begin());
		if (i % 5 == 0 && !arrays.empty())
			arrays[next_random() % arrays.size()].reset();
	}
	for (const auto &entry : words)
		sum += entry.first.size() * entry.second.size();
	std::printf("%lu %zu %zu\n", sum, lines.size(), arrays.size());
	return 0;
}
