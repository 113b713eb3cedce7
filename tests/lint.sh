#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# lint.sh - cppcheck, clang-tidy and clang-format over shim/ and report/, as far as they are installed.
# Findings of the first two fail; formatting is only counted.
set -u
cd "$(dirname "$0")/.."
status=0
have() {
	command -v "$1" >/dev/null || { echo "lint: $1 is not here, left out"; return 1; }
}

if have cppcheck; then
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -j 2 \
		--enable=warning,portability --suppress=nullPointerArithmetic --suppress=missingIncludeSystem \
		-Iinclude -Ishim shim || status=1
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -j 2 \
		--enable=warning,portability --suppress=missingIncludeSystem \
		-Iinclude -Ireport report || status=1
fi
if have clang-tidy; then
	checks='-*,bugprone-*,clang-analyzer-core.*,clang-analyzer-unix.*,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier,-bugprone-implicit-widening-of-multiplication-result,-bugprone-narrowing-conversions,-bugprone-macro-parentheses'
	clang-tidy --quiet --checks="$checks" --warnings-as-errors='*' shim/*.c -- -std=gnu11 -Iinclude -Ishim 2>/dev/null || status=1
	clang-tidy --quiet --checks="$checks" --warnings-as-errors='*' report/*.c -- \
		-std=gnu11 -D_GNU_SOURCE -Iinclude -Ireport -DHEAPRAY_VERSION='"0"' 2>/dev/null || status=1
fi
if have clang-format; then
	unformatted=0
	for file in shim/*.[ch] report/*.[ch] include/*.h; do
		clang-format --dry-run -Werror "$file" 2>/dev/null || unformatted=$((unformatted + 1))
	done
	echo "lint: clang-format would change $unformatted files"
fi
exit $status
