"""`vumeter organizations delete` and `vumeter run-tests delete`, with and without a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.commands.command import at_terminal, try_vumeter
from tests.otlp.decoded import request as exported
from tests.otlp.sending import Sender, counter
from tests.stack import Stack, start_stack
from tests.waiting import until

from vumeter_server.access.keys import NewKey
from vumeter_server.sqlite.library import sqlite3

CUMULATIVE = 2
SIMULATION = "/sdk/api/v1/simulation"
CONTENTS = "1 key, 2 metrics, 5 points, 2 run tests, 3 executions, 2 simulated calls"
TOTALS = {"calls": 9, "turns": 2}
# What stays of an organization: its number, and that of its next batch.
STAYS = {"organizations", "metric_states"}


def ids(number: int) -> str:
    return f"5819e158-0000-4000-8000-{number:012x}"


class Caller:
    """Asks a running product with a key."""

    def __init__(self, stack: Stack, key: NewKey) -> None:
        self.stack = stack
        self.key = key

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        # Each API has its own way to show a key.
        if path.startswith(SIMULATION):
            headers = {"X-Api-Key": self.key.key_id, "X-Secret-Key": self.key.secret}
        else:
            headers = {"Authorization": f"Bearer {self.key.key_id}.{self.key.secret}"}
        url = self.stack.rest_url + path
        return requests.request(method, url, headers=headers, timeout=20, **more)

    def post(self, path: str, body: Any) -> None:
        answer = self.request("POST", path, json=body)
        assert answer.status_code == 200, answer.text

    def record_everything(self) -> None:
        """Record in every family that belongs to organizations, a rejected point too."""
        points = [
            {"name": name, "sessionId": session, "tags": {"company_id": "abc"}}
            for name in ("calls", "turns")
            for session in ("s1", "s2")
        ]
        self.post("/v1/custom-metrics", {"points": points, "idempotencyKey": "first"})
        for number, run_test in enumerate(("Nightly", "Nightly", "Weekly")):
            self.post(
                f"{SIMULATION}/executions",
                {"execution_id": ids(number), "run_test_name": run_test},
            )
        calls = [
            {"call_execution_id": ids(90 + of), "execution_id": ids(of), "status": "completed"}
            for of in (0, 2)
        ]
        self.post(f"{SIMULATION}/calls", {"calls": calls})
        refused = {"points": [{"name": "calls", "type": "gauge", "value": 1}]}
        assert self.request("POST", "/v1/custom-metrics", json=refused).status_code == 400
        # A delta that is no number is rejected, and that is kept; so is how far a counter is.
        running = counter("calls", 7)
        running["sum"]["aggregationTemporality"] = CUMULATIVE
        Sender(self.stack, self.key).post_json(exported(counter("calls", "NaN"), running))
        organization_id = number_of_key(self.stack.db_path, self.key)
        # What was rejected is counted in the background.
        until(lambda: rows_of(self.stack.db_path, organization_id).get("rejections") == 2)

    def totals(self) -> Any:
        answer = self.request(
            "GET", "/v1/custom-metrics/aggregate?startDate=2020-01-01&endDate=2029-12-31"
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def executions(self, run_test: str) -> int | None:
        """Return how many executions a run test has; None if it is unknown."""
        answer = self.request("GET", f"{SIMULATION}/metrics", params={"run_test_name": run_test})
        return None if answer.status_code == 404 else int(answer.json()["result"]["count"])


def vumeter(stack: Stack, *arguments: str) -> tuple[int, str, str]:
    done = try_vumeter(*arguments, "--db", str(stack.db_path))
    return done.returncode, done.stdout, done.stderr


def rows_of(path: Path, organization_id: int) -> dict[str, int]:
    """Return in which tables an organization has rows, and how many."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute(
            "SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c"
            " WHERE m.type = 'table' AND c.name = 'organization_id'"
        ).fetchall()
        counts = {
            table: connection.execute(
                f"SELECT count(*) FROM {table} WHERE organization_id = ?", (organization_id,)
            ).fetchone()[0]
            for (table,) in tables
        }
    return {table: count for table, count in counts.items() if count}


def number_of_key(path: Path, key: NewKey) -> int:
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute(
            "SELECT organization_id FROM api_keys WHERE key_id = ?", (key.key_id,)
        ).fetchone()
    return int(row[0])


