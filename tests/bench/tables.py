# SPDX-License-Identifier: BSD-2-Clause
"""The figures as Markdown: one table for each workload, and one of the limits that heapray sets itself."""
import nginx
from arms import BARE, EXACT, HEAPTRACK
from workloads import CC1, FORK, LUA_NAME, PAIR, PYTHON_NAME, SQLITE, TIGHT, TWO


def number(value, digits=2):
    return f"{value:,.{digits}f}"


def cpu(row):
    return row["user_s"] + row["system_s"]


def wall_ratio(row, bare):
    """Of what one pair took, where pairs are counted: an arm that was stopped has done fewer."""
    key = "ns_per_pair" if "ns_per_pair" in row else "wall_s"
    return row[key] / bare[key]


def cpu_ratio(row, bare):
    if "cpu_ns_per_pair" in row:
        return row["cpu_ns_per_pair"] / bare["cpu_ns_per_pair"]
    return cpu(row) / cpu(bare)


def added(row, bare):
    """Seconds of wall time for the bare run's amount of work."""
    return (wall_ratio(row, bare) - 1) * bare["wall_s"]


def table(head, rows):
    return [f"| {' | '.join(head)} |", "| --- |" + " ---: |" * (len(head) - 1),
            *(f"| {' | '.join(row)} |" for row in rows)]


def label(row, runs):
    n = len(row["runs"])
    return row["arm"] + (f" ({n} run{'s' if n > 1 else ''})" if n < runs else "")


def time_row(row, bare, runs, extra):
    """A stopped run's times are only known to be longer; where pairs are counted the ratios are known nevertheless."""
    over = "> " if row["stopped"] else ""
    open_end = "" if "ns_per_pair" in row else over
    cells = [label(row, runs), over + number(row["wall_s"])]
    if bare:
        cells += [open_end + number(wall_ratio(row, bare)), open_end + number(added(row, bare))]
    cells.append(over + number(cpu(row)))
    if bare:
        cells.append(open_end + number(cpu_ratio(row, bare)))
    cells += [number(row["peak_bytes"] / 2**20, 1), number(row["written_bytes"] / 2**20, 1)]
    return cells + [number(row[key], 0) if key in row else "" for key in extra]


def time_table(rows, runs):
    bare = next((row for row in rows if row["arm"] == BARE), None)
    titles = {"ns_per_pair": "ns a pair", "requests_per_second": "requests/s", "sites": "sites"}
    extra = [key for key in titles if key in rows[0]]
    head = ["", "wall, s", *(["×", "added, s"] if bare else []), "user + system, s", *(["×"] if bare else []),
            "peak resident, MiB", "written, MiB", *(titles[key] for key in extra)]
    return table(head, [time_row(row, bare, runs, extra) for row in rows])


def nginx_base(row, rows):
    name = BARE + (nginx.ONE_PROCESS if row["arm"].endswith(nginx.ONE_PROCESS) else "")
    return next(other for other in rows if other["arm"] == name)


def nginx_table(rows):
    body = []
    for row in rows:
        base = nginx_base(row, rows)
        own = [f["cpu_us_per_request"] / b["cpu_us_per_request"] for f, b in zip(row["runs"], base["runs"])]
        body.append([row["arm"], number(row["cpu_us_per_request"]),
                     number(row["cpu_us_per_request"] / base["cpu_us_per_request"], 3),
                     f"{number(min(own), 3)} to {number(max(own), 3)}", number(row["requests_per_second"], 0),
                     number(row["requests_per_second"] / base["requests_per_second"], 3)])
    return table(["", "workers' CPU, µs a request", "×", "× of each turn", "requests/s", "×"], body)


def own_figures_table(rows):
    names = [key for key in rows[0] if key not in ("arm", "runs")]
    return table(["µs", *(name.replace("_", " ") for name in names)],
                 [[row["arm"], *(number(row[name], 1) for name in names)] for row in rows])


