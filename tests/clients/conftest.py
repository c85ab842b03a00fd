"""Whom the client records for: an organization of its own for each test."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
import requests
from tests.stack import Stack

from vumeter_server.access.keys import NewKey
from vumeter_server.access.roles import Role

TEN_YEARS = {"startDate": "2020-01-01", "endDate": "2029-12-31"}

_numbers = count(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Organization:
    """An organization of a running product, and what is stored for it."""

    stack: Stack
    name: str
    key: NewKey

    @property
    def url(self) -> str:
        return self.stack.rest_url

    @property
    def bearer(self) -> str:
        return self.key.bearer

    def key_of(self, role: Role) -> str:
        """Return a key of another role."""
        return self.stack.make_key(self.name, role).bearer

    def get(self, path: str, **query: str) -> Any:
        """Return what a query of the API answers."""
        answer = requests.get(
            f"{self.url}/v1/custom-metrics{path}",
            params=query,
            headers={"Authorization": f"Bearer {self.bearer}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def totals(self, **query: str) -> Any:
        """Return the sum of every metric."""
        return self.get("/aggregate", **TEN_YEARS, **query)

    def session(self, session_id: str) -> list[tuple[str, dict[str, str], str]]:
        """Return name, labels and value of each series of a session."""
        found = [
            (each["metric"], each["value"][1])
            for each in self.get(f"/sessions/{session_id}")["result"]
        ]
        return [
            (metric["metric_name"], {k: v for k, v in metric.items() if k != "metric_name"}, value)
            for metric, value in found
        ]


def new_organization(stack: Stack) -> Organization:
    name = f"Clinic of clients {next(_numbers)}"
    return Organization(stack=stack, name=name, key=stack.make_key(name))


@pytest.fixture
def organization(stack: Stack) -> Organization:
    """An organization that has recorded nothing."""
    return new_organization(stack)
