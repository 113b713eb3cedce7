# SPDX-License-Identifier: BSD-2-Clause
"""What is run: programs that only allocate, and real ones on fixed inputs."""
import glob
import os
import socket
import subprocess
import time

import arms
from arms import ROOT
from measure import BENCH


class Workload:
    """
    name; command(directory, port): its argv, inputs made in the directory; arms: names, None for all; drive(port): a
    client that runs while the program, a server on that port, is measured; prints: it prints figures of its own,
    `name value` a line, in microseconds.
    """

    def __init__(self, name, command, arms=None, drive=None, prints=False, environment=None):
        self.name, self.command, self.arms, self.drive = name, command, arms, drive
        self.prints, self.environment = prints, environment or {}


def program(name, *arguments):
    return lambda directory, port: [os.path.join(BENCH, name), *map(str, arguments)]


def script(interpreter, name, text):
    def command(directory, port):
        path = os.path.join(directory, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return [*interpreter, path]
    return command


LUA = """
local n = 0
for round = 1, 20 do
	local t = {}
	for i = 1, 20000 do t[i] = { name = "item " .. i, value = i, tags = { "a", "b", i } } end
	for i = 1, 20000 do n = n + #t[i].name end
end
print(n)
"""

PYTHON = """
import json
data = [{"id": i, "name": "n%d" % i, "tags": [str(j) for j in range(i % 9)], "at": i / 7} for i in range(20000)]
for _ in range(5):
    data = json.loads(json.dumps(data))
print(len(data))
"""

SQL = """
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 200000)
	insert into t select i, hex(i * 7919 % 100003), i * 1.5 from n;
create index t_b on t(b);
select count(*), sum(length(b)) from t where b in (select b from t where a % 7 = 0);
select substr(b, 1, 4), group_concat(a) from t group by 1 having count(*) > 600;
select a.b, count(*) from t a join t b on a.b = b.b group by a.b order by 2 desc, 1 limit 5;
"""


def compiler(directory, port):
    """cc1, the compiler proper, on the source file here that is the largest once preprocessed."""
    units = []
    for source in glob.glob(os.path.join(ROOT, "report", "*.c")) + glob.glob(os.path.join(ROOT, "shim", "*.c")):
        folder = os.path.dirname(source)
        unit = os.path.join(directory, f"{os.path.basename(folder)}_{os.path.basename(source)[:-2]}.i")
        subprocess.run(["gcc", "-E", "-std=gnu11", "-D_GNU_SOURCE", '-DHEAPRAY_VERSION=""', "-I" + ROOT + "/include",
                        "-I" + folder, "-o", unit, source], check=True)
        units.append(unit)
    largest = max(units, key=os.path.getsize)
    cc1 = subprocess.run(["gcc", "-print-prog-name=cc1"], check=True, capture_output=True, text=True).stdout.strip()
    return [cc1, "-quiet", "-fpreprocessed", "-std=gnu11", "-O2", "-g", largest, "-o", "/dev/null"]


def redis(directory, port):
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory,
            "--daemonize", "no", "--loglevel", "warning"]


def drive_redis(port):
    """A fixed number of commands; returns figures. The server is told to end."""
    began = time.monotonic()
    subprocess.run(["redis-benchmark", "-p", str(port), "-n", "100000", "-c", "20", "-P", "16", "-q", "-r", "20000",
                    "-d", "100", "-t", "set,lpush,hset,sadd"], check=True, timeout=60,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took = time.monotonic() - began
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"SHUTDOWN NOSAVE\r\n")
        connection.recv(100)
    return {"wall_s": took, "requests_per_second": 400000 / took}


TIGHT, PAIR, TWO = "malloc+free, 20 deep, one size, 30 M pairs", "malloc+free, 20 deep, 30 M pairs", \
    "two threads, own blocks, 20 deep, 30 M pairs"
LUA_NAME, PYTHON_NAME, SQLITE, CC1 = "lua5.4 tables", "python3 json", "sqlite3", "cc1 -O2"
FORK, START = "fork with 10,000 sites and a million live blocks", "start-up of true"
OUR_ARMS = [arms.BARE, arms.EXACT, arms.SAMPLED]
ALL = [
    Workload(TIGHT, program("pair", 30_000_000, 20, "fixed")),
    Workload("malloc+free, 5 deep, 10 M pairs", program("pair", 10_000_000, 5, "varied")),
    Workload(PAIR, program("pair", 30_000_000, 20, "varied")),
    Workload("malloc+free, 60 deep, 10 M pairs", program("pair", 10_000_000, 60, "varied")),
    Workload("a million live blocks at random, 5 deep, 2 M pairs", program("churn", 2_000_000, 5)),
    Workload("a million live blocks at random, 20 deep, 2 M pairs", program("churn", 2_000_000, 20)),
    Workload("a million live blocks at random, 60 deep, 2 M pairs", program("churn", 2_000_000, 60)),
    Workload(TWO, program("pair", 30_000_000, 20, "varied", 2)),
    Workload("two threads, one frees the other's, 20 deep, 3 M pairs", program("handover", 3_000_000, 20)),
    Workload(LUA_NAME, script(["lua5.4"], "tables.lua", LUA)),
    Workload(PYTHON_NAME, script(["/usr/bin/python3"], "json_loop.py", PYTHON), environment={"PYTHONMALLOC": "malloc"}),
    Workload(SQLITE, script(["sqlite3", ":memory:", "-init"], "script.sql", SQL)),
    Workload(CC1, compiler),
    Workload("redis-server under redis-benchmark", redis, drive=drive_redis),
    Workload(FORK, program("forking"), arms=OUR_ARMS, prints=True),
    Workload(START, program("starts", 300, "/bin/true"), arms=OUR_ARMS + ["jemalloc", "jemalloc, lg_prof_sample:19"],
             prints=True),
]
