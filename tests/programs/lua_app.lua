-- lua_app.lua: handlers that allocate at known lines, for nginx.
local ffi = require "ffi"
ffi.cdef "void *malloc(size_t);"
local app, kept, calls = {}, {}, 0

function app.leak(n) -- lines 6 to 11
	for i = 1, n do
		kept[#kept + 1] = { i, name = "n" .. i }
	end
	return #kept
end

function app.strings(n) -- lines 13 to 20
	local s = {}
	calls = calls + 1
	for i = 1, n do
		s[i] = string.rep("b", 2000) .. calls .. i
	end
	return #table.concat(s)
end

function app.capture(n) -- lines 22 to 25
	local answer = ngx.location.capture("/part?n=" .. n)
	return #answer.body
end

function app.part(n) -- lines 27 to 29
	ngx.print(string.rep(tostring(n), 30000))
end

function app.blocks(n) -- lines 31 to 35
	for i = 1, n do
		ffi.C.malloc(1000)
	end
end

-- Mixed work whose answer is known.
function app.mixed(n)
	local parts = {}
	for i = 1, 20 do
		local co = coroutine.create(function(a)
			local b = coroutine.yield({ a + 1 })
			return a + b
		end)
		local _, t = coroutine.resume(co, i)
		local _, sum = coroutine.resume(co, t[1])
		local ok, e = pcall(error, { n = sum })
		parts[i] = tostring(not ok and e.n)
	end
	if n % 50 == 0 then
		parts[1] = loadstring("return " .. 3 .. " -- " .. n)()
	end
	return table.concat(parts, ",")
end

return app
