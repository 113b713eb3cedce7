#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# page.sh - the page of `heapray report` in a real Chromium: the figures are those of --json, names stay text, click,
# search and keys work, and it fits a phone; the single pictures.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_page.sh"
export HEAPRAY_DIR=$segments

# Without debug information the symbol's own name is shown, which is markup.
strip -g "$programs/page_target" -o "$work/target"
hold "$work/target"
page=$work/page.html

"$heapray" report "$pid" -o "$page" 2>"$work/said"
is 'a page of a running process is written' "$?" 0
browse "$page" "$work/saw" <<END
const hit = heapray.groups('owner').find(g => g.frame.name.includes('<img')), rect = () => document.querySelectorAll('#flame rect').length;
const before = rect(), all = heapray.state.root;
await click([...document.querySelectorAll('#flame rect')].find(r => r.node.frame.name === 'main'));
const clicked = heapray.state.focus.frame.name;
await press('ArrowDown');
const down = heapray.state.here.frame.name;
await press('Enter');
const entered = heapray.state.focus.frame.name;
await press('Escape');
const left = heapray.state.focus.frame.name;
const search = document.getElementById('search');
search.value = 'LARGE';
search.dispatchEvent(new Event('input', { bubbles: true }));
const found = [...document.querySelectorAll('#flame .hit')].map(r => r.node.frame.name), sum = document.getElementById('detail').textContent;
document.getElementById('reset').click();
document.getElementById('by').value = 'allocated';
document.getElementById('by').dispatchEvent(new Event('change'));
const allocated = heapray.state.root.value;
document.getElementById('invert').click();
const inner = [...heapray.state.root.children.values()][0].children;
const rows = how => heapray.groups(how).map(g => [g.frame ? how === 'module' ? g.frame.module : g.frame.name.startsWith('0x') ? '?' : g.frame.name : '',
	g.live, g.count, g.peak, g.allocated, g.allocated_count]).map(r => r.join(' ')).sort();
document.getElementById('theme').click();
const dark = document.documentElement.dataset.theme, paper = getComputedStyle(document.body).backgroundColor;
const policy = await new Promise(done => {
	addEventListener('securitypolicyviolation', e => done(e.effectiveDirective), { once: true });
	const s = document.createElement('style'); s.textContent = 'body{}'; document.head.append(s);
	setTimeout(() => done('none'), 500);
});
await resize(400);
const narrow = [document.documentElement.scrollWidth, document.querySelectorAll('#flame rect').length > 3];
return { narrow, figures: $figures, hostile: hit && hit.frame.name, hostile_live: hit && hit.live, images: document.images.length, title: document.title,
	before, clicked, down, entered, left, found, sum, allocated, inner: [...inner.values()].map(n => n.frame.name), dark, paper, policy,
	groups: { stack: rows('stack'), owner: rows('owner'), module: rows('module') } };
END
got() { jq -r "$1" "$work/saw"; }
# The page's own script is let alone by the policy; what the test put in was not.
is 'no error on the console, nothing is asked of the network' \
	"$(jq -c '[[.errors[] | select(contains("inline style") | not)], .requests]' "$work/saw")" '[[],[]]'
is 'the policy stops a style that is not the page'\''s' "$(got .result.policy)" style-src-elem
figures_equal 'every figure of the page is that of --json' "$work/saw" "$pid"
is 'a function called </script><img ...> stays text' "$(got '.result | [.hostile, .hostile_live, .images, .title] | @csv')" \
	'"</script><img src=x onerror=document.title=1>",50000,0,"target - heapray"'
for how in stack owner module; do
	"$heapray" stacks "$pid" --group $how --json | jq -r --arg how $how '[.stacks[] | [(if $how == "module" then .frames[0].module else .frames[0].function // "?" end),
		.live_bytes, .live_count, .peak_bytes, .allocated_bytes, .allocated_count] | join(" ")] | sort[]' | sort >"$work/by-command"
	got ".result.groups.$how[]" | sort >"$work/by-page"
	same "the call paths by $how are those of stacks --json" "$work/by-command" "$work/by-page"
done
is 'a click looks closer' "$(got .result.clicked)" main
is 'keys move, enter and leave' "$(got '.result | [.down, .entered, .left] | join(" ")')" 'large large main'
is 'a search marks what it finds, and sums it' "$(got '.result | [.found[0], (.sum | contains("3.0 MiB, 97"))] | join(" ")')" 'large true'
is 'the picture can be of allocated bytes' "$(got .result.allocated)" "$("$heapray" stacks "$pid" --json | jq .total.allocated_bytes)"
is 'innermost first, the picture begins with who asked' "$(got '.result.inner | index("large") != null')" true
is 'the button makes it dark' "$(got '.result | [.dark, .paper] | join(" ")')" 'dark rgb(17, 22, 29)'

is 'it fits 400 pixels, the wide tables scroll by themselves' "$(jq -c .result.narrow "$work/saw")" '[400,true]'

# ---- single pictures -------------------------------------------------------------------------

bad=
for picture in system application family waterfall flame sizes ages heap; do
	"$heapray" report "$pid" --svg $picture -o "$work/$picture.svg" || bad+=" $picture:status"
done
python3 -c 'import sys, xml.dom.minidom as x; [x.parse(f) for f in sys.argv[1:]]' "$work"/*.svg || bad+=" no-xml"
is 'each picture is a well-formed SVG file' "$bad" ''
is 'the flame has a bar for large, and the hostile name as text' \
	"$(grep -c '<title>large: 3.0 MiB' "$work/flame.svg") $(grep -c '<title>&#60;/script&#62;&#60;img' "$work/flame.svg")" '1 1'
"$heapray" report "$pid" --svg nonsense -o "$work/none.svg" 2>"$work/said"
is 'a picture that does not exist: status 2, and no file' "$? $([ -e "$work/none.svg" ] && echo file)" '2 '
is 'and the error names those that do' "$(grep -c 'waterfall' "$work/said")" 1
