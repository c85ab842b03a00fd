"""The wheel alone, installed into a clean venv, is the whole product."""

from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from tests.stack import ADMIN_TOKEN
from tests.waiting import until

from vumeter_server.runtime.parent_death import ending_with_parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """The installed product, started in a folder that was empty."""

    folder: Path
    programs: Path
    rest_url: str
    process: subprocess.Popen[bytes]

    def vumeter(self, *arguments: str) -> str:
        return subprocess.run(
            [str(self.programs / "vumeter"), *arguments],
            cwd=self.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout


def clean_environment() -> dict[str, str]:
    """Return an environment in which nothing leads to the checkout."""
    return {"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"], "LANG": "C.UTF-8"}


@pytest.fixture(scope="module")
def running(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("empty")
    output = tmp_path_factory.mktemp("output") / "stdout"
    command = [str(installed / "vumeter"), "up", "--rest-port", "0", "--grpc-port", "0"]
    with output.open("wb") as stdout:
        process = subprocess.Popen(
            ending_with_parent(command),
            cwd=folder,
            env={**clean_environment(), "VUMETER_ADMIN_TOKEN": ADMIN_TOKEN},
            stdout=stdout,
        )

    def is_ready() -> bool:
        assert process.poll() is None
        return "gRPC  " in output.read_text()

    until(is_ready, seconds=60)
    found = re.search(r"^REST +(\S+)", output.read_text(), re.MULTILINE)
    assert found is not None
    yield Running(folder=folder, programs=installed, rest_url=found[1], process=process)
    process.terminate()
    assert process.wait(timeout=40) == 0


def test_it_is_used_from_a_folder_that_was_empty(running: Running) -> None:
    created = running.vumeter(
        *("keys", "create", "--organization", "acme", "--role", "admin", "--format", "json")
    )
    headers = {"Authorization": f"Bearer {json.loads(created)['bearer']}"}
    paths = f"{running.rest_url}/v1/custom-metrics"
    point = {"name": "booking_attempt", "timestamp": "2025-04-01T10:00:00Z"}
    recorded = requests.post(paths, json={"points": [point]}, headers=headers, timeout=20)
    assert recorded.json() == {"data": {"recorded": 1}}
    asked = {"startDate": "2025-04-01", "endDate": "2025-04-02"}
    answer = requests.get(f"{paths}/aggregate", params=asked, headers=headers, timeout=20)
    assert answer.json() == {"data": {"booking_attempt": 1}}
    assert [each.name for each in running.folder.iterdir()] == ["data"]


@pytest.mark.parametrize("path", ["/ui/", "/docs", "/openapi.json", "/healthz"])
def test_what_it_serves_came_with_it(running: Running, path: str) -> None:
    assert requests.get(running.rest_url + path, timeout=20).status_code == 200


def test_commands_work(running: Running) -> None:
    assert running.vumeter("--version") == "vumeter, version 0.1.0\n"
    assert running.vumeter("db", "check") == "no problem found\n"
    for command in re.findall(r"^  ([a-z][a-z-]*) ", running.vumeter("--help"), re.MULTILINE):
        assert running.vumeter(command, "--help").startswith(f"Usage: vumeter {command}")


def test_it_holds_no_tests_and_no_tools(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert tops == {"vumeter", "vumeter_server", "vumeter-0.1.0.dist-info"}
