"""Queries of metrics as CSV, for callers that accept it."""

from __future__ import annotations

import csv
import io

import pytest
import requests
from tests.end_to_end.callers import Caller

PATH = "/v1/custom-metrics/query"
POINTS = [
    {
        "name": "anrufe",
        "value": value,
        "timestamp": f"2025-04-01T0{value}:00:00Z",
        "tags": {"ort": place} if place else {},
    }
    for value, place in enumerate(('Zürich, "West"', "two\r\nlines", "東京", ""), 1)
]
BODY = {
    "startDate": "2025-04-01",
    "endDate": "2025-04-02",
    "groupBy": ["ort"],
    "metrics": [
        {"as": "n", "metric": "anrufe", "function": "sum"},
        {"as": "none", "metric": "unknown", "function": "mean"},
    ],
    "formulas": [{"as": "third", "expression": "n / 3"}],
    "compareTo": "previous",
}


def ask(caller: Caller, body: object, accept: str) -> requests.Response:
    return requests.post(
        caller.stack.rest_url + PATH,
        json=body,
        headers={**caller.credentials, "accept": accept},
        timeout=10,
    )


def test_an_answer_is_csv_where_the_caller_accepts_it(owner: Caller) -> None:
    owner.record(POINTS)
    response = ask(owner, BODY, "text/csv")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/csv")
    bounds = "2025-04-01T00:00:00+00:00,2025-04-02T00:00:00+00:00"
    assert response.content.decode() == (
        "start,end,ort,n,none,third,counts.n,counts.none,previous.n,previous.none,previous.third\r\n"
        f"{bounds},,4,,1.33333333333,1,0,,,\r\n"
        f"{bounds},東京,3,,1,1,0,,,\r\n"
        f'{bounds},"two\r\nlines",2,,0.666666666667,1,0,,,\r\n'
        f'{bounds},"Zürich, ""West""",1,,0.333333333333,1,0,,,\r\n'
    )
    rows = list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))
    assert [row["ort"] for row in rows] == ["", "東京", "two\r\nlines", 'Zürich, "West"']


def test_the_rest_has_no_label_and_nothing_recorded_has_a_header_alone(owner: Caller) -> None:
    owner.record(POINTS)
    metrics = {"metrics": BODY["metrics"]}
    plain = {"startDate": "2025-04-01", "endDate": "2025-04-02", **metrics}
    others = {**plain, "groupBy": ["ort"], "limit": 1, "other": True}
    lines = ask(owner, others, "text/csv").text.split("\r\n")
    assert lines[2] == "2025-04-01T00:00:00+00:00,2025-04-02T00:00:00+00:00,,6,,3,0"
    nothing = {**plain, "startDate": "2024-04-01", "endDate": "2024-04-02"}
    assert ask(owner, nothing, "text/csv").text == "start,end,n,none,counts.n,counts.none\r\n"


@pytest.mark.parametrize("accept", ["text/html, text/csv;q=0.9, */*", "TEXT/CSV"])
def test_accept_may_name_csv_among_others(owner: Caller, accept: str) -> None:
    assert ask(owner, BODY, accept).headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/plain"])
def test_any_other_caller_gets_json(owner: Caller, accept: str) -> None:
    response = ask(owner, BODY, accept)
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"data": {"rows": [], "groups": 0}}


def test_an_error_is_json(owner: Caller) -> None:
    response = ask(owner, {**BODY, "limit": 0}, "text/csv")
    assert response.status_code == 400
    assert response.json()["message"] == "limit must be a whole number from 1 to 1,000"
