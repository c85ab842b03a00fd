"""The product as it is deployed: a wheel made of what the Dockerfile copies, in a clean venv."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tool(name: str) -> str:
    """Return a program that came with the packages of the tests, or is in the PATH."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}")
    return found


def copied_by_dockerfile() -> list[str]:
    """Return the files and folders that the Dockerfile copies from the checkout."""
    lines = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel in a folder that holds only what the Dockerfile copies."""
    source = tmp_path_factory.mktemp("source")
    for name in copied_by_dockerfile():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(source / "wheels")],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = (source / "wheels").glob("vumeter-*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel and what deploy/requirements.lock pins; return the folder of programs."""
    venv = tmp_path_factory.mktemp("installed") / "venv"
    uv = tool("uv")
    # Links into another file system would only warn.
    install = [uv, "pip", "install", "--quiet", "--link-mode", "copy", "--no-deps"]
    for command in (
        [uv, "venv", "--quiet", "--no-python-downloads", "--python", sys.executable, str(venv)],
        [*install, "--python", str(venv), "--require-hashes", "-r", "deploy/requirements.lock"],
        [*install, "--python", str(venv), "--no-index", str(wheel)],
    ):
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
    return venv / "bin"
