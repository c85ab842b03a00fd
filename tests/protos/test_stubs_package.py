"""The stubs as another project has them: their wheel, beside the oldest versions that it takes."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.documentation.walkthrough import started_as_shown, steps_of

ROOT = Path(__file__).resolve().parent.parent.parent
STUBS = ROOT / "generated"


def oldest_dependencies() -> list[str]:
    """Return what the wheel asks for, each in the oldest version that it takes."""
    project = tomllib.loads((STUBS / "pyproject.toml").read_text())["project"]
    found = [re.fullmatch(r"([\w-]+)>=([\d.]+).*", each) for each in project["dependencies"]]
    return [f"{each[1]}=={each[2]}" for each in found if each is not None]


def pip_of(python: Path) -> list[str]:
    """Return the command that is `pip` for another Python, which needs none of its own."""
    return [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]


def pip(python: Path, *arguments: str) -> None:
    done = subprocess.run(
        [*pip_of(python), "install", "--quiet", "--no-compile", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def python_of_another_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python that has the wheel of the stubs and nothing that the wheel does not name."""
    work = tmp_path_factory.mktemp("stubs")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(work)],
        cwd=STUBS,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (wheel,) = work.glob("vumeter_protos-*.whl")
    make = [sys.executable, "-m", "venv", "--without-pip", str(work / "venv")]
    subprocess.run(make, check=True, timeout=120)
    python = work / "venv" / "bin" / "python"
    pip(python, str(wheel), *oldest_dependencies())
    return python


def installed(python: Path) -> dict[str, str]:
    listed = subprocess.run(
        [*pip_of(python), "list", "--format=freeze"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return dict(line.split("==") for line in listed.stdout.split())


@pytest.mark.timeout(400)
def test_the_wheel_takes_protobuf_6_and_names_all_that_it_needs(
    python_of_another_project: Path,
) -> None:
    versions = installed(python_of_another_project)
    assert versions.keys() >= {"googleapis-common-protos", "grpcio", "protobuf", "vumeter-protos"}
    assert versions["protobuf"].startswith("6.")
    modules = [
        ".".join(path.relative_to(STUBS).with_suffix("").parts)
        for path in sorted(STUBS.rglob("*_pb2*.py"))
    ]
    assert len(modules) == 30
    subprocess.run(
        [python_of_another_project, "-W", "error", "-c", f"import {', '.join(modules)}"],
        check=True,
        cwd=python_of_another_project.parent,
        timeout=60,
    )


@pytest.mark.timeout(400)
def test_the_python_of_the_readme_runs_beside_the_oldest_versions(
    python_of_another_project: Path, tmp_path: Path
) -> None:
    page = (ROOT / "README.md").read_text()
    steps = steps_of(page)
    (program,) = [number for number, step in enumerate(steps) if step.language == "python"]
    needed = [step for step in steps[:program] if "vumeter env" in step.code] + [steps[program]]
    checkout, work = tmp_path / "checkout", tmp_path / "work"
    checkout.mkdir()
    work.mkdir()
    with started_as_shown(page, ROOT, checkout) as terminal:
        printed = terminal.run(needed, work, python=str(python_of_another_project))
    assert steps[program].is_answered_by(printed[-1]), printed[-1]


ANNOTATED = """
from vumeter.custom_metrics.v1 import custom_metrics_pb2

point = custom_metrics_pb2.Point(name="booking_attempt")
reveal_type(point.name)
custom_metrics_pb2.Piont()
"""


@pytest.mark.timeout(400)
def test_a_type_checker_finds_what_is_misspelt(
    python_of_another_project: Path, tmp_path: Path
) -> None:
    (tmp_path / "agent.py").write_text(ANNOTATED)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--python-executable", python_of_another_project),
            *("--cache-dir", tmp_path / "cache", "agent.py"),
        ],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert 'Module has no attribute "Piont"' in done.stdout, done.stdout
    assert 'Revealed type is "' in done.stdout
    assert "str" in done.stdout.partition("Revealed type is")[2].splitlines()[0]


def test_the_readme_says_what_another_project_installs() -> None:
    assert "pip install ./generated" in (ROOT / "README.md").read_text()
