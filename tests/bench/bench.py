#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
bench.py [--runs N] [WORD...] - what heapray costs, and what other tools cost: tables in Markdown on standard output
and in build/bench.md, all figures in build/bench.json. With WORDs only workloads whose name has one of them.

A round runs every arm of a workload once, in an order that rotates, so that whatever the machine does meanwhile
falls on all of them; figures are medians over the rounds, ratios are ratios of medians.
"""
import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import arms as arms_module
import nginx
import workloads
from arms import HEAPRAY, ROOT

PATIENCE = 120 # seconds; an arm that takes longer is left out, and the table says so
MEASURE = os.path.join(workloads.BENCH, "measure")


def say(text):
    print(text, file=sys.stderr, flush=True)


class Scratch:
    """A directory for one run: what is written there is counted; `memory` below it is in /dev/shm, and is not."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="heapray-bench.")
        self.memory = tempfile.mkdtemp(prefix="heapray-bench.", dir="/dev/shm")
        os.symlink(self.memory, os.path.join(self.path, "memory"))
        return self

    def __exit__(self, *unused):
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.rmtree(self.memory, ignore_errors=True)

    def written(self):
        return sum(os.lstat(os.path.join(folder, name)).st_size
                   for folder, _, names in os.walk(self.path) for name in names if name not in ("measured", "out"))


def measure(argv, scratch, environment, drive=None, port=None):
    """Runs it: wall_s, user_s, system_s, peak_bytes, status, written_bytes, and what it or its client says."""
    measured, out = os.path.join(scratch.path, "measured"), os.path.join(scratch.path, "out")
    figures = {}
    with open(out, "w", encoding="utf-8") as file:
        process = subprocess.Popen([MEASURE, measured, *argv], stdout=file, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, env={**os.environ, **environment}, start_new_session=True)
        if drive:
            await_port(port)
            began = time.monotonic()
            figures = drive(port)
            driven = time.monotonic() - began
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return None, ""
    with open(measured, encoding="ascii") as file:
        wall, user, system, peak, status = file.read().split()
    with open(out, encoding="utf-8", errors="replace") as file:
        text = file.read()
    if int(status) != 0:
        raise RuntimeError(f"{' '.join(argv)}: status {status}\n{text[-2000:]}")
    return {"wall_s": driven if drive else float(wall), "user_s": float(user), "system_s": float(system),
            "peak_bytes": int(peak), "written_bytes": scratch.written(), **figures}, text


def await_port(port):
    import socket
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"nobody listens on {port}")


def figures_of(text):
    """`name value` lines of a program that measures itself."""
    return {name: float(value) for name, value in
            (line.split() for line in text.splitlines() if len(line.split()) == 2)}


def run_workload(workload, arms, runs):
    """Rows {workload, arm, figures...}, medians of the rounds."""
    chosen = [arm for arm in arms if workload.arms is None or arm.name in workload.arms]
    taken = {arm.name: [] for arm in chosen}
    too_slow = []
    with tempfile.TemporaryDirectory(prefix="heapray-bench.") as inputs:
        port = nginx.free_port()
        argv = workload.command(inputs, port)
        for turn in range(runs):
            for arm in chosen[turn % len(chosen):] + chosen[:turn % len(chosen)]:
                if arm in too_slow:
                    continue
                say(f"{workload.name}: {turn + 1}/{runs}, {arm.name}")
                with Scratch() as scratch:
                    figures, text = measure(arm.command(argv, scratch.path), scratch, workload.environment,
                                            workload.drive, port)
                if figures is None:
                    too_slow.append(arm)
                    continue
                if workload.prints:
                    figures = figures_of(text)
                taken[arm.name].append(figures)
    return [{"workload": workload.name, "arm": arm.name, "base": arm.base, "too_slow": arm in too_slow,
             **{key: statistics.median(f[key] for f in taken[arm.name]) for key in (taken[arm.name] or [{}])[0]}}
            for arm in chosen]


def run_reporter(runs):
    """`heapray stacks --json` of a segment with 100,000 sites."""
    with Scratch() as scratch:
        subprocess.run([HEAPRAY, "run", "--dir", scratch.memory, "--", os.path.join(workloads.BENCH, "sites")], check=True)
        segment = os.path.join(scratch.memory, os.listdir(scratch.memory)[0])
        taken = []
        for turn in range(runs):
            say(f"the reporter: {turn + 1}/{runs}")
            figures, text = measure([HEAPRAY, "stacks", "--json", segment], scratch, {})
            taken.append(figures)
        sites = len(json.loads(text)["stacks"])
    return [{"workload": "heapray stacks --json of 100,000 sites", "arm": "heapray", "base": None, "sites": sites,
             **{key: statistics.median(f[key] for f in taken) for key in ("wall_s", "user_s", "system_s", "peak_bytes")}}]


