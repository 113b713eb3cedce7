#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# coverage.sh [WORD...] - which lines the unit tests and the quick integration tests reach: a table by file, the least
# covered first, and the sums of shim/ and report/. With WORDs only tests whose name has one of them.
#
# The build, in build/coverage, counts by gcov. What a process did is written when it ends by exit() or exec; one that is killed, or ends by
# _exit, tells nothing (nginx's workers and daemons that are ended by SIGKILL, children of torture). Nor does one that
# may not write: those of other users may, in build/coverage, but not with RLIMIT_FSIZE or without a descriptor. So
# the figures are a lower bound. Tests that count the shim's own memory, imports or descriptors may fail under it; that is said and not judged.
set -u
cd "$(dirname "$0")/.." || exit 2
export LC_ALL=C CK_VERBOSITY=silent
unset LD_PRELOAD ${!HEAPRAY_*}
words=("$@")
build=build/coverage
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wanted() {
	[ ${#words[@]} -eq 0 ] && return
	local word
	for word in "${words[@]}"; do
		case $1 in *"$word"*) return ;; esac
	done
	return 1
}

units=()
for file in tests/unit/test_*.c; do
	units+=("$build/${file%.c}")
done
{
	make -s DEPS=no programs && make -s -k DEPS=no "B=$build" "CC=gcc --coverage -fprofile-update=atomic" all "${units[@]}"
} >"$work/make" 2>&1 || {
	tail -n 20 "$work/make"
	exit 1
}
rm -rf $build/tests/programs
ln -s ../../tests/programs $build/tests/programs
find $build -name '*.gcda' -delete
umask 0
chmod -R a+rwX $build

run() {
	wanted "$1" || return
	shift
	timeout -k 10 900 "$@" >"$work/log" 2>&1 </dev/null
	[ $? -eq 0 ] && ! grep -q '^not ok ' "$work/log" || echo "$* failed: $(grep -m 3 '^not ok ' "$work/log" | cut -c 1-150 | paste -sd';')"
}

for unit in "${units[@]}"; do
	CK_TIMEOUT_MULTIPLIER=10 run "$unit" "$unit"
done
for script in tests/integration/*.sh; do
	case ${script##*/} in lib*) continue ;; esac
	TEST_BUILD=$PWD/$build run "$script" bash "$script"
done

# A line of a header counts as reached when it is in one of the files that include it.
find $build/shim $build/report -name '*.gcda' | xargs gcov --json-format --stdout 2>"$work/gcov" | python3 -c '
import collections, json, sys
lines = collections.defaultdict(dict)
functions = collections.defaultdict(dict)
for text in sys.stdin:
    for file in json.loads(text)["files"]:
        name = file["file"]
        if not name.startswith(("shim/", "report/", "include/")):
            continue
        for line in file["lines"]:
            lines[name][line["line_number"]] = lines[name].get(line["line_number"], False) or line["count"] > 0
        for function in file["functions"]:
            functions[name][function["name"]] = functions[name].get(function["name"], False) or function["execution_count"] > 0

def share(reached, of):
    return "%5.1f %%" % (100 * reached / of if of else 100)

sums = collections.defaultdict(lambda: [0, 0])
table = []
for name, of in lines.items():
    reached = sum(of.values())
    missed = sorted(function for function, called in functions[name].items() if not called)
    table.append((reached / len(of), name, reached, len(of), missed))
    for part in (name.split("/")[0] + "/", "all"):
        sums[part][0] += reached
        sums[part][1] += len(of)
print("%-34s %7s %7s %8s  %s" % ("file", "lines", "reached", "", "functions never called"))
for _, name, reached, of, missed in sorted(table):
    print("%-34s %7d %7d %s  %s" % (name, of, reached, share(reached, of), " ".join(missed)))
for part, (reached, of) in sorted(sums.items(), key=lambda item: item[0] == "all"):
    print("%-34s %7d %7d %s" % (part, of, reached, share(reached, of)))
'
