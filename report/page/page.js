/*
 * page.js - what of the page moves: the picture and table of call paths, the fit boxes, the colours of the heap map,
 * light and dark. Text from outside reaches the page as textContent alone.
 */
'use strict';
(function () {
const $ = id => document.getElementById(id);
const make = (name, text, css) => {
	const e = document.createElement(name);
	if (text !== undefined) e.textContent = text;
	if (css) e.className = css;
	return e;
};

/* ---- units: as heapray prints them ---- */

function bytes(n) {
	if (n < 0) return '-' + bytes(-n);
	if (n < 1024) return n + ' B';
	const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
	let unit = 0;
	while (n >= 1023.95 && unit < 6) { n /= 1024; unit++; }
	return n.toFixed(1) + ' ' + units[unit];
}
const count = n => n.toLocaleString('en-US');
const percent = (part, whole) => whole ? (100 * part / whole).toFixed(1) + ' %' : '';

/* ---- the stacks: page_pack.h says how they are packed ---- */

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const values = new Uint8Array(128);
for (let i = 0; i < 64; i++) values[digits.charCodeAt(i)] = i;

/* A reader of numbers; they may be larger than 32 bits, so no shifts. */
function numbers(text) {
	let at = 0;
	const next = () => {
		let value = 0, scale = 1, digit;
		do {
			digit = values[text.charCodeAt(at++)];
			value += (digit & 31) * scale;
			scale *= 32;
		} while (digit & 32);
		return value;
	};
	next.signed = () => { const v = next(); return v % 2 ? -(v + 1) / 2 : v / 2; };
	next.more = () => at < text.length;
	return next;
}

const LUA = 1, NOTE = 2, WRAPPER = 4;
const measures = ['live', 'count', 'peak', 'allocated', 'allocated_count', 'temporary', 'grown'];
const isBytes = by => by !== 'count' && by !== 'temporary' && by !== 'allocated_count';

function unpack(packed) {
	const frames = [], parents = [0], frame = [-1], rows = [];
	let next = numbers(packed.frames);
	while (next.more()) {
		const f = { name: packed.strings[next()], module: packed.strings[next()], file: packed.strings[next()], line: next(), flags: next() };
		const slash = f.module.lastIndexOf('/');
		f.short = slash < 0 ? f.module : f.module.slice(slash + 1);
		f.key = f.name + '\n' + f.module + ((f.flags & 3) === LUA ? '\n' + f.file : '');
		frames.push(f);
	}
	next = numbers(packed.nodes);
	for (let at = 0; next.more();) {
		for (let up = next(); up > 0; up--) at = parents[at];
		parents.push(at);
		frame.push(next());
		at = parents.length - 1;
	}
	next = numbers(packed.rows);
	for (let node = 0, domain = 0; next.more();) {
		const row = { node: node += next.signed(), domain: domain += next.signed(), live: next(), count: next(), peak: next(),
			allocated: next(), allocated_count: next(), temporary: next(), kind: next(), grown: next.signed() };
		rows.push(row);
	}
	return { frames, parents, frame, rows, domains: packed.domains, seconds: packed.grown_seconds };
}

let stacks = null;
const state = { by: 'live', view: 'stack', invert: false, search: '', root: null, focus: null, here: null, sort: 'live', all: false };

/* The frames of a row, innermost first. */
function path(row) {
	const list = [];
	for (let at = row.node; at; at = stacks.parents[at]) list.push(stacks.frames[stacks.frame[at]]);
	return list;
}

/* From the innermost outwards the first that does not only pass an allocation on; else the outermost. */
function ownerAt(list) {
	for (let i = 0; i < list.length; i++) if (!(list[i].flags & WRAPPER)) return i;
	return list.length - 1;
}

const note = (name, key) => ({ name, key: key || name, module: '', short: '', file: '', line: 0, flags: NOTE });
const nothing = note('no stack'), smaller = note('<smaller stacks>'), native = note('not from Lua');

/* What a row's bar stands on, outermost first, in the view chosen. */
function levels(row) {
	const list = path(row), heap = note(stacks.domains[row.domain], '\n' + row.domain);
	if (row.kind === 2) return [heap, smaller];
	if (!list.length) return [heap, nothing];
	if (state.view === 'owner') return [heap].concat(list.slice(ownerAt(list)));
	if (state.view === 'module') {
		const owner = list[ownerAt(list)];
		return [heap, note(owner.short || owner.name, '\n' + owner.module), owner];
	}
	if (state.view === 'lua') {
		const lua = list.filter(f => (f.flags & 3) === LUA);
		if (!lua.length) return [heap, native];
		const lines = lua.map(f => f.name.endsWith(':' + f.line) ? f : Object.assign({}, f, { name: f.name + ' ' + f.file + ':' + f.line, key: f.key + f.line }));
		return [heap].concat(state.invert ? lines : lines.reverse());
	}
	return [heap].concat(state.invert ? list : list.reverse());
}

/* ---- the tree of what is shown ---- */

function tree() {
	const root = { frame: note('all'), value: 0, children: new Map(), parent: null, depth: 0 };
	for (const row of stacks.rows) {
		const value = state.by === 'grown' ? Math.max(row.grown, 0) : row[state.by];
		if (!value) continue;
		let at = root;
		at.value += value;
		for (const frame of levels(row)) {
			let child = at.children.get(frame.key);
			if (!child) at.children.set(frame.key, child = { frame, value: 0, children: new Map(), parent: at, depth: at.depth + 1 });
			child.value += value;
			at = child;
		}
	}
	return root;
}
const sorted = node => node.sorted || (node.sorted = [...node.children.values()].sort((a, b) => b.value - a.value || (a.frame.name < b.frame.name ? -1 : 1)));

const svgName = 'http://www.w3.org/2000/svg';
const rowHeight = 19, letter = 6.7;

function color(frame) {
	if ((frame.flags & 3) === LUA) return 'f8';
	if ((frame.flags & 3) === NOTE || (frame.flags & WRAPPER)) return 'f9';
	let hash = 7;
	for (let i = 0; i < frame.short.length; i++) hash = (hash * 31 + frame.short.charCodeAt(i)) >>> 0;
	return 'f' + hash % 6;
}

function matches(frame) {
	return state.search !== '' && (frame.name + ' ' + frame.short + ' ' + frame.file).toLowerCase().includes(state.search);
}

function place(list, node, x, width, faded) {
	list.push({ node, x, width, faded });
	if (faded) return;
	for (const child of sorted(node)) {
		const wide = node.value ? width * child.value / node.value : 0;
		if (wide < 0.4) break; /* sorted: all that follow are narrower */
		place(list, child, x, wide, false);
		x += wide;
	}
}

/* Frames above the one in focus have the whole width. */
function layout(width) {
	const list = [], above = [];
	for (let at = state.focus.parent; at; at = at.parent) above.push(at);
	for (const node of above.reverse()) place(list, node, 0, width, true);
	place(list, state.focus, 0, width, false);
	return list;
}

function draw() {
	const box = $('flame'), width = Math.max(box.clientWidth - 20, 100), list = layout(width);
	const svg = document.createElementNS(svgName, 'svg');
	let deepest = 0;
	svg.setAttribute('width', width);
	svg.setAttribute('class', 'picture');
	for (const item of list) {
		const rect = document.createElementNS(svgName, 'rect'), y = item.node.depth * rowHeight;
		item.node.rect = rect;
		deepest = Math.max(deepest, item.node.depth);
		rect.setAttribute('x', item.x.toFixed(2));
		rect.setAttribute('y', y);
		rect.setAttribute('width', Math.max(item.width, 0.5).toFixed(2));
		rect.setAttribute('height', rowHeight - 1);
		rect.setAttribute('rx', 2);
		rect.setAttribute('class', color(item.node.frame) + (item.faded ? ' faded' : '') + (matches(item.node.frame) ? ' hit' : ''));
		rect.node = item.node;
		svg.append(rect);
		const letters = Math.floor((item.width - 6) / letter);
		if (letters < 3) continue;
		const text = document.createElementNS(svgName, 'text'), name = item.node.frame.name;
		text.setAttribute('x', (item.x + 4).toFixed(2));
		text.setAttribute('y', y + 13);
		text.textContent = name.length > letters ? name.slice(0, letters - 1) + '\u2026' : name;
		svg.append(text);
	}
	svg.setAttribute('height', (deepest + 1) * rowHeight);
	box.replaceChildren(svg);
	tell(state.here || state.focus);
}

/* ---- what is under the pointer or the cursor ---- */

const amount = value => isBytes(state.by) ? bytes(value) : count(value) + ' blocks';

function hits() {
	let sum = 0;
	const look = node => {
		if (node !== state.root && matches(node.frame)) sum += node.value;
		else node.children.forEach(look);
	};
	look(state.root);
	return sum;
}

function tell(node) {
	const detail = $('detail'), f = node.frame;
	if (state.here && state.here.rect) state.here.rect.classList.remove('here');
	state.here = node;
	if (node.rect && node !== state.focus) node.rect.classList.add('here');
	const more = [f.file ? f.file + (f.line ? ':' + f.line : '') : '', (f.flags & 3) ? '' : f.module].filter(t => t).join('  ');
	detail.replaceChildren(make('code', f.name), document.createTextNode('  ' + amount(node.value) + ', ' + percent(node.value, state.root.value)),
		make('span', more ? '  ' + more : '', 'soft'));
	if (state.search) detail.append(make('span', '  The search finds ' + amount(hits()) + ', ' + percent(hits(), state.root.value) + '.'));
}

function focus(node) {
	state.focus = node;
	state.here = null;
	draw();
}

function move(key) {
	const here = state.here || state.focus, beside = here.parent ? sorted(here.parent) : [here], at = beside.indexOf(here);
	if (key === 'ArrowDown' && here.children.size) return tell(sorted(here)[0]);
	if (key === 'ArrowUp' && here.parent) return tell(here.parent);
	if (key === 'ArrowLeft' && at > 0) return tell(beside[at - 1]);
	if (key === 'ArrowRight' && at + 1 < beside.length) return tell(beside[at + 1]);
}

/* ---- the table ---- */

/* Rows by group, as `stacks --group` makes them. */
function groups(how) {
	const found = new Map();
	for (const row of stacks.rows) {
		const list = path(row);
		let frame = null, key = '';
		if (how === 'stack') { frame = list[0] || null; key = row.node + ' ' + row.domain; }
		else if (how === 'lua') {
			const lua = list.filter(f => (f.flags & 3) === LUA);
			frame = lua[0] || null;
			key = lua.map(f => f.key + '\n' + f.line).join('\n\n');
		} else if (list.length) {
			frame = list[ownerAt(list)];
			key = how === 'module' ? ((frame.flags & 3) === NOTE ? '\nnote' : frame.module) : frame.key;
		}
		let group = found.get(key);
		if (!group) {
			found.set(key, group = { frame, list, rows: 0, domain: row.domain, estimated: false });
			for (const m of measures) group[m] = 0;
		}
		for (const m of measures) group[m] += row[m];
		group.rows++;
		group.estimated = group.estimated || row.kind === 1;
		if (group.domain !== row.domain) group.domain = -1;
	}
	return [...found.values()];
}

const columns = [['live', 'live'], ['count', 'blocks'], ['peak', 'at the peak'], ['allocated', 'allocated'], ['allocated_count', 'allocations'], ['grown', 'growth']];
const shown = 25;

function nameOf(group) {
	const f = group.frame;
	if (!f) return state.view === 'lua' ? 'not from Lua' : 'no stack';
	if (state.view === 'module') return f.module || f.name;
	if (state.view === 'stack') return group.list[ownerAt(group.list)].name;
	if (state.view === 'lua' && !f.name.endsWith(':' + f.line)) return f.name + ' ' + f.file + ':' + f.line;
	return f.name;
}

function head(table, cols) {
	const tr = make('tr');
	tr.append(make('th', { stack: 'Call path, by its owner', owner: 'Owner', module: 'Module', lua: 'Lua line' }[state.view]), make('th', 'Heap'));
	for (const [key, label] of cols) {
		const th = make('th', label, 'n');
		th.dataset.sort = key;
		th.tabIndex = 0;
		th.setAttribute('role', 'columnheader');
		if (state.sort === key) th.setAttribute('aria-sort', 'descending');
		tr.append(th);
	}
	table.append(make('thead'));
	table.lastChild.append(tr);
}

function writeTable() {
	const table = make('table', undefined, 'figures'), body = make('tbody'), box = $('table');
	const cols = columns.filter(c => c[0] !== 'grown' || stacks.seconds > 0);
	const list = groups(state.view).filter(g => measures.some(m => g[m]));
	list.sort((a, b) => b[state.sort] - a[state.sort] || (nameOf(a) < nameOf(b) ? -1 : 1));
	head(table, cols);
	for (const group of state.all ? list : list.slice(0, shown)) {
		const tr = make('tr'), th = make('th'), f = group.frame;
		const code = make('code', nameOf(group));
		code.title = group.list.map(x => x.name + (x.file ? ' ' + x.file + ':' + x.line : '')).join('\n');
		th.append(code);
		const by = f && state.view === 'stack' && group.list[ownerAt(group.list)] !== f ? 'by ' + f.name + ', ' : '';
		if (f && (state.view === 'stack' || state.view === 'owner') && !(f.flags & 3)) th.append(make('span', '  ' + by + f.short, 'soft'));
		tr.append(th, make('td', group.domain < 0 ? 'several' : stacks.domains[group.domain], 'soft name'));
		for (const [key] of cols) {
			const td = make('td', undefined, 'n'), data = make('data', (group.estimated ? '~' : '') + (isBytes(key) ? bytes(group[key]) : count(group[key])));
			data.value = group[key];
			td.append(data);
			tr.append(td);
		}
		body.append(tr);
	}
	table.append(body);
	box.replaceChildren(table);
	if (!state.all && list.length > shown) {
		const button = make('button', 'All ' + count(list.length));
		button.type = 'button';
		button.addEventListener('click', () => { state.all = true; writeTable(); });
		box.append(button);
	}
}

/* ---- the controls ---- */

function rebuild() {
	state.root = tree();
	focus(state.root);
	writeTable();
}

function begin() {
	$('controls').hidden = false;
	if (!stacks.seconds) $('by').querySelector('[value=grown]').remove();
	$('by').addEventListener('change', e => {
		state.by = e.target.value;
		if (columns.some(c => c[0] === state.by)) state.sort = state.by;
		rebuild();
	});
	$('view').addEventListener('change', e => {
		state.view = e.target.value;
		$('invert').disabled = state.view === 'owner' || state.view === 'module';
		rebuild();
	});
	$('invert').addEventListener('change', e => { state.invert = e.target.checked; rebuild(); });
	$('search').addEventListener('input', e => { state.search = e.target.value.trim().toLowerCase(); draw(); });
	$('reset').addEventListener('click', () => { $('search').value = state.search = ''; focus(state.root); });
	$('flame').addEventListener('click', e => { if (e.target.node) focus(e.target.node); });
	$('flame').addEventListener('pointermove', e => { if (e.target.node && e.target.node !== state.here) tell(e.target.node); });
	$('flame').addEventListener('keydown', e => {
		if (e.key === 'Enter' && state.here) focus(state.here);
		else if (e.key === 'Escape') focus(state.focus.parent || state.root);
		else if (e.key.startsWith('Arrow')) move(e.key);
		else return;
		e.preventDefault();
	});
	const sort = e => {
		const th = e.target.closest('th[data-sort]'), code = e.target.closest('tbody code');
		if (th) { state.sort = th.dataset.sort; writeTable(); }
		else if (code && e.type === 'click') { $('search').value = code.textContent; state.search = code.textContent.toLowerCase(); draw(); }
	};
	$('table').addEventListener('click', sort);
	$('table').addEventListener('keydown', e => { if (e.key === 'Enter') sort(e); });
	let width = $('flame').clientWidth;
	addEventListener('resize', () => { if ($('flame').clientWidth !== width) { width = $('flame').clientWidth; draw(); } });
	rebuild();
}

/* ---- zones: would it fit? As `zones --fit` answers ---- */

function fits(box, size) {
	const d = box.dataset, page = +d.page, free = new Map(d.free.split(' ').filter(t => t).map(t => t.split(':').map(Number)));
	if (size > page / 2) {
		const pages = Math.ceil(size / page);
		return +d.run >= pages ? [true, 'it takes ' + count(pages) + ' pages, and ' + count(+d.run) + ' in a row are free'] :
			[false, 'it needs ' + count(pages) + ' free pages in a row, and the longest run has ' + count(+d.run)];
	}
	let chunk = +d.least;
	while (chunk < size) chunk *= 2;
	if (free.get(chunk)) return [true, count(free.get(chunk)) + ' chunks of ' + bytes(chunk) + ' are free'];
	if (+d.pages) return [true, 'no chunk of ' + bytes(chunk) + ' is free, so it takes one of ' + count(+d.pages) + ' free pages'];
	return [false, 'no chunk of ' + bytes(chunk) + ' and no page is free'];
}

for (const box of document.querySelectorAll('.fit')) {
	box.querySelector('input').addEventListener('input', e => {
		const size = Math.floor(+e.target.value), out = box.querySelector('output');
		if (!(size > 0)) { out.textContent = ''; return; }
		const [yes, why] = fits(box, size);
		out.textContent = (yes ? 'Yes: ' : 'No: ') + why + '.';
	});
}

/* ---- the heap map's colours; light and dark ---- */

if ($('layers')) $('layers').addEventListener('change', e => $('blocks').classList.toggle('ages', e.target.value === 'age'));

const theme = $('theme'), dark = () => {
	const chosen = document.documentElement.dataset.theme;
	return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
};
theme.hidden = false;
theme.textContent = dark() ? 'Light' : 'Dark';
theme.addEventListener('click', () => {
	document.documentElement.dataset.theme = dark() ? 'light' : 'dark';
	theme.textContent = dark() ? 'Light' : 'Dark';
});

/* After the first paint: 20,000 stacks take a moment. */
if ($('packed')) requestAnimationFrame(() => setTimeout(() => {
	stacks = unpack(JSON.parse($('packed').textContent));
	begin();
	window.heapray = { stacks, groups, state, path, fits }; /* for whoever wants the figures in the console, and the tests */
}));
}());
