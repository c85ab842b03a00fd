"""`vumeter points delete`, beside a running server and without one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from tests.commands.command import try_vumeter
from tests.stack import Stack, start_stack

from vumeter_server.access.keys import NewKey

POINTS = [
    {"name": name, "value": 1, "timestamp": f"2025-04-0{day}T10:00:00Z", "agentId": agent}
    for name in ("calls", "turns")
    for day in (1, 2, 3)
    for agent in ("a", "b")
]


@dataclass
class Clinic:
    stack: Stack
    key: NewKey

    def request(self, path: str, **body: object) -> requests.Response:
        headers = {"authorization": f"Bearer {self.key.key_id}.{self.key.secret}"}
        url = f"{self.stack.rest_url}/v1/custom-metrics{path}"
        if body:
            return requests.post(url, json=body, headers=headers, timeout=20)
        return requests.get(url, headers=headers, timeout=20)

    def totals(self) -> dict[str, int]:
        answer = self.request("/aggregate?startDate=2025-01-01&endDate=2025-12-31")
        found: dict[str, int] = answer.json()["data"]
        return found

    def delete(self, *arguments: str) -> tuple[int, str, str]:
        db = ("--db", str(self.stack.db_path), "--organization", "acme")
        done = try_vumeter("points", "delete", *db, *arguments)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    stack = start_stack(tmp_path_factory.mktemp("points"))
    yield Clinic(stack, stack.make_key())
    stack.stop()


@pytest.fixture
def clinic(started: Clinic) -> Clinic:
    assert started.request("", points=POINTS).status_code == 200
    return started


def test_what_is_deleted_beside_a_server_is_gone_for_the_next_query(clinic: Clinic) -> None:
    before = clinic.totals()
    of_a = ("--metric", "calls", "--filter", "agent_id=a", "--start", "2025-04-02")
    status, counted, _ = clinic.delete(*of_a, "--dry-run")
    assert (status, clinic.totals()) == (0, before)
    number = counted.split()[0]
    assert counted == f"{number} points of acme would be deleted\n"
    status, deleted, _ = clinic.delete(*of_a, "--yes")
    assert (status, deleted) == (0, f"{number} points of acme deleted\n")
    assert clinic.totals() == {**before, "calls": before["calls"] - int(number)}
    assert clinic.delete(*of_a, "--yes")[1] == "0 points of acme deleted\n"
    assert clinic.delete(*of_a, "--dry-run")[1] == "0 points of acme would be deleted\n"


def test_without_a_terminal_it_asks_for_yes(clinic: Clinic) -> None:
    before = clinic.totals()
    status, _, error = clinic.delete("--metric", "calls")
    assert status == 2
    assert "give --yes" in error
    assert clinic.totals() == before


WRONG = [
    ((), "filters must be given where no range and no metrics are"),
    (("--start", "yesterday"), "--start"),
    (("--filter", "agent"), "agent is not LABEL=VALUE"),
    (("--filter", "agent_id=~("), "filters[0]"),
    (("--timezone", "Moon", "--metric", "calls"), "timezone"),
    (("--start", "2025-04-02", "--end", "2025-04-01"), "end_date must not be before"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_what_cannot_be_read_is_one_line(
    clinic: Clinic, arguments: tuple[str, ...], message: str
) -> None:
    status, _, error = clinic.delete(*arguments, "--yes")
    assert status == 2
    assert message in error
    assert error.count("\n") == 1


def test_without_a_server_the_command_does_the_work(tmp_path: Path) -> None:
    stack = start_stack(tmp_path)
    clinic = Clinic(stack, stack.make_key())
    assert clinic.request("", points=POINTS).status_code == 200
    assert stack.stop() == 0
    assert clinic.delete("--filter", "agent_id!=b", "--yes")[1] == "6 points of acme deleted\n"
    again = Clinic(start_stack(tmp_path), clinic.key)
    assert again.totals() == {"calls": 3, "turns": 3}
    assert again.stack.stop() == 0


def test_an_organization_that_there_is_not_is_said(clinic: Clinic) -> None:
    arguments = ("--db", str(clinic.stack.db_path), "--organization", "nobody", "--metric", "x")
    done = try_vumeter("points", "delete", *arguments, "--yes")
    assert (done.returncode, done.stderr) == (
        2,
        "vumeter: there is no organization nobody\n",
    )
