-- lua_churn.lua: code that comes and goes, at addresses used before: fifty chunks, each of which leaves the same behind.
local ffi = require "ffi"
ffi.cdef "int usleep(unsigned); void *malloc(size_t);"
local kept = {}
for k = 1, 50 do
	local f = loadstring("local ffi = ... local t = {} for i = 1, 200 do t[i] = { i } end ffi.C.malloc(5000) return t", "=chunk" .. k)
	kept[k] = f(ffi)
	f = nil
	collectgarbage()
	collectgarbage()
end
collectgarbage("stop")
io.write("{}\n")
io.flush()
ffi.C.usleep(30000000)
