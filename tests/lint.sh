#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# lint.sh - cppcheck, clang-tidy and clang-format over shim/ and report/, shellcheck over the scripts, mandoc (else man)
# over the man page, as far as they are installed. Formatting is only counted; what the others find fails.
#
# The shim makes its system calls in assembler, and neither tool knows what those write: what they say of
# uninitialised memory there is noise, and left out. So is cppcheck 2.10's own trouble with some conditions
# (internalAstError) and with a pointer to the end of an array. Of shellcheck only errors count: its warnings are of
# variables that scripts have from lib.sh. SC1087 takes jq's brackets for the shell's.
set -u
cd "$(dirname "$0")/.."
status=0
have() {
	command -v "$1" >/dev/null || { echo "lint: $1 is not here, left out"; return 1; }
}

if have cppcheck; then
	check() {
		cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -j 2 --enable=warning,portability \
			--suppress=missingIncludeSystem --suppress=internalAstError --suppress=nullPointerArithmetic -Iinclude "$@" || status=1
	}
	check -Ishim --suppress=uninitvar --suppress=arrayIndexOutOfBounds shim
	check -Ireport report
fi
if have clang-tidy; then
	checks='-*,bugprone-*,clang-analyzer-core.*,clang-analyzer-unix.*,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier,-bugprone-implicit-widening-of-multiplication-result,-bugprone-narrowing-conversions,-bugprone-macro-parentheses,-bugprone-branch-clone,-bugprone-sizeof-expression,-bugprone-integer-division,-bugprone-suspicious-string-compare,-bugprone-incorrect-roundings'
	written_by_assembler='-clang-analyzer-core.UndefinedBinaryOperatorResult,-clang-analyzer-core.uninitialized.*'
	# uthash's macros and arrays that come with their count are beyond it; the reporter leaves memory to exit.
	lists_and_tables='-clang-analyzer-unix.Malloc,-clang-analyzer-core.NullDereference,-clang-analyzer-core.uninitialized.ArraySubscript'
	tidy() {
		folder=$1 checked=$2
		printf '%s\n' "$folder"/*.c | xargs -P 2 -I{} clang-tidy --quiet --checks="$checked" --warnings-as-errors='*' {} -- \
			-std=gnu11 -D_GNU_SOURCE -Iinclude "-I$folder" '-DHEAPRAY_VERSION="0"' 2>/dev/null || status=1
	}
	tidy shim "$checks,$written_by_assembler"
	tidy report "$checks,$lists_and_tables"
fi
if have shellcheck; then
	shellcheck -s bash -S error -e SC1087 tests/*.sh tests/integration/*.sh tests/integration/long/*.sh tests/fuzz/*.sh \
		tests/bench/*.sh examples/*/*.sh .ci/* report/heapray.bash-completion || status=1
fi
if command -v mandoc >/dev/null; then
	mandoc -T lint -W warning report/heapray.1 || status=1
elif have man; then
	complaints=$(man --warnings -E UTF-8 -l -Tutf8 report/heapray.1 2>&1 >/dev/null)
	[ -z "$complaints" ] || { echo "$complaints"; status=1; }
fi
if have clang-format; then
	unformatted=0
	for file in shim/*.[ch] report/*.[ch] include/*.h; do
		clang-format --dry-run -Werror "$file" 2>/dev/null || unformatted=$((unformatted + 1))
	done
	echo "lint: clang-format would change $unformatted files"
fi
exit $status