def number(value, digits=2):
    return f"{value:,.{digits}f}"


def table_of(rows):
    """Markdown of one workload."""
    by_arm = {row["arm"]: row for row in rows}
    first = rows[0]
    lines = [f"### {first['workload']}", ""]
    if "cpu_us_per_request" in first:
        lines += ["| | CPU, µs a request | × | requests a second |", "| --- | ---: | ---: | ---: |"]
        for row in rows:
            ratio = row["cpu_us_per_request"] / by_arm["bare"]["cpu_us_per_request"]
            lines.append(f"| {row['arm']} | {number(row['cpu_us_per_request'])} | {number(ratio, 3)} "
                         f"| {number(row['requests_per_second'], 0)} |")
    elif "wall_s" not in first:
        names = [key for key in first if key not in ("workload", "arm", "base", "too_slow")]
        lines += ["| µs | " + " | ".join(name.replace("_", " ") for name in names) + " |",
                  "| --- |" + " ---: |" * len(names)]
        for row in rows:
            lines.append(f"| {row['arm']} | " + " | ".join(number(row[name], 1) for name in names) + " |")
    else:
        served = "requests a second" in first
        lines += ["| | wall, s | × | added, s | user + system, s | × | peak resident, MiB | written, MiB |"
                  + (" requests a second |" if served else ""),
                  "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |" + (" ---: |" if served else "")]
        for row in rows:
            if row.get("too_slow"):
                lines.append(f"| {row['arm']} | more than {PATIENCE} |" + " |" * (lines[-1].count("|") - 3))
                continue
            lines.append(time_row(row, by_arm.get(row["base"]), served))
    return "\n".join(lines) + "\n"


def time_row(row, base, served):
    cpu = row["user_s"] + row["system_s"]
    cells = [number(row["wall_s"], 3)]
    cells += [number(row["wall_s"] / base["wall_s"]), number(row["wall_s"] - base["wall_s"], 3)] if base else ["", ""]
    cells += [number(cpu, 3), number(cpu / (base["user_s"] + base["system_s"])) if base else ""]
    cells += [number(row["peak_bytes"] / 2**20, 1), number(row.get("written_bytes", 0) / 2**20, 1)]
    if served:
        cells.append(number(row["requests a second"], 0))
    return f"| {row['arm']} | " + " | ".join(cells) + " |"


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="ascii")
                  if line.startswith("model name")), platform.machine())
    system = next((line.split("=", 1)[1].strip().strip('"') for line in open("/etc/os-release", encoding="utf-8")
                   if line.startswith("PRETTY_NAME")), platform.system())
    return {"date": datetime.date.today().isoformat(), "cpu": model, "cores": os.cpu_count(),
            "kernel": platform.release(), "system": system}


def main():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.split("\n\n")[0].replace("\n", " "))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    wanted = lambda name: not options.words or any(word.lower() in name.lower() for word in options.words)

    arms = arms_module.all_arms()
    about = {**machine(), "runs": options.runs}
    groups = []
    for workload in workloads.ALL:
        if wanted(workload.name):
            groups.append(run_workload(workload, arms, options.runs))
    if wanted("nginx"):
        scratches = []

        def scratch_of(arm):
            scratches.append(Scratch().__enter__())
            return scratches[-1].path
        try:
            rows = nginx.run(arms, scratch_of, max(options.runs, 7), say)
        finally:
            for scratch in scratches:
                scratch.__exit__()
        groups += [[row for row in rows if row["workload"].endswith(name)] for name in nginx.PAGES]
    if wanted("reporter"):
        groups.append(run_reporter(options.runs))
    if not groups:
        parser.error("no workload has such a name")

    head = (f"{about['cpu']}, {about['cores']} cores, {about['system']}, Linux {about['kernel']}, {about['date']}; "
            f"medians of {about['runs']} alternating runs (nginx: at least 7). × and added: against the bare program, "
            "for jemalloc's and gperftools' profilers against their own allocator without them.\n")
    text = head + "\n" + "\n".join(table_of(rows) for rows in groups)
    os.makedirs(os.path.join(ROOT, "build"), exist_ok=True)
    with open(os.path.join(ROOT, "build", "bench.md"), "w", encoding="utf-8") as file:
        file.write(text)
    with open(os.path.join(ROOT, "build", "bench.json"), "w", encoding="utf-8") as file:
        json.dump({"schema": 1, **about, "rows": [row for rows in groups for row in rows]}, file, indent=1)
    print(text, end="")


if __name__ == "__main__":
    main()
