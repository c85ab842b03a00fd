"""The client as an agent has it: its wheel alone, on every Python that it names."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from tests.clients.conftest import Organization

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENT = ROOT / "clients" / "python"
PROJECT = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
MODULES = sorted((CLIENT / "vumeter_client").glob("*.py"))
FRAMEWORKS = {"vumeter_client/livekit.py", "vumeter_client/pipecat.py"}
VERSIONS = [
    each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)
]
MAX_LINES = 300


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("client")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(work)],
        cwd=CLIENT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = work.glob("vumeter_client-*-py3-none-any.whl")
    return built


def python_of(version: str) -> str:
    """Return an interpreter of that version; skip the test where there is none."""
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python"))
    candidates = [shutil.which(f"python{version}"), *map(str, installed)]
    for candidate in filter(None, candidates):
        program = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run(
            [candidate, "-c", program], capture_output=True, text=True, check=False, timeout=60
        )
        if done.stdout.strip() == version:
            return candidate
    pytest.skip(f"there is no Python {version} here")


def test_the_wheel_holds_the_package_and_its_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "vumeter_client/py.typed" in names
    assert {f"vumeter_client/{path.name}" for path in MODULES} <= names
    assert {name.split("/")[0] for name in names} == {
        "vumeter_client",
        f"vumeter_client-{PROJECT['version']}.dist-info",
    }


def test_it_needs_nothing_but_python() -> None:
    assert PROJECT["dependencies"] == []
    imported = {
        name.split(".")[0]
        for path in MODULES
        if f"vumeter_client/{path.name}" not in FRAMEWORKS
        for statement in ast.parse(path.read_text()).body
        for name in _names(statement)
    }
    assert imported - set(sys.stdlib_module_names) == {"vumeter_client"}


def _names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.ImportFrom):
        return [statement.module or ""]
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    return []


def test_the_oldest_python_is_the_first_that_is_named() -> None:
    assert PROJECT["requires-python"] == f">={VERSIONS[0]}"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("version", VERSIONS)
def test_it_records_and_queries_on_every_python_that_is_named(
    version: str, wheel: Path, organization: Organization, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    uv = [sys.executable, "-m", "uv", "--quiet", "--offline", "--no-config"]
    subprocess.run(
        [*uv, "venv", "--python", python_of(version), str(venv)], check=True, timeout=120
    )
    python = venv / "bin" / "python"
    # Without an index: there is nothing else to install.
    install = ["pip", "install", "--no-index", "--python", str(python), str(wheel)]
    subprocess.run([*uv, *install], check=True, timeout=120)
    program = """
import sys
from vumeter_client import Client, Filter, Metric, Recorder

with Recorder(tags={"origin": "phone"}) as recorder:
    for value in (640, 815):
        recorder.histogram("e2e_latency_ms", value)
    assert recorder.flush(30), recorder.stats
(row,) = Client().query(
    "2020-01-01",
    "2029-12-31T00:00:00.5",
    {"p95": Metric("e2e_latency_ms", "percentile", 95)},
    filters=[Filter("origin", "=", "phone")],
)
print(row.values, row.counts, row.end.isoformat())
"""
    done = subprocess.run(
        [python, "-W", "error", "-c", program],
        env={"VUMETER_URL": organization.url, "VUMETER_KEY": organization.bearer},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (
        "{'p95': 815} {'p95': 2} 2029-12-31T00:00:00.500000+00:00\n",
        "",
    )


def test_no_module_is_longer_than_300_lines() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}
