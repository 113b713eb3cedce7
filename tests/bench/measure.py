# SPDX-License-Identifier: BSD-2-Clause
"""One run: started, served where it is a server, stopped when it takes too long, and its figures."""
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from arms import ROOT

BENCH = os.path.join(ROOT, "build", "tests", "bench")
PATIENCE = 120 # seconds for a program that takes its own figures
GRACE = 1 # seconds from a program's own end of time to being stopped
PORTS = range(21900, 22000)


class Scratch:
    """Two directories for one run: what is written to `path` is counted; `memory` is in /dev/shm."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="heapray-bench.")
        self.memory = tempfile.mkdtemp(prefix="heapray-bench.", dir="/dev/shm")
        return self

    def __exit__(self, *unused):
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.rmtree(self.memory, ignore_errors=True)

    def written(self):
        return sum(os.lstat(os.path.join(folder, name)).st_size
                   for folder, _, names in os.walk(self.path) for name in names)


def free_port():
    for port in PORTS:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError(f"no port of {PORTS.start} to {PORTS.stop - 1} is free")


def await_port(port, process=None):
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if process and process.poll() is not None:
                raise RuntimeError(f"the server of port {port} has ended") from None
            time.sleep(0.1)
    raise RuntimeError(f"nobody listens on {port}")


def measure(argv, limit, environment=None, drive=None, port=None):
    """
    Runs argv, with drive(port) beside it when it is a server. Returns {wall_s, user_s, system_s, peak_bytes, stopped}
    and what drive() returns; and the text it printed. wall_s of a server: as long as it was driven.
    """
    with tempfile.TemporaryDirectory(prefix="heapray-bench.") as folder:
        measured, out = os.path.join(folder, "measured"), os.path.join(folder, "out")
        driven, trouble, began = {}, None, time.monotonic()
        with open(out, "w", encoding="utf-8") as file:
            process = subprocess.Popen(
                [os.path.join(BENCH, "measure"), measured, str(limit + GRACE), *argv], stdout=file,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, "BENCH_SECONDS": str(limit), **(environment or {})})
            if drive:
                try:
                    await_port(port, process)
                    driven = drive(port)
                except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                    trouble = error # because it was stopped, perhaps
            process.wait()
        with open(measured, encoding="ascii") as file:
            wall, user, system, peak, status, stopped = file.read().split()
        with open(out, encoding="utf-8", errors="replace") as file:
            text = file.read()
    if stopped == "0" and (status != "0" or trouble):
        raise RuntimeError(f"{' '.join(argv)}: status {status}, {trouble}\n{text[-2000:]}")
    return {"wall_s": float(wall), "user_s": float(user), "system_s": float(system), "peak_bytes": int(peak),
            "stopped": stopped == "1" or time.monotonic() - began >= limit, **driven}, text


def run_arm(arm, workload, argv, port):
    """The figures of one run of a workload in one arm. pairs: how many a program that counts them got done."""
    limit = PATIENCE if workload.prints else arm.limit
    with Scratch() as scratch:
        figures, text = measure(arm.command(argv, scratch), limit, workload.environment, workload.drive, port)
        figures["written_bytes"] = scratch.written()
        if not figures["stopped"]:
            arm.check(scratch)
    if workload.prints:
        if figures["stopped"]:
            raise RuntimeError(f"{workload.name}, {arm.name}: not done in {limit} s")
        return {name: float(value) for name, value in re.findall(r"^(\w+) ([\d.]+)$", text, re.MULTILINE)}
    pairs = re.search(r"^pairs (\d+)$", text, re.MULTILINE)
    if pairs:
        figures["ns_per_pair"] = figures["wall_s"] * 1e9 / int(pairs[1])
        figures["cpu_ns_per_pair"] = (figures["user_s"] + figures["system_s"]) * 1e9 / int(pairs[1])
    return figures
