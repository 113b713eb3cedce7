# SPDX-License-Identifier: BSD-2-Clause
"""What is run: programs that only allocate, and real ones on fixed inputs."""
import glob
import os
import subprocess
import socket
import time

from arms import ROOT

BENCH = os.path.join(ROOT, "build", "tests", "bench")


class Workload:
    """
    name; command(directory): its argv, inputs made in the directory; arms: names, None for all; drive(port): a client
    that runs while the program, a server on that port, is measured; prints: it prints figures, `name value` a line.
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
for round = 1, 40 do
	local t = {}
	for i = 1, 20000 do t[i] = { name = "item " .. i, value = i, tags = { "a", "b", i } } end
	for i = 1, 20000 do n = n + #t[i].name end
end
print(n)
"""

PYTHON = """
import json
data = [{"id": i, "name": "n%d" % i, "tags": [str(j) for j in range(i % 9)], "at": i / 7} for i in range(20000)]
for _ in range(8):
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
    """cc1, the compiler proper, on the largest source file here, preprocessed."""
    sources = glob.glob(os.path.join(ROOT, "report", "*.c")) + glob.glob(os.path.join(ROOT, "shim", "*.c"))
    largest = max(sources, key=os.path.getsize)
    unit = os.path.join(directory, "unit.i")
    subprocess.run(["gcc", "-E", "-std=gnu11", "-D_GNU_SOURCE", '-DHEAPRAY_VERSION=""', "-I" + ROOT + "/include",
                    "-I" + ROOT + "/report", "-I" + ROOT + "/shim", "-o", unit, largest], check=True)
    cc1 = subprocess.run(["gcc", "-print-prog-name=cc1"], check=True, capture_output=True, text=True).stdout.strip()
    return [cc1, "-quiet", "-fpreprocessed", "-std=gnu11", "-O3", "-g", unit, "-o", "/dev/null"]


def redis(directory, port):
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory,
            "--daemonize", "no", "--loglevel", "warning"]


def drive_redis(port):
    """A fixed number of commands; returns figures. The server is told to end."""
    began = time.monotonic()
    subprocess.run(["redis-benchmark", "-p", str(port), "-n", "100000", "-c", "20", "-q", "-r", "20000", "-d", "100",
                    "-t", "set,get,lpush,hset,sadd"], check=True, stdout=subprocess.DEVNULL)
    took = time.monotonic() - began
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"SHUTDOWN NOSAVE\r\n")
        connection.recv(100)
    return {"requests a second": 500000 / took}


ONLY_US = ["bare", "heapray"]
ALL = [
    Workload("malloc+free, 5 deep, 10 M pairs", program("pair", 10_000_000, 5)),
    Workload("malloc+free, 20 deep, 30 M pairs", program("pair", 30_000_000, 20)),
    Workload("malloc+free, 60 deep, 10 M pairs", program("pair", 10_000_000, 60)),
    Workload("a million live blocks at random, 5 deep, 5 M pairs", program("churn", 5_000_000, 5)),
    Workload("a million live blocks at random, 20 deep, 5 M pairs", program("churn", 5_000_000, 20)),
    Workload("a million live blocks at random, 60 deep, 5 M pairs", program("churn", 5_000_000, 60)),
    Workload("two threads, own blocks, 20 deep, 30 M pairs", program("pair", 30_000_000, 20, 2)),
    Workload("two threads, one frees the other's, 20 deep, 5 M pairs", program("handover", 5_000_000, 20)),
    Workload("lua5.4 tables", script(["lua5.4"], "tables.lua", LUA)),
    Workload("python3 json", script(["/usr/bin/python3"], "json_loop.py", PYTHON), environment={"PYTHONMALLOC": "malloc"}),
    Workload("sqlite3", script(["sqlite3", ":memory:", "-init"], "script.sql", SQL)),
    Workload("cc1", compiler),
    Workload("redis-server under redis-benchmark", redis, drive=drive_redis),
    Workload("fork with 10,000 sites and a million blocks", program("forking"), arms=ONLY_US, prints=True),
    Workload("start-up of true", program("starts", 300, "/bin/true"), arms=ONLY_US, prints=True),
]
