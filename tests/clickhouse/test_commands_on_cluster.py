"""Commands as an operator types them, on a cluster: beside a product, and for its first start."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.clickhouse.cluster import ClickHouseCluster, new_database
from tests.commands.command import VUMETER, parsed, try_vumeter
from tests.first_start import started

UP = (*VUMETER, "up")
TOO_BUSY = "the cluster does not answer, or not in time"


@pytest.fixture
def store(clickhouse_cluster: ClickHouseCluster) -> str:
    """VUMETER_STORE of a database that there is not yet."""
    return clickhouse_cluster.store(new_database())


def post(url: str, body: Any, **headers: str) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_a_first_start_needs_nothing_but_the_cluster_and_commands_work_beside_it(
    store: str, tmp_path: Path
) -> None:
    directory = tmp_path / "data"
    environment = {name: text for name, text in os.environ.items() if "VUMETER" not in name}

    def try_run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*VUMETER, *arguments],
            # Where the product was started: its files lie where a database file would.
            cwd=tmp_path,
            env=environment | {"VUMETER_STORE": store},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def run(*arguments: str) -> str:
        """Run a command; again where the machine is too busy, as it says then."""
        while TOO_BUSY in (done := try_run(*arguments)).stderr:
            pass
        assert done.returncode == 0, done.stderr
        return done.stdout

    with started(tmp_path, command=UP, VUMETER_STORE=store) as printed:
        assert not (directory / "vumeter.db").exists()
        base, code = re.findall(r"(http://\S+)/ui/#/sign-in\?code=(\S+)", printed)[0]
        signed_in = post(f"{base}/v1/sign-in", {"code": code})["data"]["keys"]
        (bearer, _) = [each["key"] for each in signed_in]
        variables = run("env")
        assert f"export VUMETER_URL={base}" in variables
        assert "VUMETER_DB" not in variables
        another = run("dashboard", "--organization", "demo")
        assert another.startswith(f"{base}/ui/#/sign-in?code=")
        points = [{"name": "turns", "tags": {"origin": "web"}}]
        key = {"Authorization": f"Bearer {bearer}"}
        assert post(f"{base}/v1/custom-metrics", {"points": points}, **key)
        event = {"event_id": "e", "type": "started", "call_id": "c", "tenant_id": "clinic"}
        token = (directory / "admin-token").read_text().strip()
        post(
            f"{base}/api/v1/metrics/events",
            {"events": [event | {"occurred_at": "2025-04-01T09:00:00Z"}]},
            **{"X-Admin-Token": token},
        )
        of = ("--organization", "demo")
        assert "turns" in run("metrics", "list", *of)
        turns = ("points", "delete", *of, "--metric", "turns")
        assert run(*turns, "--dry-run") == "1 point of demo would be deleted\n"
        run(*turns, "--yes")
        assert run(*turns, "--dry-run") == "0 points of demo would be deleted\n"
        clinic = ("tenants", "delete", "clinic")
        found = run(*clinic, "--dry-run")
        assert found == "tenant clinic with 1 call, 1 event would be deleted\n"
        run(*clinic, "--yes")
        assert "there is no tenant clinic" in try_run(*clinic, "--dry-run").stderr
        assert run("otlp", "rejected", *of, "--format", "json") == "[]\n"
        assert "true" in run("clock", "status", "--format", "json")
        run("organizations", "delete", "demo", "--yes")
    actions = [each["action"] for each in parsed(run("audit", "list", "--format", "json"))]
    assert set(actions) == {
        *("key.create", "organization.delete", "points.delete", "sign_in.create", "tenant.delete")
    }
    assert actions[-1] == "key.create"
    assert run("db", "check") == "no problem found\n"


def test_what_goes_wrong_is_one_line(store: str) -> None:
    nobody = try_vumeter("tenants", "delete", "nobody", "--yes", VUMETER_STORE=store)
    assert (nobody.returncode, nobody.stderr) == (2, "vumeter: there is no tenant nobody\n")
    gone = try_vumeter("audit", "list", VUMETER_STORE="clickhouse://127.0.0.1:1/nothing")
    assert gone.returncode == 2
    assert gone.stderr.splitlines()[-1].startswith("vumeter: VUMETER_STORE: none of 127.0.0.1:1 ")
