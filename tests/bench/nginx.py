# SPDX-License-Identifier: BSD-2-Clause
"""
nginx under wrk: CPU of the workers per request, from /proc, and requests a second. All servers are up at the same time
on ports of their own, and take turns under load. heaptrack does not follow workers: it gets one process without a
master, and is set against the same without it.
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import time

import arms as arms_module
from arms import ROOT
from measure import Scratch, await_port, free_port

PAGES = {"nginx static": "/index.html", "nginx Lua subrequest": "/page", "nginx Lua tables": "/table"}
ONE_PROCESS = ", one process"
SECONDS, SECONDS_ONE_PROCESS = 2, 1 # of load in each turn
RUNS = 7 # turns at least


class Server:
    def __init__(self, arm, name, scratch, workers):
        self.arm, self.scratch = arm, scratch
        self.name, self.port, self.prefix = name, free_port(), os.path.join(scratch.path, "nginx")
        for folder in "logs", "html":
            os.makedirs(os.path.join(self.prefix, folder))
        os.chmod(scratch.path, 0o755)
        example = os.path.join(ROOT, "examples", "nginx")
        shutil.copy(os.path.join(example, "app.lua"), self.prefix)
        with open(os.path.join(self.prefix, "html", "index.html"), "w", encoding="ascii") as page:
            page.write("<p>It works.</p>\n")
        with open(os.path.join(example, "nginx.conf"), encoding="utf-8") as conf:
            text = conf.read().replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")
        if not workers:
            text = "daemon off;\nmaster_process off;\n" + text
        with open(os.path.join(self.prefix, "nginx.conf"), "w", encoding="utf-8") as conf:
            conf.write(text)
        argv = [shutil.which("nginx") or "/usr/sbin/nginx", "-p", self.prefix, "-c", "nginx.conf"]
        with open(os.path.join(scratch.path, "said"), "w", encoding="ascii") as said:
            self.process = subprocess.Popen(arm.command(argv, scratch), stdout=said, stderr=said)
        self.with_workers, self.pid, self.workers, self.stopped = workers, None, [], False

    def await_ready(self):
        await_port(self.port)
        self.pid = self.await_pid()
        self.workers = [self.pid]
        while self.with_workers and len(self.workers) < 2: # a listening port may be the master's alone
            with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
                self.workers = [int(word) for word in file.read().split()]
            time.sleep(0.1)

    def await_pid(self):
        """From its file, which is there before there is anything in it."""
        path = os.path.join(self.prefix, "logs", "nginx.pid")
        for _ in range(100):
            text = ""
            if os.path.exists(path):
                with open(path, encoding="ascii") as file:
                    text = file.read()
            if text.endswith("\n"):
                return int(text)
            time.sleep(0.1)
        raise RuntimeError(f"nginx, {self.name}: no pid")

    def cpu_ns(self):
        total = 0
        for pid in self.workers:
            for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                with open(path, encoding="ascii") as file:
                    total += int(file.read().split()[0])
        return total

    def load(self, page, seconds):
        before = self.cpu_ns()
        out = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}", f"http://127.0.0.1:{self.port}{page}"],
                             check=True, capture_output=True, text=True).stdout
        requests = int(re.search(r"(\d+) requests in", out)[1])
        if "Non-2xx" in out or not requests:
            raise RuntimeError(f"nginx, {self.name}: {out}")
        return {"cpu_us_per_request": (self.cpu_ns() - before) / 1000 / requests,
                "requests_per_second": float(re.search(r"Requests/sec: *([\d.]+)", out)[1])}

    def stop(self):
        if self.stopped:
            return
        self.stopped = True
        self.pid = self.pid or self.await_pid()
        for _ in range(100): # a daemon is not our child: there is nothing to wait for
            self.process.poll()
            try:
                os.kill(self.pid, signal.SIGQUIT)
            except ProcessLookupError:
                break
            time.sleep(0.1)
        self.process.wait(60)

    def check(self):
        """After its end, when everything is written: something of the master and of each worker."""
        self.arm.check(self.scratch, 3 if self.with_workers else 1)


def start_all(arms, scratches):
    by_name = {arm.name: arm for arm in arms}
    for name in arms_module.NGINX_ARMS:
        if name not in by_name:
            continue
        if name == arms_module.HEAPTRACK:
            scratches.append(Scratch().__enter__())
            yield Server(by_name[arms_module.BARE], arms_module.BARE + ONE_PROCESS, scratches[-1], False)
            name += ONE_PROCESS
        scratches.append(Scratch().__enter__())
        yield Server(by_name[name.removesuffix(ONE_PROCESS)], name, scratches[-1], not name.endswith(ONE_PROCESS))


def stop_all(servers):
    for server in servers:
        server.stop()


def run(arms, wanted, runs, say):
    """For each page whose name is wanted: (name, {server: its figures, one for each turn})."""
    servers, scratches, results = [], [], []
    try:
        for server in start_all(arms, scratches):
            servers.append(server)
            server.await_ready()
            for page in PAGES.values():
                server.load(page, 1) # the first pages are slow: caches, JIT
        for name, page in PAGES.items():
            if not wanted(name):
                continue
            taken = {server.name: [] for server in servers}
            for turn in range(runs):
                say(f"{name}: {turn + 1}/{runs}")
                for server in servers[turn % len(servers):] + servers[:turn % len(servers)]:
                    seconds = SECONDS if server.with_workers else SECONDS_ONE_PROCESS
                    taken[server.name].append(server.load(page, seconds))
            results.append((name, taken))
        stop_all(servers)
        for server in servers:
            server.check()
    finally:
        stop_all(servers)
        for scratch in scratches:
            scratch.__exit__()
    return results
