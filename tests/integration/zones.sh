#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# zones.sh - a lua_shared_dict of 40k filled with cats, holed, and asked for one big cat: every figure of
# every step, exactly, under a bare nginx and under the shim.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lib_zones.sh"

conf 1 "
	lua_shared_dict cats 40k;
	server {
		listen 127.0.0.1:$port;
		location /ready { return 200 ok; }
		location /fill { content_by_lua_block {
			local cats, n = ngx.shared.cats, 0
			for i = 0, 1000000 do
				if not cats:safe_set(i, i) then break end
				n = n + 1
			end
			ngx.say('inserted ', n, ' keys.')
		} }
		location /odd { content_by_lua_block {
			local cats = ngx.shared.cats
			for i = 1, 255, 2 do cats:delete(i) end
		} }
		location /half { content_by_lua_block {
			local cats = ngx.shared.cats
			for i = 0, 127 do cats:delete(i) end
		} }
		location /big { content_by_lua_block {
			local ok, why = ngx.shared.cats:safe_set('Jane', string.rep('a', 200))
			ngx.say(ok and 'succeeded in inserting the big entry.' or 'failed to add a big entry: ' .. why)
		} }
	}"

# figures: [pages free, longest run, used slabs, used by size, free by size, state, approximate]
figures='.zones[0] | [.pages_free, .largest_free_run_pages, .used.count, .used.sizes, .free.sizes, .state, .approximate] | tojson'
# slot BYTES: [total, used, requests, failures] of it
slot() { printf '.zones[0].slots[] | select(.size_bytes == %s) | [.total, .used, .requests, .failures] | tojson' "$1"; }

# step NAME FIGURES [SLOT EXPECTED]
step() {
	local json
	json=$(zones cats)
	is "$mode: $1" "$(jq -r "$figures" <<<"$json")" "$2"
	[ $# -lt 4 ] || is "$mode: $1: slot $3" "$(jq -r "$(slot "$3")" <<<"$json")" "$4"
}

for mode in bare shimmed; do
	nginx_start $mode || { not_ok "$mode: nginx starts"; continue; }
	is "$mode: kind, size and pages" "$(zones cats | jq -r '.zones[0] | [.name, .kind, .generation, .size_bytes, .pages_total] | tojson')" \
		'["cats","lua_shared_dict",1,40960,9]'
	step 'an empty dict' '[7,7,3,{"32":2,"128":1},{"32":126,"128":31,"4096":7},"fine",false]'

	is "$mode: nginx fills the dict" "$(get /fill)" 'inserted 255 keys.'
	step 'a filled dict' '[0,0,258,{"32":2,"128":256},{"32":126},"full",false]' 128 '[256,256,257,1]'

	get /odd
	step 'odd keys deleted' '[0,0,131,{"32":2,"128":129},{"32":126,"128":127},"fragmented",false]'
	fit=$(zones cats --fit-value 200 --key-length 5 | jq -r '.zones[0].fit | [.bytes, .fits, .why] | tojson')
	is "$mode: a 200-byte entry does not fit, and why" "$fit" \
		'[273,false,"no free chunk in slot 512 and no free page; the 20288 free bytes are chunks of 128 and 32 bytes in pages of other slots, which this size cannot use"]'
	is "$mode: another small entry fits" "$(zones cats --fit-value 8 --key-length 3 | jq .zones[0].fit.fits)" true
	is "$mode: nginx refuses the big entry" "$(get /big)" 'failed to add a big entry: no memory'
	is "$mode: the refused request is counted" "$(zones cats | jq -r "$(slot 512)")" '[0,0,1,1]'
	is "$mode: the advice names what was refused" \
		"$(zones cats | jq '.zones[0].advice | any(contains("1 of 257 to 512 bytes"))')" true
	nginx_stop

	nginx_start $mode || { not_ok "$mode: nginx starts again"; continue; }
	get /fill >/dev/null
	get /half
	step 'first half deleted' '[3,3,130,{"32":2,"128":128},{"32":126,"128":32,"4096":3},"fine",false]'
	is "$mode: the big entry now fits" "$(zones cats --fit-value 200 --key-length 4 | jq .zones[0].fit.fits)" true
	is "$mode: nginx takes the big entry" "$(get /big)" 'succeeded in inserting the big entry.'
	step 'the big entry in' '[2,2,131,{"32":2,"128":128,"512":1},{"32":126,"128":32,"512":7,"4096":2},"fine",false]' 512 '[8,1,1,0]'

	"$heapray" zones "$master" cats --svg "$work/cats.svg" >/dev/null
	is "$mode: the picture has a cell a slab" "$(grep -c '<title>' "$work/cats.svg")" $((131 + 126 + 32 + 7 + 2))
	"$heapray" zones "$master" cats --layout --color=never >"$work/layout"
	is "$mode: the layout shows the run" "$(grep -cE '^ +[0-9]+-[0-9]+ +free +\.+ +2 pages$' "$work/layout")" 1
	nginx_stop
done

# The shim's copies outlive the processes: the head alone, with its age, and never called exact.
ended=$(segment_of "$master")
is 'an ended nginx: name, size and pages are known' "$("$heapray" zones "$ended" cats --json | jq -c '.zones[0] | [.name, .kind, .size_bytes, .pages_total]')" \
	'["cats","lua_shared_dict",40960,9]'
is 'an ended nginx: what was not published is null, and said to be approximate' \
	"$("$heapray" zones "$ended" cats --json | jq -c '.zones[0] | [.state, .used, .resident_bytes, .approximate, (.age_ms | type)]')" \
	'[null,null,null,true,"number"]'
