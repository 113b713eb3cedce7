-- lua_stress.lua SECONDS: everything that moves, frees or unwinds Lua stacks while it allocates, with the JIT
-- compiler on; each answer is checked. Says how many rounds it made.
local ffi = require "ffi"
ffi.cdef[[
void *malloc(size_t);
void free(void *);
void qsort(void *base, size_t n, size_t size, int (*compare)(const int *, const int *));
]]
local compare = ffi.cast("int (*)(const int *, const int *)", function(a, b)
	local t = { a[0], b[0] }
	return t[1] - t[2]
end)

local function sort() -- a callback from C
	local n = 50
	local a = ffi.new("int[?]", n)
	for i = 0, n - 1 do a[i] = (i * 37) % n end
	ffi.C.qsort(a, n, 4, compare)
	for i = 0, n - 1 do assert(a[i] == i) end
end
jit.off(sort)

local function deep(n)
	if n == 0 then return { n } end
	local t = deep(n - 1)
	return { t[1] + 1 }
end

local function tail(n, s)
	if n == 0 then return s end
	return tail(n - 1, s .. "t")
end

local function vararg(...)
	local t = { ... }
	if #t > 20 then return #t end
	return vararg(#t, ...)
end

local function raises(i)
	local t = { i }
	if i % 3 == 0 then error({ code = i }) end
	if i % 3 == 1 then error("text " .. i) end
	return t[1] + nil
end

local meta = {
	__index = function(_, k) return { k } end,
	__add = function(a, b) return setmetatable({ b }, getmetatable(a)) end,
	__concat = function(_, b) return "c" .. tostring(b) end,
}

local function coroutines()
	local co = {}
	for i = 1, 30 do
		co[i] = coroutine.wrap(function(a)
			local sum = a
			for _ = 1, 5 do sum = sum + #({ coroutine.yield({ sum }) }) end
			return sum
		end)
	end
	for k = 1, 5 do for i = 1, 30 do co[i](k) end end
end

local function code(round)
	local f = loadstring(string.dump(function(a)
		local t = {}
		for i = 1, a do t[i] = { i } end
		return #t
	end))
	assert(f(100) == 100)
	for i = 1, 20 do
		local x = round * 100 + i
		local text = "local x = " .. x .. " return function(n) local t = {} for i = 1, n do t[i] = { i, x } end return t[n][2] end"
		assert(loadstring(text)()(60) == x)
		assert(loadstring(text, "=churn" .. i)()(60) == x)
	end
end

local function work(round)
	coroutines()
	for i = 1, 60 do
		local ok, e = pcall(raises, i)
		assert(not ok and e ~= nil)
	end
	local ok, e = xpcall(function() return deep(3000)[1] end, debug.traceback)
	assert(ok and e == 3000)
	if round % 5 == 0 then assert(not pcall(deep, 1e6)) end
	assert(#tail(200, "") == 200 and vararg(1) == 21)
	code(round)
	local o = setmetatable({}, meta)
	for i = 1, 100 do
		assert(o[i][1] == i)
		o = o + i
		assert(o .. i == "c" .. i)
	end
	getmetatable(newproxy(true)).__gc = function()
		local t = {}
		for i = 1, 10 do t[i] = { i } end
	end
	sort()
	local blocks = {}
	for i = 1, 100 do blocks[i] = ffi.C.malloc(100 + i) end
	for i = 1, 100 do ffi.C.free(blocks[i]) end
	local s = {}
	for i = 1, 200 do s[i] = tostring(i) .. ("z"):rep(i) end
	table.sort(s, function(a, b) local t = { a, b } return t[1] < t[2] end)
	assert(#string.gsub(("abc"):rep(50), "%w", function(c) return c .. "-" end) == 300)
	debug.sethook(function() local _ = {} end, "", 1000)
	deep(100)
	debug.sethook()
	if round % 7 == 0 then collectgarbage() end
	if round % 11 == 0 then jit.flush() end
	if round % 13 == 0 then
		jit.off()
		deep(50)
		jit.on()
	end
end

local finish, round = os.time() + tonumber(arg[1]), 0
while os.time() < finish do
	round = round + 1
	work(round)
end
print("fine", round)
