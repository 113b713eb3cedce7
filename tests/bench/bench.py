#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
bench.py [--runs N] [WORD...] - what heapray costs, and what other tools cost: tables in Markdown on standard output
and in build/bench/bench.md, every figure of every run in build/bench/bench.json. With WORDs only workloads whose name
has one of them.

A round runs every arm of a workload once, in an order that rotates, so that whatever the machine does meanwhile
falls on all of them; figures are medians over the rounds, ratios are ratios of medians. Another tool's run that takes
longer than LONG seconds is not repeated, and one that reaches its arm's limit is stopped; the tables show both.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import traceback

sys.dont_write_bytecode = True
import arms as arms_module
import nginx
import tables
import workloads
from arms import HEAPRAY, ROOT
from measure import BENCH, Scratch, free_port, measure, run_arm

LONG = 5 # seconds
REPORTER = "the reporter: heapray stacks --json, 100,000 sites over 10,000 addresses"


def say(text):
    print(text, file=sys.stderr, flush=True)


def rows_of(taken):
    """{arm: [figures...]} to rows {arm, medians..., runs: [figures...]}."""
    return [{"arm": arm, **{key: statistics.median(f[key] for f in runs) for key in runs[0]}, "runs": runs}
            for arm, runs in taken.items() if runs]


def run_workload(workload, arms, runs):
    chosen = [arm for arm in arms if workload.arms is None or arm.name in workload.arms]
    taken = {arm.name: [] for arm in chosen}
    with tempfile.TemporaryDirectory(prefix="heapray-bench.") as inputs:
        port = free_port()
        argv = workload.command(inputs, port)
        for turn in range(runs):
            for arm in chosen[turn % len(chosen):] + chosen[:turn % len(chosen)]:
                if taken[arm.name] and not arm.ours and taken[arm.name][-1].get("wall_s", 0) > LONG:
                    continue
                say(f"{workload.name}: {turn + 1}/{runs}, {arm.name}")
                taken[arm.name].append(run_arm(arm, workload, argv, port))
    return rows_of(taken)


def run_reporter(runs):
    """`heapray stacks --json` of the segment that a program with 100,000 sites left behind."""
    taken = []
    with Scratch() as scratch:
        subprocess.run([HEAPRAY, "run", "--dir", scratch.memory, "--", os.path.join(BENCH, "sites")], check=True)
        segment = os.path.join(scratch.memory, os.listdir(scratch.memory)[0])
        for turn in range(runs):
            say(f"{REPORTER}: {turn + 1}/{runs}")
            figures, text = measure([HEAPRAY, "stacks", "--json", segment], arms_module.LIMIT)
            figures["written_bytes"] = scratch.written()
            figures["sites"] = len(json.loads(text)["stacks"])
            taken.append(figures)
    return rows_of({"heapray": taken})


def run_all(words, runs):
    """Groups {name, rows}, and the names of what failed."""
    arms = [arm for arm in arms_module.all_arms() if not arm.missing]
    groups, failed = [], []
    wanted = lambda name: not words or any(word.lower() in name.lower() for word in words)

    def attempt(name, work):
        try:
            groups.extend({"name": found, "rows": rows} for found, rows in work())
        except (RuntimeError, OSError, subprocess.SubprocessError, ValueError):
            traceback.print_exc()
            failed.append(name)

    for workload in workloads.ALL:
        if wanted(workload.name):
            attempt(workload.name, lambda: [(workload.name, run_workload(workload, arms, runs))])
    if any(wanted(name) for name in nginx.PAGES):
        turns = runs if runs < 5 else max(runs, nginx.RUNS)
        attempt("nginx", lambda: [(n, rows_of(taken)) for n, taken in nginx.run(arms, wanted, turns, say)])
    if wanted(REPORTER):
        attempt(REPORTER, lambda: [(REPORTER, run_reporter(runs))])
    return groups, failed


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="ascii")
                  if line.startswith("model name")), platform.machine())
    system = next((line.split("=", 1)[1].strip().strip('"') for line in open("/etc/os-release", encoding="utf-8")
                   if line.startswith("PRETTY_NAME")), platform.system())
    return {"date": datetime.date.today().isoformat(), "cpu": model, "cores": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "kernel": platform.release(), "system": system, "load_before": os.getloadavg()[0]}


def main():
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()

    about = {**machine(), "runs": options.runs}
    groups, failed = run_all(options.words, options.runs)
    if not groups and not failed:
        parser.error("no workload has such a name")
    missing = {arm.name: arm.missing for arm in arms_module.all_arms() if arm.missing}
    about["not_run"] = missing
    about["failed"] = failed

    folder = os.path.join(ROOT, "build", "bench")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "bench.json"), "w", encoding="utf-8") as file:
        json.dump({"schema": 1, **about, "workloads": groups}, file, indent=1)
    text = tables.markdown(about, groups)
    with open(os.path.join(folder, "bench.md"), "w", encoding="utf-8") as file:
        file.write(text)
    print(text, end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
