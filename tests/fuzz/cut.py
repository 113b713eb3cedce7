#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""cut.py - makes the corpora of the targets `segment` and `snapshot` from real ones, cut to a few rows of each kind.

    cut.py segment FILE.seg >segment_corpus/NAME
    cut.py snapshot FILE.snap >snapshot_corpus/NAME

Needed again when the segment's version or layout changes (include/heapray_segment.h): then all in the corpora are
refused at their first bytes, and nobody notices but by the branches covered.

Sites are taken so that every domain and kind of stack is there, and with them the nodes, modules and strings that they
name; of all else the first rows.
"""
import gzip
import json
import re
import struct
import sys

HEADER = 8192
(MODULES, NODES, SITES, DOMAINS, MAPPINGS, ZONES, THREADS, STRINGS, TIMELINE, MARKS, LEDGER) = range(11)
SECTIONS, TABLE = 16, 24                # how many, and where in the header
HEADER_STRINGS = list(range(600, 752, 8)) + [832]  # exe, cmdline, allocator, providers; state_reason
MOST = {SITES: 16, MAPPINGS: 8, ZONES: 1, THREADS: 2, TIMELINE: 12, MARKS: 4}
NODE = struct.Struct("<QIIIIII")
ROOTS, LUA = 6, 2


class Strings:
    """Those that something names, one after the other."""

    def __init__(self, old):
        self.old, self.new, self.at = old, bytearray(1), {}

    def take(self, offset):
        if not offset:
            return 0
        text = self.old[offset:self.old.index(0, offset)][:64]
        if text not in self.at:
            self.at[text] = len(self.new)
            self.new += text + b"\0"
        return self.at[text]

    def move(self, rows, at):
        """A struct hr_str in a row."""
        offset = self.take(struct.unpack_from("<I", rows, at)[0])
        length = self.new.index(0, offset) - offset if offset else 0
        struct.pack_into("<II", rows, at, offset, length)


def rows_of(data, section):
    offset, stride, _, used = struct.unpack_from("<4Q", data, TABLE + 32 * section)
    return [bytearray(data[offset + i * stride:offset + (i + 1) * stride]) for i in range(used)]


def choose_sites(sites, nodes):
    """One of each {domain, kind of its innermost frame, flags} first, then the rest in order."""
    seen, first, rest = {}, [], []
    for site in sites:
        node, domain = struct.unpack_from("<IH", site)
        key = (domain, NODE.unpack(nodes[node])[2], NODE.unpack(nodes[node])[5], site[120])
        seen[key] = seen.get(key, 0) + 1
        (first if seen[key] <= 2 else rest).append(site)
    return (first + rest)[:MOST[SITES]]


def cut_segment(data, head=HEADER):
    """`head`: bytes of the header to keep, its struct at least."""
    rows = [rows_of(data, i) for i in range(11)]
    header = bytearray(data[:head])
    strings = Strings(b"".join(rows[STRINGS]) + b"\0")
    sites, nodes = choose_sites(rows[SITES], rows[NODES]), rows[NODES]
    wanted = set(range(ROOTS))
    for site in sites:
        node = struct.unpack_from("<I", site)[0]
        while node not in wanted:
            wanted.add(node)
            node = NODE.unpack(nodes[node])[1]
    node_at = {old: new for new, old in enumerate(sorted(wanted))}
    modules = {0: 0}
    new_nodes = []
    for old in sorted(wanted):
        value, parent, kind, module, extra, flags, depth = NODE.unpack(nodes[old])
        if kind == LUA:
            value, extra = strings.take(value >> 32) << 32 | value & 0xffffffff, strings.take(extra)
        modules.setdefault(module, len(modules))
        new_nodes.append(NODE.pack(value, node_at[parent], kind, modules[module], extra, flags, depth))
    for site in sites:
        struct.pack_into("<I", site, 0, node_at[struct.unpack_from("<I", site)[0]])
    new_modules = [rows[MODULES][old] for old in modules]
    for row in new_modules:
        strings.move(row, 0)
    for row in rows[DOMAINS]:
        strings.move(row, 0)
        strings.move(row, 128)
    mappings = rows[MAPPINGS][:MOST[MAPPINGS]]
    for row in mappings:
        struct.pack_into("<II", row, 32, 0, 0)
    marks = rows[MARKS][:MOST[MARKS]]
    for row in marks:
        strings.move(row, 8)
    for at in HEADER_STRINGS:
        strings.move(header, at)
    new = {MODULES: new_modules, NODES: new_nodes, SITES: sites, DOMAINS: rows[DOMAINS], MAPPINGS: mappings,
           STRINGS: [bytes(strings.new) + b"\0" * (-len(strings.new) % 16)], MARKS: marks, LEDGER: rows[LEDGER]}
    for kind in (ZONES, THREADS):
        new[kind] = rows[kind][:MOST[kind]]
    points = rows[TIMELINE]
    new[TIMELINE] = points[::max(1, len(points) // MOST[TIMELINE])]
    body = bytearray()
    for i in range(SECTIONS):
        stride = struct.unpack_from("<Q", header, TABLE + 32 * i + 8)[0]
        part = b"".join(new.get(i, []))
        used = len(part) // stride if stride else 0
        struct.pack_into("<4Q", header, TABLE + 32 * i, head + len(body), stride, used, used)
        body += part + b"\0" * (-len(part) % 64)
    struct.pack_into("<IQ", header, 12, head, head + len(body))
    return bytes(header + body)


def segment_input(data):
    """As fuzz_segment.c wants it: three bytes a section, 255, the file."""
    data = cut_segment(data)
    table = bytearray()
    for i in range(SECTIONS):
        offset, stride, _, used = struct.unpack_from("<4Q", data, TABLE + 32 * i)
        table += bytes(((offset - HEADER) // 64, used // 16 if stride == 1 else used, 0))
    return bytes(table) + b"\xff" + data


def parts_of(text):
    at = text.index(b"\n") + 1
    while at < len(text):
        name, length = re.match(rb"([a-z0-9 ]+)\t(\d+)\n", text[at:]).groups()
        at = text.index(b"\n", at) + 1
        yield name.decode(), text[at:at + int(length)]
        at += int(length) + 1


def shorten(value, most):
    """Arrays of a JSON value to their first elements."""
    if isinstance(value, dict):
        return {key: shorten(v, most) for key, v in value.items()}
    if isinstance(value, list):
        return [shorten(v, most) for v in value[:most]]
    return value


def cut_symbols(text):
    """The first places of every module."""
    lines, places = [], 0
    for line in text.split(b"\n"):
        places = 0 if line[:1] == b"M" else places + (line[:1] == b"A")
        if line and places <= 3:
            lines.append(line)
    return b"\n".join(lines) + b"\n"


def snapshot_input(text):
    out = bytearray()
    for name, part in parts_of(text):
        if name.startswith("segment"):
            part = cut_segment(part, 1536)
        elif name.startswith("births"):
            part = part[:128]
        elif name == "symbols":
            part = cut_symbols(part)
        else:
            part = json.dumps(shorten(json.loads(part), 4 if name != "family" else 2), separators=(",", ":")).encode()
        out += b"%s\t%d\n%s\n" % (name.encode(), len(part), part)
    return bytes(out)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("segment", "snapshot"):
        sys.exit(__doc__)
    with open(sys.argv[2], "rb") as file:
        if sys.argv[1] == "segment":
            out = segment_input(file.read())
        else:
            out = snapshot_input(gzip.decompress(file.read()))
    sys.stdout.buffer.write(out)


main()
