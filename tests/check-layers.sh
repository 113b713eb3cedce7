#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# check-layers.sh BUILD - the rules about who may know whom, as far as a machine can see them.
#
#   - shim/ and report/ never include each other, and nothing includes tests/
#   - only shim/hooks*.c defines malloc and its family, so that the rest links into ordinary tests
#   - a third-party library is included in exactly one .c file, and in no header
#   - libheapray.so exports what tests/exports.txt lists, and imports nothing that tests/imports.txt does not
#
# One line for each breach; exit 1 if there was one.
set -u
cd "$(dirname "$0")/.."
build=${1:-build}
export LC_ALL=C
breaches=$(mktemp) scratch=$(mktemp)
trap 'rm -f "$breaches" "$scratch"' EXIT

breach() {
	echo "check-layers: $*" | tee -a "$breaches"
}

# apart A B: the includes in folder A of headers that only folder B has, and of paths into B or tests.
apart() {
	theirs=$(cd "$2" && ls ./*.h | sed 's/^..//; s/\./\\./' | while read -r name; do
		[ -e "../$1/$(echo "$name" | tr -d '\\')" ] || echo "$name"
	done | paste -sd'|')
	grep -nE "#include *[<\"](.*(\.\./|$2/|tests/).*|${theirs:-none})[>\"]" "$1"/*.[ch]
}
for line in $(apart shim report | tr ' ' _) $(apart report shim | tr ' ' _); do
	breach "$line: the other side of the segment"
done

# Third-party libraries: name, then a pattern of their headers. argp is glibc's.
while read -r library headers; do
	users=$(grep -lE "#include *[<\"]($headers)[>\"]" shim/*.[ch] report/*.[ch] 2>/dev/null)
	for user in $users; do
		case $user in *.h) breach "$user: names $library, which belongs behind a header that does not" ;; esac
	done
	[ "$(echo "$users" | grep -c .)" -le 1 ] || breach "$library: included by more than one file:" $users
done <<'END'
libunwind	libunwind[a-z0-9_-]*\.h
uthash	ut(hash|list|array|string|ringbuffer|stack)\.h
libdw	(elfutils/)?(libdw|libdwfl|libdwelf|libelf|gelf|dwarf|libasm|version|known-dwarf)\.h
libiberty	(libiberty/)?(demangle|libiberty|ansidecl)\.h
jansson	jansson\.h
zlib	z(lib|conf)\.h
ncurses	(ncursesw?/)?(n?curses|panel|menu|form|term)\.h
libmicrohttpd	microhttpd\.h
END

# Who defines what the program will bind to. LuaJIT's hooks and the named heaps have files of their own.
for source in shim/*.c; do
	case $source in shim/hooks*) ;; *) echo "$build/${source%.c}.o" ;; esac
done | xargs nm -A --defined-only --extern-only | awk '{ sub(/:.*/, "", $1); print $NF, $1 }' | sort >"$scratch"
for line in $(join "$scratch" tests/exports.txt | grep -vE '^(luaL?|heapray)_' | tr ' ' :); do
	breach "${line#*:} defines ${line%%:*}; only shim/hooks*.c may"
done

nm -D --defined-only "$build/libheapray.so" | awk '{sub(/@.*/, "", $NF); print $NF}' | sort -u >"$scratch"
for symbol in $(comm -23 "$scratch" tests/exports.txt); do
	breach "libheapray.so exports $symbol, which tests/exports.txt does not list"
done
for symbol in $(comm -13 "$scratch" tests/exports.txt); do
	breach "libheapray.so does not export $symbol, which tests/exports.txt lists"
done

nm -D --undefined-only "$build/libheapray.so" | awk '{sub(/@.*/, "", $NF); print $NF}' | sort -u >"$scratch"
for symbol in $(comm -23 "$scratch" tests/imports.txt); do
	breach "libheapray.so imports $symbol, which tests/imports.txt does not list"
done

[ ! -s "$breaches" ]
