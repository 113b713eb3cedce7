-- lua_lines.lua: allocates at known lines, then says what it knows, as JSON, and waits to be killed (or goes on).
--   lua_lines.lua MEGABYTES [end]
-- The collector is stopped while a function is measured: what the count went up by is what lives from there.
local ffi = require "ffi"
ffi.cdef "void *malloc(size_t); int usleep(unsigned); int fork(void); int kill(int, int); int getpid(void);"
local megabytes, finish = tonumber(arg[1]), arg[2]
local kept, results, warm = {}, { tables = 0, strings = 0, coroutine = 0, code = 0 }, {}

local function tables(n)
	for i = 1, n do
		kept[#kept + 1] = { i, name = i }
	end
end

local function strings(n)
	local all = {}
	for i = 1, n do
		all[i] = string.rep("s", 1000) .. i
	end
	return all
end

local function pairs_of(n) -- in a coroutine, under pcall
	local all = {}
	local co = coroutine.wrap(function()
		for i = 1, n do
			all[i] = { { i } }
			coroutine.yield(i)
		end
	end)
	for i = 1, n do
		assert(pcall(co))
	end
	return all
end

local function blocks(n) -- 1000 bytes each
	for i = 1, n do
		ffi.C.malloc(1000)
	end
end

local function code(n)
	local all = {}
	for i = 1, n do
		all[i] = loadstring("return " .. i, "=code")
	end
	return all
end

local measured = {}
local function measure(name, first, last, f, n)
	collectgarbage()
	collectgarbage("stop")
	local before = collectgarbage("count")
	results[name] = f(n) or true
	measured[#measured + 1] = string.format('{"name":"%s","first":%d,"last":%d,"bytes":%d}', name, first, last,
		(collectgarbage("count") - before) * 1024)
end

for i = 1, 40000 do warm[i] = "w" .. i end -- the table of strings has room now
local n = megabytes * 2600
measure("tables", 9, 13, tables, n * 3)
measure("strings", 15, 21, strings, n / 6)
measure("coroutine", 23, 35, pairs_of, n)
measure("code", 43, 49, code, 500)
blocks(1000)
ffi.errno(11)
for i = 1, 1000 do warm[i] = { i } end
local errno = ffi.errno()
local text = table.concat(measured, ",")
if finish == "end" then return end
io.write('{"errno":', errno, ',"measured":[', text, ']', string.format(',"count":%d}\n', collectgarbage("count") * 1024))
io.flush()
if finish == "fork" then
	local child = ffi.C.fork()
	if child == 0 then
		results.strings = nil
		collectgarbage()
		collectgarbage()
		tables(1000)
		io.write('{"child":', ffi.C.getpid(), string.format(',"count":%d}\n', collectgarbage("count") * 1024))
		io.flush()
	end
end
ffi.C.usleep(30000000)
