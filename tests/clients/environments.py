"""Python environments that have a framework for agents, kept under `build/`."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FRAMEWORKS = Path(__file__).resolve().parent / "frameworks"
UNREACHABLE = "error sending request"
"""What uv says where no registry can be reached."""


def python_with(framework: str) -> Path:
    """Return a Python that has what the lock file of the framework pins.

    It is made once for each content of the lock file. Where no registry can be reached, the test
    that asks for it is skipped.
    """
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with (build / f"{framework}.claim").open("w") as claim:
        # One process of tests makes it, the others wait.
        fcntl.flock(claim, fcntl.LOCK_EX)
        return _made(framework)


def _made(framework: str) -> Path:
    lock = FRAMEWORKS / f"{framework}.lock"
    made_of = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()[:16]
    venv = ROOT / "build" / f"{framework}-venv"
    python, ready = venv / "bin" / "python", venv / "ready"
    if ready.exists() and ready.read_text() == made_of:
        return python
    shutil.rmtree(venv, ignore_errors=True)
    make = [sys.executable, "-m", "venv", "--without-pip", str(venv)]
    subprocess.run(make, check=True, timeout=120)
    # Without dependencies: the lock file has what is needed, and leaves out what is only large.
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    done = subprocess.run(
        [*install, "--no-deps", "--require-hashes", "-r", str(lock)],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    if done.returncode and UNREACHABLE in done.stderr:
        pytest.skip(f"{framework} cannot be installed: no package registry can be reached")
    assert done.returncode == 0, done.stderr
    ready.write_text(made_of)
    return python
