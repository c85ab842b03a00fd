"""Programs that need packages of npm: installed under `build/`, once for each lock file."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
UNREACHABLE: Final = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")
"""What npm says where no registry can be reached."""


@cache
def installed(program: Path, name: str) -> Path:
    """Return `build/<name>` with the files of a program and what its lock file pins.

    Without Node or a registry, the test that asks for it is skipped.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    lock = (program / "package-lock.json").read_bytes()
    version = subprocess.run(["node", "--version"], capture_output=True, check=True, timeout=60)
    made_of = hashlib.sha256(lock + version.stdout).hexdigest()[:16]
    folder = ROOT / "build" / name
    ready = folder / "ready"
    if not (ready.exists() and ready.read_text() == made_of):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(program, folder, ignore=shutil.ignore_patterns("node_modules"))
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        if done.returncode and any(each in done.stderr for each in UNREACHABLE):
            pytest.skip("npm's packages cannot be installed: no registry can be reached")
        assert done.returncode == 0, done.stderr
        ready.write_text(made_of)
    # What is written here may have changed since.
    shutil.copytree(
        program, folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True
    )
    return folder
