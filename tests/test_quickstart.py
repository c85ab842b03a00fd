"""`make run` without its installation, and a first `vumeter up`: what is printed works."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest
import requests
from tests.commands.command import VUMETER, try_vumeter, vumeter
from tests.first_start import in_second_terminal, run_printed, started
from tests.waiting import until

TOKEN = "token-of-the-environment-0123456789abcdef"


def kept(directory: Path, name: str) -> str:
    file = directory / "data" / name
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return file.read_text().strip()


def code_in(printed: str) -> tuple[str, str]:
    """Return the base URL and the code of the link that is printed."""
    (found,) = re.findall(r"^  (http://\S+/ui/#/sign-in\?code=\S+)$", printed, re.MULTILINE)
    url, code = str(found).split("/ui/#/sign-in?code=")
    return url, code


def sign_in(url: str, code: str) -> requests.Response:
    return requests.post(f"{url}/v1/sign-in", json={"code": code}, timeout=10)


def elsewhere(directory: Path) -> Path:
    """A folder that has nothing to do with the product."""
    folder = directory / "elsewhere"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("demo", ["0", "1"], ids=["without demo data", "with demo data"])
def test_the_requests_of_every_family_work_in_a_second_terminal(tmp_path: Path, demo: str) -> None:
    with started(tmp_path, VUMETER_DEMO=demo) as printed:
        answers = run_printed(printed, elsewhere(tmp_path))
        again = run_printed(printed, elsewhere(tmp_path))
    assert list(answers) == [
        "Custom metrics",
        "Query",
        "Live metrics",
        "Simulation metrics",
        "OpenTelemetry",
    ]
    recorded, asked = answers["Custom metrics"]
    assert recorded == {"data": {"recorded": 1}}
    (rows,) = [each["data"]["rows"] for each in answers["Query"]]
    assert {"origin": "phone"} in [row["labels"] for row in rows]
    _, live = answers["Live metrics"]
    assert live["active_calls"] == 1
    assert answers["Simulation metrics"][0]["status"] is True
    assert answers["OpenTelemetry"] == [{}]
    # Whoever pastes twice is not rejected.
    assert again.keys() == answers.keys()
    simulated = answers["Simulation metrics"][2]["result"]
    if demo == "0":
        assert asked == {"data": ["booking_attempt"]}
        assert not re.search("e2e_latency_ms|faq_query|My%20Agent%20Test", printed)
        assert simulated["count"] == 1
    else:
        assert any("topic" in json.dumps(row) for row in asked["data"])
        assert simulated["count"] == 12


def test_the_next_start_has_the_same_token_and_key_and_shows_neither(tmp_path: Path) -> None:
    with started(tmp_path, VUMETER_DEMO="0") as first:
        token, key = kept(tmp_path, "admin-token"), kept(tmp_path, "vumeter.demo-key")
        url, _ = code_in(first)
        headers = {"X-Admin-Token": token}
        assert requests.get(f"{url}/v1/caller", headers=headers, timeout=10).status_code == 200
        headers = {"Authorization": f"Bearer {key}"}
        told = requests.get(f"{url}/v1/caller", headers=headers, timeout=10).json()["data"]
        assert (told["role"], told["organization"]) == ("owner", "demo")
    with started(tmp_path, VUMETER_DEMO="0") as second:
        assert (kept(tmp_path, "admin-token"), kept(tmp_path, "vumeter.demo-key")) == (token, key)
        db = tmp_path / "data" / "vumeter.db"
        vumeter("keys", "revoke", key.partition(".")[0], db=db)
    # A key that is not good any more is replaced; a token that is set is not kept.
    with started(tmp_path, VUMETER_DEMO="0", VUMETER_ADMIN_TOKEN=TOKEN) as third:
        assert kept(tmp_path, "vumeter.demo-key") != key
        assert kept(tmp_path, "admin-token") == token
        assert "Admin token" not in third
        variables = vumeter("env", db=db)
        assert "VUMETER_ADMIN_TOKEN" not in variables
        assert kept(tmp_path, "vumeter.demo-key") in variables
    for secret in (token, key, key.partition(".")[2], TOKEN):
        assert secret not in first + second + third


def test_the_link_is_good_once_and_another_one_is_printed_on_demand(tmp_path: Path) -> None:
    with started(tmp_path, VUMETER_DEMO="0") as printed:
        url, code = code_in(printed)
        assert [each["role"] for each in sign_in(url, code).json()["data"]["keys"]] == [
            "admin",
            "operator",
        ]
        assert sign_in(url, code).status_code == 401
        (command,) = re.findall(r"^Another link:\n  (.*)$", printed, re.MULTILINE)
        other_url, other = code_in("  " + in_second_terminal(command, elsewhere(tmp_path)))
        assert other_url == url
        assert sign_in(url, other).status_code == 200


def test_the_access_log_is_a_file_that_is_named(tmp_path: Path) -> None:
    with started(tmp_path, VUMETER_DEMO="0") as printed:
        url, _ = code_in(printed)
        requests.get(f"{url}/v1/custom-metrics/names", timeout=10)
        (log,) = re.findall(r"^Access log: (.*)$", printed, re.MULTILINE)
        until(lambda: "/v1/custom-metrics/names" in Path(log).read_text())
    assert '"path"' not in (tmp_path / "stdout").read_text()
    # Nor does the server say that the request was rejected: the caller knows.
    assert (tmp_path / "stderr").read_text() == ""
    assert stat.S_IMODE(Path(log).stat().st_mode) == 0o600


@pytest.mark.parametrize("arguments", [["--demo"], []], ids=["with demo data", "plain"])
def test_up_without_a_token_is_a_first_start(tmp_path: Path, arguments: list[str]) -> None:
    with started(tmp_path, command=[*VUMETER, "up", *arguments]) as printed:
        url, code = code_in(printed)
        assert sign_in(url, code).status_code == 200
        answers = run_printed(printed, elsewhere(tmp_path))
        assert answers["Custom metrics"][0] == {"data": {"recorded": 1}}
        assert ("My%20Agent%20Test" in printed) == bool(arguments)
        token = kept(tmp_path, "admin-token")
        assert f"VUMETER_ADMIN_TOKEN={token}" in vumeter(
            "env", "--db", str(tmp_path / "data" / "vumeter.db")
        )


def test_without_a_running_server_env_and_dashboard_say_so(tmp_path: Path) -> None:
    db = tmp_path / "data" / "vumeter.db"
    with started(tmp_path, VUMETER_DEMO="0"):
        assert "VUMETER_URL" in vumeter("env", db=db)
        run = try_vumeter("dashboard", "--organization", "nobody", db=db)
        assert (run.returncode, run.stdout) == (2, "")
        assert "there is no organization nobody" in run.stderr
    for command in ("env", "dashboard"):
        run = try_vumeter(command, db=db)
        assert (run.returncode, run.stdout) == (2, "")
        assert run.stderr == (
            f"vumeter: no server runs with {db}: start `vumeter up`, or name another file with"
            " --db\n"
        )
    # What a killed one leaves behind counts for nothing.
    db.with_name("vumeter.db.running").write_text(
        '{"rest": "http://127.0.0.1:1", "grpc": "127.0.0.1:1"}'
    )
    assert try_vumeter("env", db=db).returncode == 2
    # A link for elsewhere needs no server.
    link = vumeter("dashboard", "--url", "https://metrics.example.org/", db=db)
    assert link.startswith("https://metrics.example.org/ui/#/sign-in?code=")
    assert try_vumeter("dashboard", "--url", "metrics.example.org", db=db).returncode == 2
