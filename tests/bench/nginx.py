# SPDX-License-Identifier: BSD-2-Clause
"""
nginx under wrk: CPU of the workers per request, from /proc, and requests a second. All arms run at the same time on
ports of their own, and take turns under load. heaptrack does not follow workers: it gets one process without a
master.
"""
import glob
import os
import re
import shutil
import socket
import statistics
import subprocess
import time

from arms import ROOT

PAGES = {"static": "/index.html", "Lua subrequest": "/page", "Lua tables": "/table"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, arm, scratch):
        self.arm, self.port, self.prefix = arm, free_port(), os.path.join(scratch, "nginx")
        for folder in "logs", "html":
            os.makedirs(os.path.join(self.prefix, folder))
        os.chmod(scratch, 0o755)
        example = os.path.join(ROOT, "examples", "nginx")
        shutil.copy(os.path.join(example, "app.lua"), self.prefix)
        with open(os.path.join(self.prefix, "html", "index.html"), "w", encoding="ascii") as page:
            page.write("<p>It works.</p>\n")
        with open(os.path.join(example, "nginx.conf"), encoding="utf-8") as conf:
            text = conf.read().replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")
        if arm.name == "heaptrack":
            text = "daemon off;\nmaster_process off;\n" + text
        with open(os.path.join(self.prefix, "nginx.conf"), "w", encoding="utf-8") as conf:
            conf.write(text)
        argv = [shutil.which("nginx") or "/usr/sbin/nginx", "-p", self.prefix, "-c", "nginx.conf"]
        with open(os.path.join(scratch, "out"), "w", encoding="ascii") as out:
            self.process = subprocess.Popen(arm.command(argv, scratch), stdout=out, stderr=out)
        self.await_answer()

    def await_answer(self):
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                time.sleep(0.1)
        with open(os.path.join(self.prefix, "logs", "nginx.pid"), encoding="ascii") as file:
            self.pid = int(file.read())

    def workers(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
            children = [int(word) for word in file.read().split()]
        return children or [self.pid]

    def cpu_ns(self):
        total = 0
        for pid in self.workers():
            for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                with open(path, encoding="ascii") as file:
                    total += int(file.read().split()[0])
        return total

    def load(self, page, seconds):
        before = self.cpu_ns()
        out = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}", f"http://127.0.0.1:{self.port}{page}"],
                             check=True, capture_output=True, text=True).stdout
        requests = int(re.search(r"(\d+) requests in", out).group(1))
        failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        if failed or not requests:
            raise RuntimeError(f"nginx under {self.arm.name}: {out}")
        rate = float(re.search(r"Requests/sec: *([\d.]+)", out).group(1))
        return (self.cpu_ns() - before) / 1000 / requests, rate

    def stop(self):
        subprocess.run(["kill", "-QUIT", str(self.pid)], check=False)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()


def run(arms, scratch_of, runs, say):
    """Rows {workload, arm, cpu_us_per_request, requests_per_second}, medians of `runs` turns of two seconds."""
    servers = [Server(arm, scratch_of(arm)) for arm in arms if arm.name in
               ("bare", "heapray", "heapray --sample 512K", "heaptrack")]
    rows = []
    try:
        for page in PAGES.values():
            for server in servers:
                server.load(page, 1) # the first pages are slow: caches, JIT
        for name, page in PAGES.items():
            taken = {server.arm.name: [] for server in servers}
            for turn in range(runs):
                say(f"nginx, {name}: {turn + 1}/{runs}")
                for server in servers[turn % len(servers):] + servers[:turn % len(servers)]:
                    taken[server.arm.name].append(server.load(page, 2))
            for arm, figures in taken.items():
                rows.append({"workload": "nginx, " + name, "arm": arm,
                             "cpu_us_per_request": statistics.median(cpu for cpu, _ in figures),
                             "requests_per_second": statistics.median(rate for _, rate in figures)})
    finally:
        for server in servers:
            server.stop()
    return rows
