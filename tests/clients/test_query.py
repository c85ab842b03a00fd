"""Queries from Python: rows as the API answers them, and errors with their fields."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.clients.conftest import Organization, new_organization
from tests.clients.faults import answering, network_to
from tests.stack import Stack

import vumeter_client
from vumeter_client import Client, Filter, Metric, Row
from vumeter_server.access.roles import Role

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "tests" / "examples" / "custom_metrics"
(SHARE_OF_PHONE,) = [
    example
    for path in sorted(EXAMPLES.glob("*.json"))
    if (example := json.loads(path.read_text()))["ask"]["path"].endswith("/query")
    and example["status"] == 200
    and "compareTo" in example["ask"]["body"]
]
SINGAPORE = timezone(timedelta(hours=8))
ASKED: dict[str, Any] = {
    "start": "2025-04-01",
    "end": date(2025, 4, 2),
    "timezone": "Asia/Singapore",
    "step": "day",
    "metrics": {
        "attempts": Metric("booking_attempt", "sum"),
        "phone": Metric("booking_attempt", "sum", filters=[Filter("origin", "=", "phone")]),
        "p99": Metric("e2e_latency_ms", "percentile", 99),
    },
    "formulas": {"share": "phone / attempts"},
    "filters": [Filter("agent_id", "in", ["a", "b"])],
    "group_by": ["company_id"],
    "order_by": "-attempts",
    "limit": 1,
    "other": True,
    "fill": "null",
    "compare_to": "previous",
}


@pytest.fixture(scope="module")
def recorded(stack: Stack) -> Organization:
    """An organization that has recorded what the documented example has."""
    organization = new_organization(stack)
    for call in SHARE_OF_PHONE["record"]:
        requests.post(
            organization.url + call["path"],
            json=call["body"],
            headers={"Authorization": f"Bearer {organization.bearer}"},
            timeout=30,
        ).raise_for_status()
    return organization


@pytest.fixture
def client(recorded: Organization) -> Client:
    return Client(recorded.url, recorded.key_of(Role.ADMIN))


def test_a_query_sends_every_field_and_answers_rows(client: Client) -> None:
    start = datetime(2025, 4, 1, tzinfo=SINGAPORE)
    end = datetime(2025, 4, 2, tzinfo=SINGAPORE)
    none = {"attempts": None, "phone": None, "p99": None, "share": None}
    result = client.query(**ASKED)
    assert list(result) == [
        Row(
            start=start,
            end=end,
            labels={"company_id": "abc"},
            values={"attempts": 3, "phone": 2, "p99": 815, "share": 0.666666666667},
            counts={"attempts": 2, "phone": 1, "p99": 2},
            previous={"attempts": 4, "phone": 4, "p99": None, "share": 1},
        ),
        Row(
            start=start,
            end=end,
            labels={"company_id": None},
            values=none | {"attempts": 1},
            counts={"attempts": 1, "phone": 0, "p99": 0},
            previous=none,
        ),
    ]
    assert (result.groups, len(result), result[-1], result[:1]) == (
        2,
        2,
        result.rows[1],
        [result.rows[0]],
    )


def test_rows_are_those_of_the_documented_example(client: Client) -> None:
    answered = SHARE_OF_PHONE["answer"]["data"]
    assert [
        {"start": row.start.isoformat(), "end": row.end.isoformat()}
        | {name: getattr(row, name) for name in ("labels", "values", "counts", "previous")}
        for row in client.query(**ASKED)
    ] == answered["rows"]


def test_what_is_left_out_has_the_defaults_of_the_api(client: Client) -> None:
    (row,) = client.query(
        datetime(2025, 4, 1, tzinfo=UTC),
        "2025-04-01T02:00:00.25Z",
        {"attempts": Metric("booking_attempt", "count")},
    )
    assert (row.values, row.labels, row.previous, row.errors) == ({"attempts": 2}, {}, None, {})
    assert row.end == datetime(2025, 4, 1, 2, 0, 0, 250_000, tzinfo=UTC)


def test_nothing_recorded_is_no_rows(client: Client) -> None:
    result = client.query("2025-04-01", "2025-04-02", {"x": Metric("never_recorded", "mean")})
    assert (list(result), result.groups) == ([], 0)
    assert len(result.to_pandas()) == 0


def test_a_frame_has_a_line_per_row(client: Client) -> None:
    frame = client.query(**ASKED).to_pandas()
    assert list(frame.columns) == [
        *("start", "end", "company_id", "attempts", "phone", "p99", "share"),
        *("counts.attempts", "counts.phone", "counts.p99"),
        *("previous.attempts", "previous.phone", "previous.p99", "previous.share"),
    ]
    assert str(frame["start"].dt.tz) == "Asia/Singapore"
    assert frame["start"].dt.strftime("%Y-%m-%d %H:%M").tolist() == ["2025-04-01 00:00"] * 2
    assert frame["attempts"].tolist() == [3.0, 1.0]
    assert frame["phone"].isna().tolist() == [False, True]
    assert frame["counts.p99"].tolist() == [2, 0]
    assert frame["previous.share"].iloc[0] == 1.0


def test_pandas_is_asked_for_only_where_a_frame_is() -> None:
    program = "import sys, vumeter_client; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": _client_path()})


def _client_path() -> str:
    return str(Path(vumeter_client.__file__).parent.parent)


def test_a_wrong_query_names_its_fields(client: Client) -> None:
    wrong = ASKED | {"metrics": {"p": Metric("e2e_latency_ms", "percentile", 101)}, "limit": 0}
    with pytest.raises(vumeter_client.InvalidArgument) as caught:
        client.query(**wrong | {"formulas": {}, "order_by": "p"})
    error = caught.value
    assert (error.status, error.code) == (400, 3)
    assert "metrics[0].percentile" in [each.field for each in error.violations]
    assert str(error) == error.message == error.violations[0].description
    assert error.request_id
    assert error.retry_after is None


ANSWERS: list[tuple[int, dict[str, Any], type[vumeter_client.VumeterError]]] = [
    (429, {"code": 8, "message": "Too many requests"}, vumeter_client.TooManyRequests),
    (503, {"code": 14, "message": "Service unavailable"}, vumeter_client.Unavailable),
    (504, {"code": 4, "message": "Deadline exceeded"}, vumeter_client.DeadlineExceeded),
    (500, {"code": 13, "message": "Internal server error"}, vumeter_client.ApiError),
    (502, {"error": "bad gateway"}, vumeter_client.UnexpectedAnswer),
    (200, {"data": []}, vumeter_client.UnexpectedAnswer),
]


@pytest.mark.parametrize(("status", "body", "kind"), ANSWERS)
def test_each_error_has_its_type(
    status: int,
    body: dict[str, Any],
    kind: type[vumeter_client.VumeterError],
    recorded: Organization,
) -> None:
    fault = answering(status, json.dumps(body).encode(), retry_after="7")
    with (
        network_to(recorded.url, fault) as network,
        pytest.raises(vumeter_client.VumeterError) as caught,
    ):
        Client(network.url, recorded.bearer).query(**ASKED)
    assert type(caught.value) is kind
    if isinstance(caught.value, vumeter_client.ApiError):
        assert caught.value.retry_after == 7
        assert str(caught.value) == body["message"]


def test_a_key_that_may_not_query_says_so(recorded: Organization) -> None:
    with pytest.raises(vumeter_client.PermissionDenied, match="Insufficient permissions"):
        Client(recorded.url, recorded.key_of(Role.MEMBER)).query(**ASKED)
    with pytest.raises(vumeter_client.Unauthenticated):
        Client(recorded.url, "vmk_unknown.secret").query(**ASKED)


def test_no_server_is_a_failed_connection() -> None:
    with pytest.raises(vumeter_client.ConnectionFailed, match="Connection refused"):
        Client("http://127.0.0.1:1", "a.b").query(**ASKED)


def test_a_key_is_in_no_text_of_the_client(recorded: Organization) -> None:
    client = Client(recorded.url, recorded.bearer)
    assert recorded.key.secret not in repr(client)
    assert recorded.key.secret not in repr(client._endpoint)
    assert dataclasses.is_dataclass(client._endpoint)
