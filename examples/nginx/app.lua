-- app.lua - handlers that use memory in different ways.
local app = {}

local seen = {} -- what /leak keeps, for ever

-- Builds a table for each request; the collector takes it away again.
function app.table()
	local rows = {}
	for i = 1, 300 do
		rows[i] = { id = i, name = "row " .. i }
	end
	ngx.say(#rows)
end

-- Remembers something of each request in a table that nobody empties: a leak in a worker's VM.
function app.leak()
	seen[#seen + 1] = { when = ngx.now(), what = string.rep("x", 2000) .. #seen }
	ngx.say(#seen)
end

-- Fills a small shared dict with small values, takes some away, and asks for room for a large one.
function app.cats()
	local cats = ngx.shared.cats
	for i = 1, 300 do
		local ok = cats:safe_set(i, i)
		if not ok then break end
	end
	for i = 1, 300, 2 do cats:delete(i) end
	local ok, err = cats:safe_set("a big one", string.rep("x", 2000))
	ngx.say(ok and "it fits" or err)
end

-- A session for each of many visitors, in shared memory.
function app.session()
	local id = math.random(5000)
	ngx.shared.sessions:set("visitor:" .. id, string.rep("s", id % 200), 3600)
	ngx.say(id)
end

-- A page put together from a subrequest.
function app.page()
	local inner = ngx.location.capture("/index.html")
	ngx.print("<!-- ", #inner.body, " bytes -->\n", inner.body)
end

-- What the collector of this worker counts: `breakdown` says the same.
function app.count()
	ngx.say(ngx.worker.pid(), " ", string.format("%d", collectgarbage("count") * 1024))
end

return app
