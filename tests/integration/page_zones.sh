#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# page_zones.sh - the page of a real nginx with Lua: zones, their layouts and the box that says what would fit; a zone and
# a Lua chunk whose names are markup; what grew while it was watched; and the page of what changed between two snapshots.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_zones.sh"
. "$(dirname "$0")/lib_page.sh"
export HEAPRAY_DIR=$segments

conf 1 "lua_shared_dict cats 40k; lua_shared_dict '</script><b>dogs' 200k;
	init_by_lua_block { kept = {} grow = loadstring('return function(i) kept[i] = string.rep(\"g\" .. i, 5000) end', '=<img src=x onerror=1>')() }
	server { listen 127.0.0.1:$port; location = /ready { return 200; }
	location = /fill { content_by_lua_block { for i = 1, 300 do ngx.shared.cats:safe_set('k' .. i, string.rep('x', 20)) end
		for i = 1, 300, 2 do ngx.shared.cats:delete('k' .. i) end
		for i = 1, 40 do ngx.shared['</script><b>dogs']:set('k' .. i, string.rep('y', i * 30)) end } }
	location = /grow { content_by_lua_block { for i = 1, 50 do grow(#kept + 1) end } } }"
nginx_start shimmed || exit 1
get /fill
get /grow
page=$work/page.html

"$heapray" snapshot "$master" -o "$work/before.snap" 2>/dev/null
"$heapray" report "$master" -o "$page" 2>"$work/said"
is 'a page of nginx is written' "$?" 0
sizes='[1, 8, 9, 100, 128, 129, 600, 2048, 2049, 4096, 4097, 20000, 100000, 1000000]'
browse "$page" "$work/saw" <<END
const zones = [...document.querySelectorAll('.zone')].filter(z => z.querySelector('.fit')).map(z => [z.querySelector('h3').firstChild.textContent.trim(),
	$sizes.map(s => heapray.fits(z.querySelector('.fit'), s)[0])]);
const input = document.querySelector('.fit input');
input.value = 1000000000;
input.dispatchEvent(new Event('input'));
return { figures: $figures.filter(f => !f[0].startsWith('breakdown')), zones, answer: document.querySelector('.fit output').textContent, bold: document.querySelectorAll('b:not(.tile b)').length,
	layouts: document.querySelectorAll('.zone .layout .cells').length, images: document.images.length,
	states: [...document.querySelectorAll('.zone .state')].map(s => s.textContent) };
END
quiet 'no error on the console, nothing is asked of the network' "$work/saw"
# But breakdown's: what a page shared with us counts in Pss changes by looking. page.sh compares those of one process.
figures_equal 'every figure of the page is that of --json, the zones'\'' too' "$work/saw" "$master"
is 'a zone called </script><b>dogs stays text' "$(jq -c '.result | [(.zones | any(.[0] == "</script><b>dogs")), .bold, .images]' "$work/saw")" '[true,0,0]'
is 'each zone that could be read has its layout' "$(jq .result.layouts "$work/saw")" "$("$heapray" zones "$master" --json | jq '[.zones[] | select(.used)] | length')"
is 'the states are those of zones --json' "$(jq -c .result.states "$work/saw")" "$("$heapray" zones "$master" --json | jq -c '[.zones[] | .state // "not read"]')"
wrong=
for size in $(jq -r '.[]' <<<"$sizes"); do
	"$heapray" zones "$master" --fit "$size" --json | jq -c --argjson s "$size" '[.zones[] | select(.fit) | [.name, .fit.fits]]' >"$work/by-command"
	jq -c --argjson s "$size" --argjson sizes "$sizes" '($sizes | index($s)) as $i | [.result.zones[] | [.[0], .[1][$i]]]' "$work/saw" >"$work/by-page"
	cmp -s "$work/by-command" "$work/by-page" || wrong+=" $size"
done
is 'the fit box answers as zones --fit does' "$wrong" ''
is 'and says why' "$(jq -r .result.answer "$work/saw" | cut -c 1-24)" 'No: it needs 244,141 fre'

# ---- while it grows --------------------------------------------------------------------------

(sleep 0.7; for i in 1 2 3; do get /grow; done) &
"$heapray" report "$master" --for 3s -o "$page" 2>"$work/said"
browse "$page" "$work/saw" <<'END'
document.getElementById('by').value = 'grown';
document.getElementById('by').dispatchEvent(new Event('change'));
return { grown: heapray.state.root.value, heap: [...heapray.state.root.children.values()][0].frame.name, seconds: heapray.stacks.seconds,
	line: document.querySelectorAll('#time .line').length };
END
quiet 'a page of a growing nginx: no error' "$work/saw"
is 'what grew while it was watched is the VM'\''s, and can be drawn' \
	"$(jq -r '.result | [.heap, (.grown > 500000), .seconds, (.line > 1)] | map(tostring) | join(" ")' "$work/saw")" 'luajit:http:0 true 3 true'

# ---- before and after ------------------------------------------------------------------------

"$heapray" snapshot "$master" -o "$work/after.snap" 2>/dev/null
"$heapray" report "$work/before.snap" "$work/after.snap" -o "$page"
is 'a page of what changed is written' "$?" 0
browse "$page" "$work/saw" <<<"return { figures: $figures, text: document.querySelector('main').textContent };"
quiet 'its page: no error' "$work/saw"
"$heapray" diff "$work/before.snap" "$work/after.snap" --json >"$work/diff.json"
is 'its figures are those of diff --json' "$(jq -c '[.result.figures[][1] | tonumber]' "$work/saw")" \
	"$(jq -c '[.total.before_bytes, .total.after_bytes, .total.live_bytes, (["stack", "lua", "component", "zone"][] as $k | .changes[] | select(.what == $k) | .delta_bytes, .before_bytes, .after_bytes)]' "$work/diff.json")"
nginx_stop
