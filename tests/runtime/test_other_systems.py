"""What only Linux has is not needed to load the product, nor to run what asks for it."""

from __future__ import annotations

import subprocess
import sys

WITHOUT = """
import ctypes, os, pkgutil, importlib, resource, sys, threading

for module, name in ((resource, "RUSAGE_THREAD"), (os, "setpriority"), (os, "PRIO_PROCESS")):
    delattr(module, name)

class Libc:
    "A C library without prctl and mallopt."

ctypes.CDLL = lambda name: Libc()

import vumeter_server
for module in pkgutil.walk_packages(vumeter_server.__path__, "vumeter_server."):
    importlib.import_module(module.name)
# Not earlier: the standard library would look for files of that system.
sys.platform = "darwin"
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT + program, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_every_module_loads_and_every_guarded_call_is_left_out() -> None:
    done = run(
        """
from vumeter_server import app
from vumeter_server.runtime.priorities import give_way
from vumeter_server.sqlite.disk_reads import disk_reads
app._keep_heap_small()
give_way()
assert disk_reads() >= 0
print("loaded")
"""
    )
    assert (done.stdout, done.stderr) == ("loaded\n", "")


def test_a_child_runs_without_prctl() -> None:
    done = run(
        """
from vumeter_server.runtime import parent_death
sys.argv = ["parent_death", str(os.getppid()), "/bin/echo", "running"]
parent_death.main()
"""
    )
    assert (done.stdout, done.returncode) == ("running\n", 0), done.stderr
