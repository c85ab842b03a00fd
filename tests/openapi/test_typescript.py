"""A client in TypeScript: types made of the document, checked by tsc, used against the product."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.npm import installed
from tests.openapi.reading import FILE, ROOT
from tests.stack import Stack

PROGRAM = Path(__file__).resolve().parent / "node"
# The first test that needs them installs the packages.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def compiled() -> Path:
    """The folder of the programs, in JavaScript."""
    folder = installed(PROGRAM, "node-openapi")
    (folder / "first.ts").write_text(first_point())
    bin_folder = folder / "node_modules" / ".bin"
    run(folder, bin_folder / "openapi-typescript", str(FILE), "--output", "vumeter.d.ts")
    shutil.rmtree(folder / "dist", ignore_errors=True)
    run(folder, bin_folder / "tsc", "--project", "tsconfig.json")
    return folder / "dist"


def first_point() -> str:
    """Return the program of the documentation."""
    (code,) = re.findall(
        r"^```ts\n(.*?)^```$", (ROOT / "docs" / "openapi.md").read_text(), re.MULTILINE | re.DOTALL
    )
    return str(code)


def run(folder: Path, *command: Path | str, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_typed_client_records_and_asks(compiled: Path, stack: Stack) -> None:
    execution, call = str(uuid.uuid4()), uuid.uuid4().hex
    environment = {
        "VUMETER_URL": stack.rest_url,
        "VUMETER_KEY": stack.make_key("TypeScript").bearer,
        "VUMETER_ADMIN_TOKEN": stack.admin_token,
        "TENANT": f"clinic/{call}",
        "CALL": call,
        "EXECUTION": execution,
    }
    answered = json.loads(run(compiled, "node", "client.js", environment=environment))
    assert answered == {
        "recorded": 2,
        "aggregate": [["phone", 3]],
        "query": [{"turns": 3, "p95": 640, "ratio": 213.333333333}],
        "csv": (
            "start,end,turns,counts.turns\r\n"
            "2025-04-01T00:00:00+00:00,2025-04-02T00:00:00+00:00,3,1\r\n"
        ),
        "session": [["ttft_ms", "640"], ["turns", "3"]],
        "usage": ["ttft_ms", "turns"],
        "reported": 1,
        "active": 1,
        "executed": execution,
        "simulated": 0,
        "wrong": {"status": 400, "code": 3, "fields": ["points[0].name"]},
    }


def test_the_first_point_of_the_documentation(compiled: Path, stack: Stack) -> None:
    environment = {"REST": stack.rest_url, "KEY": stack.make_key("First point").bearer}
    assert run(compiled, "node", "first.js", environment=environment) == "web 1\n"
