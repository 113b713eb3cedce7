-- lua_held.lua: fills 20 MB, frees all but every 50th, and says what the collector counts; then waits.
local ffi = require "ffi"
ffi.cdef "int usleep(unsigned);"
local kept, all = {}, {}
for i = 1, 300000 do
	local t = { i }
	all[i] = t
	if i % 50 == 0 then
		kept[#kept + 1] = t
	end
end
local full = collectgarbage("count") * 1024
all = nil
collectgarbage()
collectgarbage()
for i = 1, 400 do
	ffi.C.usleep(10000)
	kept[i] = { i } -- events, so that it looks again
end
collectgarbage("stop")
io.write(string.format('{"full":%d,"count":%d}\n', full, collectgarbage("count") * 1024))
io.flush()
ffi.C.usleep(30000000)
