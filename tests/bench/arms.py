# SPDX-License-Identifier: BSD-2-Clause
"""What is compared: the bare program, heapray, and the other tools, each as a way to start a command."""
import fnmatch
import glob
import os
import shutil
import subprocess

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
HEAPRAY = os.path.join(ROOT, "build", "heapray")

BARE, EXACT, SAMPLED = "bare", "heapray", "heapray --sample 512K"
HEAPTRACK = "heaptrack --raw"
NGINX_ARMS = [BARE, EXACT, SAMPLED, HEAPTRACK]

LIMIT = 25 # seconds a run may take
LIMIT_OF_THE_SLOWEST = 3 # microseconds to tens of them for each event: no use in waiting for these


class Arm:
    """
    name; command(argv, scratch): how to start it; leaves: what a run leaves in the scratch directories when it was
    really watched, a pattern; limit: see above; missing: why it cannot be run, or None.
    """

    def __init__(self, name, command, leaves=None, missing=None, limit=LIMIT):
        self.name, self.command, self.leaves, self.missing, self.limit = name, command, leaves, missing, limit
        self.ours = name in (BARE, EXACT, SAMPLED)

    def check(self, scratch, least=1):
        """A tool that was not there costs nothing: such figures must not come into a table."""
        found = [name for folder in (scratch.path, scratch.memory) for name in os.listdir(folder)
                 if self.leaves and fnmatch.fnmatch(name, self.leaves) and os.path.getsize(os.path.join(folder, name))]
        if self.leaves and len(found) < least:
            raise RuntimeError(f"{self.name}: {len(found)} files {self.leaves}: it was not on")


def preload(library, **environment):
    def command(argv, scratch):
        settings = [f"{key}={value.replace('@', scratch.path)}" for key, value in environment.items()]
        return ["env", f"LD_PRELOAD={library}", *settings, *argv]
    return command


def heapray(*options):
    def command(argv, scratch):
        return [HEAPRAY, "run", "--dir", scratch.memory, *options, "--", *argv]
    return command


def not_there(library):
    # Loading an allocator into this process to see whether it is there would be asking for trouble.
    return None if glob.glob(f"/usr/lib/*/{library}") else f"there is no {library}"


def no_jemalloc_prof():
    """jemalloc may have been built without its profiler: then it complains of the option."""
    if not_there("libjemalloc.so.2"):
        return not_there("libjemalloc.so.2")
    environment = {**os.environ, "LD_PRELOAD": "libjemalloc.so.2", "MALLOC_CONF": "prof:true,prof_active:false"}
    said = subprocess.run(["true"], env=environment, capture_output=True, text=True, check=False).stderr
    return "this jemalloc was built without its profiler" if "nvalid conf" in said else None


def jemalloc_prof(sample):
    conf = f"prof:true,lg_prof_sample:{sample},prof_final:true,prof_prefix:@/jeprof"
    return preload("libjemalloc.so.2", MALLOC_CONF=conf)


def heaptrack(argv, scratch):
    """--raw is the cheaper way: without it a second process works out the stacks meanwhile."""
    return ["heaptrack", "--raw", "-o", scratch.path + "/heaptrack", *argv]


def all_arms():
    no_prof, no_jemalloc, no_tcmalloc = no_jemalloc_prof(), not_there("libjemalloc.so.2"), not_there("libtcmalloc.so.4")
    return [
        Arm(BARE, lambda argv, scratch: argv),
        Arm(EXACT, heapray(), "*.seg"),
        Arm(SAMPLED, heapray("--sample", "512K"), "*.seg"),
        Arm(HEAPTRACK, heaptrack, "heaptrack*", None if shutil.which("heaptrack") else "there is no heaptrack"),
        Arm("jemalloc", preload("libjemalloc.so.2"), missing=no_jemalloc),
        Arm("jemalloc, lg_prof_sample:19", jemalloc_prof(19), "jeprof*", no_prof),
        Arm("jemalloc, lg_prof_sample:0", jemalloc_prof(0), "jeprof*", no_prof, LIMIT_OF_THE_SLOWEST),
        Arm("tcmalloc", preload("libtcmalloc.so.4"), missing=no_tcmalloc),
        Arm("tcmalloc, HEAPPROFILE", preload("libtcmalloc.so.4", HEAPPROFILE="@/gperf"), "gperf*", no_tcmalloc,
            LIMIT_OF_THE_SLOWEST),
    ]
