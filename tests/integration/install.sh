# SPDX-License-Identifier: BSD-2-Clause
# make install: what lands where, and an installed heapray that finds its library, also through a link.
. "$(dirname "$0")/lib.sh"

make -C "$root" -s DEPS=no install PREFIX=/opt/x DESTDIR="$work/root" >"$work/out" 2>&1 || not_ok "make install" "$(tail -3 "$work/out")"
is "what is installed" "$(cd "$work/root" && find . -type f ! -name heapray.h | sort | tr '\n' ' ')" \
	"./opt/x/bin/heapray ./opt/x/lib/heapray/libheapray.so ./opt/x/share/bash-completion/completions/heapray ./opt/x/share/man/man1/heapray.1 "
ln -s "$work/root/opt/x/bin/heapray" "$work/hr"
for command in "$work/root/opt/x/bin/heapray" "$work/hr"; do
	rm -rf "$segments"
	"$command" run --dir "$segments" -- /bin/true 2>"$work/errors"
	is "$(basename "$command") runs a program watched" "$? $(ls "$segments" | wc -l) $(cat "$work/errors")" "0 1 "
done
mkdir "$work/alone" && cp "$heapray" "$work/alone/"
(cd / && "$work/alone/heapray" run --dir "$segments" -- /bin/true) >"$work/out" 2>"$work/errors"
is "without its library it says so, and does not run the program" $? 2
is "heapray --version" "$("$heapray" --version | grep -cE '^heapray [0-9]+\.[0-9]+')" 1
is "every command has --help with status 0" "$(for c in $("$heapray" --help | sed -n 's/^  \([a-z]\+\)  .*/\1/p'); do "$heapray" "$c" --help >/dev/null 2>&1 || echo "$c"; done)" ""
if command -v mandoc >/dev/null; then
	is "the man page is clean" "$(mandoc -T lint -W warning "$root/report/heapray.1" 2>&1)" ""
fi
