# SPDX-License-Identifier: BSD-2-Clause
# lib_growth.sh - an nginx whose handlers leak by the book. After lib.sh and lib_nginx.sh.
#
#   /lua    keeps a string of 1,000 bytes more in a table         /calm   churn alone
#   /c      keeps 1,024 bytes more in C, by FFI                   every one churns and fills a cache of 400 entries

nginx_lua_http() {
	cat <<END
	init_by_lua_block {
		kept, cached, asked = {}, {}, 0
		local ffi = require "ffi"
		ffi.cdef "void *leak_keep(size_t bytes);"
		library = ffi.load("$programs/libleak.so")
		function churn()
			local t = {}
			for i = 1, 50 do t[i] = { name = "n" .. i, i } end
			asked = asked + 1
			cached[asked % 400] = string.rep("c" .. asked, 200)
		end
	}
END
}

nginx_lua_locations() {
	cat <<'END'
		location = /lua { content_by_lua_block {
			churn()
			kept[#kept + 1] = string.rep("k", 992) .. string.format("%08d", #kept)
			ngx.say("ok")
		} }
		location = /c { content_by_lua_block {
			churn()
			library.leak_keep(1024)
			ngx.say("ok")
		} }
		location = /calm { content_by_lua_block { churn() ngx.say("ok") } }
END
}

quiet() {
	"$@" >/dev/null 2>&1
}

# found JSON N FILTER: the jq filter holds of finding N (from 0).
found() {
	jq -e --argjson n "$2" ".findings[\$n] | $3" "$1" >/dev/null
}

# near NAME GOT WANTED PERCENT
near() {
	if awk -v g="$2" -v w="$3" -v p="$4" 'BEGIN { exit !(w > 0 && g >= w * (1 - p / 100) && g <= w * (1 + p / 100)) }'; then
		ok "$1"
	else
		not_ok "$1" "got $2, wanted $3 within $4 %"
	fi
}
