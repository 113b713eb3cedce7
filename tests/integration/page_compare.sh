#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# page_compare.sh - the page of what `heapray compare --json` wrote: its figures, an arm that does not count, hostile names.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_page.sh"

run='{"wall_s":1.5,"user_s":1.25,"system_s":0.25,"peak_resident_bytes":40000000,"peak_requested_bytes":30000000,"peak_usable_bytes":null,
	"peak_held_bytes":35000000,"allocations":123456,"startup_allocations":7,"page_faults":99,"exit_status":0,"metric":null}'
cat >"$work/compare.json" <<END
{"schema":1,"command":["prog","<img src=x onerror=1>"],"arms":[
{"allocator":"glibc","void":null,"runs":[$run],"bare_runs":[],"median":$run,"spread":{"wall_s":0.125},
 "timeline":{"seconds":[0,1,2],"resident_bytes":[1000,null,3000000],"requested_bytes":[0,5,2000000]},
 "sizes":[{"up_to_bytes":64,"count":10,"requested_bytes":600,"usable_bytes":640}]},
{"allocator":"</script><b>x","void":"another one served it","runs":[],"bare_runs":[],"median":null,"spread":null,"timeline":null,"sizes":null}],
"verdict":["no difference <i>beyond</i> noise"],
"quality":{"sampled_bytes":null,"lost":{"nested":3},"unknown_frees":0,"unwind_differences":null,"approximate":["a <b>note</b>"],"own_bytes":5}}
END
page=$work/page.html
"$heapray" report "$work/compare.json" -o "$page"
is 'a page of a comparison is written' "$?" 0
browse "$page" "$work/saw" <<<"return { figures: $figures, bars: document.querySelectorAll('#compare .narrow rect[class^=w-]').length,
	lines: document.querySelectorAll('#compare .line').length, text: document.body.textContent,
	markup: document.querySelectorAll('main b, main i:not(.key), img').length };"
quiet 'no error on the console, nothing is asked of the network' "$work/saw"
paths=$(figure_paths "$work/saw" compare)
is 'its figures are those of the file' "$(jq -c '[.result.figures[][1] | tonumber]' "$work/saw")" "$(jq -c "$paths" "$work/compare.json")"
is 'times, sizes and counts are there' "$(jq '[.result.figures[][0]] | map(select(test("wall_s|peak_held|allocations"))) | length' "$work/saw")" 3
is 'bars and time lines are drawn' "$(jq -c '.result | [.bars >= 3, .lines >= 2]' "$work/saw")" '[true,true]'
is 'an arm that does not count says why' "$(jq '.result.text | contains("</script><b>x does not count: another one served it")' "$work/saw")" true
is 'the verdict, the command and the notes stay text' "$(jq -c '.result | [.markup, (.text | contains("no difference <i>beyond</i> noise")), (.text | contains("<img src=x"))]' "$work/saw")" '[0,true,true]'
"$heapray" report "$work/compare.json" --svg compare -o "$work/compare.svg"
holds 'the bars alone are a well-formed SVG file' python3 -c 'import sys, xml.dom.minidom as x; x.parse(sys.argv[1])' "$work/compare.svg"
echo '{"schema":1}' >"$work/other.json"
"$heapray" report "$work/other.json" -o "$page" 2>"$work/said"
is 'another JSON file is none: status 2, and what writes one' "$? $(grep -c 'compare --json' "$work/said")" '2 1'
