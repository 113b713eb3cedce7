# SPDX-License-Identifier: BSD-2-Clause
"""What is compared: the bare program, heapray, and the other tools, each as a way to start a command."""
import glob
import os
import shutil

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
HEAPRAY = os.path.join(ROOT, "build", "heapray")


class Arm:
    """name; base: the arm whose figures it is set against (its own allocator, unwatched); command(argv, scratch)."""

    def __init__(self, name, base, command, there=True):
        self.name, self.base, self.command, self.there = name, base, command, there


def preload(library, **environment):
    def command(argv, scratch):
        settings = [f"{key}={value.replace('@', scratch)}" for key, value in environment.items()]
        return ["env", f"LD_PRELOAD={library}", *settings, *argv]
    return command


def heapray(*options):
    def command(argv, scratch):
        return [HEAPRAY, "run", "--dir", os.path.join(scratch, "memory"), *options, "--", *argv]
    return command


def jemalloc_prof(sample):
    conf = f"prof:true,lg_prof_sample:{sample},prof_final:true,prof_prefix:@/jeprof"
    return preload("libjemalloc.so.2", MALLOC_CONF=conf)


def all_arms():
    # Loading an allocator into this process to see whether it is there would be asking for trouble.
    jemalloc, tcmalloc = (glob.glob(f"/usr/lib/*/{name}") for name in ("libjemalloc.so.2", "libtcmalloc.so.4"))
    arms = [
        Arm("bare", None, lambda argv, scratch: argv),
        Arm("heapray", "bare", heapray()),
        Arm("heapray --sample 512K", "bare", heapray("--sample", "512K")),
        Arm("heaptrack", "bare", lambda argv, scratch: ["heaptrack", "-o", scratch + "/heaptrack", *argv],
            shutil.which("heaptrack")),
        Arm("jemalloc", None, preload("libjemalloc.so.2"), jemalloc),
        Arm("jemalloc prof, every byte", "jemalloc", jemalloc_prof(0), jemalloc),
        Arm("jemalloc prof, 512K", "jemalloc", jemalloc_prof(19), jemalloc),
        Arm("tcmalloc", None, preload("libtcmalloc.so.4"), tcmalloc),
        Arm("gperftools HEAPPROFILE", "tcmalloc", preload("libtcmalloc.so.4", HEAPPROFILE="@/gperf"), tcmalloc),
    ]
    return [arm for arm in arms if arm.there]