def group_table(group, runs):
    rows = group["rows"]
    if "cpu_us_per_request" in rows[0]:
        body = nginx_table(rows)
    elif "wall_s" in rows[0]:
        body = time_table(rows, runs)
    else:
        body = own_figures_table(rows)
    return "\n".join([f"### {group['name']}", "", *body, ""])


# ---- limits ----------------------------------------------------------------------------------------------

def limit(what, most, value, unit="", least=False):
    met = value >= most if least else value <= most
    return [what, f"{'at least' if least else 'at most'} {most:g}{unit}", f"{number(value)}{unit}",
            "yes" if met else "**no**"]


def against_heaptrack(name, rows):
    """heaptrack's added time over ours, where both were run."""
    if HEAPTRACK not in rows:
        return []
    times = 10 if name in (TIGHT, PAIR) else 5
    ours, theirs = added(rows[EXACT], rows[BARE]), added(rows[HEAPTRACK], rows[BARE])
    if ours <= 0:
        return []
    return [limit(f"{name}: heaptrack's added time over heapray's", times, theirs / ours, least=True)]


def limits(groups):
    found = {group["name"]: {row["arm"]: row for row in group["rows"]} for group in groups}
    lines = []
    for name in TIGHT, PAIR, LUA_NAME, PYTHON_NAME, SQLITE, CC1:
        if name in found:
            rows = found[name]
            lines.append(limit(f"{name}: times bare", 2.5 if name in (TIGHT, PAIR) else 1.5,
                               wall_ratio(rows[EXACT], rows[BARE])))
            lines += against_heaptrack(name, rows)
    if PAIR in found and TWO in found:
        one, two = (wall_ratio(found[name][EXACT], found[name][BARE]) for name in (PAIR, TWO))
        lines.append(limit("two threads: throughput relative to bare, over that of one thread", 0.8, one / two,
                           least=True))
    for name in nginx.PAGES:
        if name in found:
            rows = found[name]
            lines.append(limit(f"{name}: workers' CPU a request, times bare", 1.03,
                               rows[EXACT]["cpu_us_per_request"] / rows[BARE]["cpu_us_per_request"]))
    if FORK in found:
        ours, bare = found[FORK][EXACT], found[FORK][BARE]
        lines.append(limit("fork(): added in the parent", 1000, ours["fork"] - bare["fork"], " µs"))
        lines.append(limit("a child that execs at once: added", 100, ours["until_exec"] - bare["until_exec"], " µs"))
        lines.append(limit("a child's first block after fork()", 20000, ours["child_first"], " µs"))
    for group in groups:
        if "sites" in group["rows"][0]:
            lines.append(limit(group["name"], 1, group["rows"][0]["wall_s"], " s"))
    return lines


def markdown(about, groups):
    turns = f" (nginx: {max(about['runs'], nginx.RUNS)})" if about["runs"] >= 5 else ""
    head = [f"{about['cpu']}, {about['cores']} cores, {about['memory_bytes'] / 2**30:.0f} GiB, {about['system']}, "
            f"Linux {about['kernel']}, {about['date']}. Medians of {about['runs']} alternating runs{turns}; "
            "× is the ratio of medians to the bare program, jemalloc and tcmalloc without their profilers beside. "
            "Peak resident is that of the largest process, heapray's segment included; written is what is left on a "
            "disk. \">\": the run was stopped, × and added are then for as many pairs as the bare program did; another "
            "tool's run of more than 5 s was not repeated.", ""]
    head += [f"Not run: {name}: {why}." for name, why in about["not_run"].items()]
    head += [f"FAILED: {name}." for name in about["failed"]]
    asked = limits(groups)
    if asked:
        head += ["", "### Limits", "", *table(["", "asked", "measured", "met"], asked), ""]
    return "\n".join(head) + "\n" + "\n".join(group_table(group, about["runs"]) for group in groups)
