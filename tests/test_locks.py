"""What is installed is pinned: each line of a lock file has a version and hashes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted(
    path
    for pattern in (
        *("requirements.lock", "deploy/*.lock", "bench/*.lock", "tools/*.lock"),
        "tests/**/*.lock",
    )
    for path in ROOT.glob(pattern)
)
REQUIREMENT = re.compile(
    r"(?P<name>[a-z0-9-]+)(\[[a-z0-9,-]+\])?==[^ ;]+( ; [^\\]+)?( --hash=sha256:[0-9a-f]{64})+"
)


def requirements(lock: Path) -> list[str]:
    lines = "\n".join(
        line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")
    )
    return [" ".join(each.split()) for each in lines.replace("\\\n", " ").splitlines() if each]


def test_there_are_lock_files() -> None:
    assert len(LOCKS) >= 6


@pytest.mark.parametrize("lock", LOCKS, ids=[str(path.relative_to(ROOT)) for path in LOCKS])
def test_each_package_has_a_version_and_hashes(lock: Path) -> None:
    found = requirements(lock)
    assert len(found) > 5
    assert [each for each in found if not REQUIREMENT.fullmatch(each)] == []


def test_every_dependency_of_the_product_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {
        re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0].lower().replace("_", "-")
        for each in project["dependencies"]
    }
    locked = {
        match["name"]
        for each in requirements(ROOT / "requirements.lock")
        if (match := REQUIREMENT.fullmatch(each))
    }
    assert asked <= locked


def test_nothing_is_installed_without_its_hash() -> None:
    installs = [
        line
        for line in (ROOT / "Makefile").read_text().splitlines()
        if "pip install" in line and "--editable" not in line
    ]
    assert installs
    assert [line for line in installs if "--require-hashes" not in line] == []


def test_the_audit_looks_at_every_lock_file() -> None:
    audit = (ROOT / "tools" / "audit.py").read_text()
    assert [path for path in LOCKS if f'"{path.relative_to(ROOT)}"' not in audit] == []
