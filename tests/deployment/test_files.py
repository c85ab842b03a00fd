"""The files that deploy the product: linters accept them, and what they name exists."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deployment.conftest import ROOT, copied_by_dockerfile, tool
from tests.stack import Stack

from vumeter_server.commands.database import store_address
from vumeter_server.commands.running import database_path
from vumeter_server.runtime.settings import Settings, load_settings
from vumeter_server.runtime.store_address import ClickHouseAddress, SqliteAddress

UNIT = (ROOT / "deploy" / "vumeter.service").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["server"]


def run(*command: str, status: int = 0) -> str:
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    assert run(tool("hadolint"), "--failure-threshold", "style", "Dockerfile") == ""


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd /tmp && pip install vumeter\n")
    assert "DL3006" in run(tool("hadolint"), str(tmp_path / "Dockerfile"), status=1)


def test_compose_files_have_the_form_of_the_specification() -> None:
    check = (tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec")
    run(*check, "compose.yaml")


def test_the_image_is_not_run_by_root_and_keeps_its_data_in_a_volume() -> None:
    stages = DOCKERFILE.split("\nFROM ")
    assert len(stages) == 3
    assert re.search(r"^USER (\d+):\d+$", stages[-1], re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", stages[-1], re.MULTILINE)
    (volume,) = re.findall(r"^VOLUME (\S+)$", stages[-1], re.MULTILINE)
    assert f"VUMETER_STORE=sqlite:///{volume}/vumeter.db" in stages[-1]
    assert COMPOSE["volumes"] == [f"data:{volume}"]


@pytest.mark.parametrize("file", ["Dockerfile", "deploy/vumeter.service"])
def test_the_file_is_a_setting_that_a_cluster_takes_the_place_of(
    monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    settings = dict(re.findall(r"(VUMETER_(?:DB|STORE))=(\S+)", (ROOT / file).read_text()))
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    database = Path("/var/lib/vumeter/vumeter.db")
    assert load_settings().db == database
    assert (store_address(None), database_path(None)) == (SqliteAddress(path=database), database)
    monkeypatch.setenv("VUMETER_STORE", "clickhouse://a,b/base?cluster=main")
    assert isinstance(load_settings().store_address, ClickHouseAddress)
    assert isinstance(store_address(None), ClickHouseAddress)


def test_the_health_check_of_the_image_tells_a_healthy_product(stack: Stack) -> None:
    (command,) = re.findall(r"CMD (\[\"python\".*\])$", DOCKERFILE, re.MULTILINE)
    program = json.loads(command)
    for port, status in ((stack.edge_target.rpartition(":")[2], 0), ("1", 1)):
        code = program[2].replace(":8080/", f":{port}/")
        run(sys.executable, "-c", code, status=status)


def test_the_image_is_given_what_it_is_made_of() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"]
    for name in copied_by_dockerfile():
        assert (ROOT / name).exists()
        assert any(fnmatch(name, each) for each in kept), name


def test_settings_that_are_named_exist() -> None:
    files = ["Dockerfile", "compose.yaml", "deploy/vumeter.service", "deploy/vumeter.env.example"]
    for file in files:
        for name in re.findall(r"\bVUMETER_[A-Z_]+", (ROOT / file).read_text()):
            assert name.removeprefix("VUMETER_").lower() in Settings.model_fields, (file, name)


def test_what_is_installed_is_what_was_tested() -> None:
    def pins(file: str) -> dict[str, str]:
        text = (ROOT / file).read_text()
        return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", text, re.MULTILINE))

    installed, tested = pins("deploy/requirements.lock"), pins("requirements.lock")
    assert {name: tested.get(name) for name in installed} == installed
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["clickhouse"]]
    names = {re.split(r"[^\w-]", each, maxsplit=1)[0].lower() for each in needed}
    assert names <= installed.keys()


def test_systemd_accepts_the_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    unit = tmp_path / "vumeter.service"
    unit.write_text(UNIT.replace("/opt/vumeter/bin/vumeter", sys.executable))
    assert run(analyze, "verify", str(unit)) == ""
    run(analyze, "security", "--offline=true", "--threshold=20", str(unit))


def test_systemd_would_find_something(tmp_path: Path) -> None:
    unit = tmp_path / "vumeter.service"
    unit.write_text(
        UNIT.replace("/opt/vumeter/bin/vumeter", "/nowhere").replace("Type=exec", "Type=x")
    )
    found = run(tool("systemd-analyze"), "verify", str(unit), status=1)
    assert "/nowhere" in found
    assert "service type" in found