def number_of(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute(
            "SELECT organization_id FROM organizations WHERE name = ?", (name,)
        ).fetchone()
    return int(row[0])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    started = start_stack(tmp_path_factory.mktemp("organizations"))
    yield started
    started.stop()


@pytest.mark.timeout(300)
def test_a_deleted_organization_is_gone_with_all_it_recorded(stack: Stack) -> None:
    caller, rival = Caller(stack, stack.make_key()), Caller(stack, stack.make_key("rival"))
    for each in (caller, rival):
        each.record_everything()
    number = number_of(stack.db_path, "acme")
    others = rows_of(stack.db_path, number_of(stack.db_path, "rival"))
    assert {"exported_series", "rejections", "idempotency_keys", "api_keys"} <= others.keys()
    before = rows_of(stack.db_path, number)
    assert vumeter(stack, "organizations", "delete", "acme", "--dry-run") == (
        0,
        f"acme with {CONTENTS} would be deleted\n",
        "",
    )
    assert rows_of(stack.db_path, number) == before
    assert vumeter(stack, "organizations", "delete", "acme", "--yes") == (
        0,
        f"acme with {CONTENTS} deleted\n",
        "",
    )
    assert rows_of(stack.db_path, number).keys() == STAYS
    until(lambda: caller.request("GET", "/v1/custom-metrics/names").status_code == 401)
    assert "acme" not in vumeter(stack, "organizations", "list")[1]
    assert caller.key.key_id not in vumeter(stack, "keys", "list")[1]
    assert rows_of(stack.db_path, number_of(stack.db_path, "rival")) == others
    assert rival.totals() == TOTALS
    assert vumeter(stack, "db", "check") == (0, "no problem found\n", "")
    # Another organization may have its name, and has nothing of it.
    again = Caller(stack, stack.make_key())
    assert again.totals() == {}
    again.record_everything()
    assert again.totals() == TOTALS
    assert vumeter(stack, "organizations", "delete", "acme", "--yes")[0] == 0


def test_deleted_run_tests_are_gone_with_executions_and_calls(stack: Stack) -> None:
    caller = Caller(stack, stack.make_key("simulating"))
    caller.record_everything()
    of = ("--organization", "simulating")
    assert vumeter(stack, "run-tests", "delete", *of, "Nightly", "Weekly", "--dry-run") == (
        0,
        "2 run tests, 3 executions and 2 simulated calls of simulating would be deleted\n",
        "",
    )
    assert caller.executions("Nightly") == 2
    assert vumeter(stack, "run-tests", "delete", *of, "Nightly", "--yes") == (
        0,
        "1 run test, 2 executions and 1 simulated call of simulating deleted\n",
        "",
    )
    assert (caller.executions("Nightly"), caller.executions("Weekly")) == (None, 1)
    status, _, error = vumeter(stack, "run-tests", "delete", *of, "Weekly", "Nightly", "--yes")
    assert (status, error) == (2, "vumeter: simulating has no run test Nightly\n")
    assert caller.executions("Weekly") == 1


REFUSED = [
    ("organizations", "delete", "rival"),
    ("run-tests", "delete", "--organization", "rival", "Weekly"),
]


@pytest.mark.parametrize("arguments", REFUSED)
def test_without_a_terminal_it_asks_for_yes(stack: Stack, arguments: tuple[str, ...]) -> None:
    stack.make_key("rival")
    status, printed, error = vumeter(stack, *arguments)
    assert (status, printed) == (2, "")
    assert "give --yes: there is no terminal to ask at" in error
    status, _, error = vumeter(stack, *(each.replace("rival", "nobody") for each in arguments))
    assert status == 2


@pytest.mark.parametrize("arguments", REFUSED)
def test_what_there_is_not_is_said(stack: Stack, arguments: tuple[str, ...]) -> None:
    asked = (*(each.replace("rival", "nobody") for each in arguments), "--yes")
    assert vumeter(stack, *asked) == (2, "", "vumeter: there is no organization nobody\n")


def test_at_a_terminal_it_asks_and_no_changes_nothing(stack: Stack) -> None:
    stack.make_key("asked")
    arguments = ("organizations", "delete", "asked")
    status, screen = at_terminal(*arguments, db=stack.db_path, typed="n\n")
    assert status == 1
    assert "Delete asked with 1 key, 0 metrics, 0 points" in screen
    assert "asked" in vumeter(stack, "organizations", "list")[1]
    status, screen = at_terminal(*arguments, db=stack.db_path, typed="y\n")
    assert status == 0
    assert screen.endswith("deleted\n")
    assert "asked" not in vumeter(stack, "organizations", "list")[1]


def test_without_a_server_the_command_erases_by_itself(tmp_path: Path) -> None:
    stack = start_stack(tmp_path)
    caller = Caller(stack, stack.make_key())
    caller.record_everything()
    number = number_of(stack.db_path, "acme")
    assert stack.stop() == 0
    deleted = vumeter(stack, "run-tests", "delete", "--organization", "acme", "Weekly", "--yes")
    assert deleted[1] == "1 run test, 1 execution and 1 simulated call of acme deleted\n"
    assert vumeter(stack, "organizations", "delete", "acme", "--yes")[0] == 0
    assert rows_of(stack.db_path, number).keys() == STAYS
    assert vumeter(stack, "db", "check")[0] == 0
