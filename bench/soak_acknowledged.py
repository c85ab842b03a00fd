"""What the clients of the soak were acknowledged in each family, and what the product has of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.dataset import METRIC_NAMES

COUNTED = "soak_counted"
EXPORTED = "soak.exported"
RUN_TEST = "Soak"
CALLS_OF_EXECUTION = 30
PAGE = 100
_ALL_TIME = {"startDate": "2025-01-01", "endDate": "2034-01-01"}


class Ask(Protocol):
    """Asks over REST; returns the JSON of the answer."""

    def __call__(self, verb: str, path: str, body: Any = None, **query: str) -> Any:
        """Ask."""


@dataclass(slots=True)
class Acknowledged:
    """What was acknowledged; of each attribute one client keeps account.

    Attributes:
        columns: points recorded as columns over gRPC, by company.
        deleted: points that deletions answered to have deleted, by company.
        unsure: companies of a deletion that was not answered, and may have deleted points or not.
        over_rest: points recorded over REST.
        exported: the last value of each cumulative series of OpenTelemetry, by topic.
        events: events of calls.
        started, ended: calls of which these events were acknowledged.
        executions: executions whose simulated calls were acknowledged.
    """

    columns: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    unsure: set[str] = field(default_factory=set)
    over_rest: int = 0
    exported: dict[str, int] = field(default_factory=dict)
    events: int = 0
    started: int = 0
    ended: int = 0
    executions: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        unsure = (
            f" (or more, of {len(self.unsure)} companies, since some deletions were not answered)"
            if self.unsure
            else ""
        )
        return (
            f"{self.columns.total():,} points as columns, {self.deleted.total():,} of them"
            f" deleted{unsure}; {self.over_rest:,} points over REST;"
            f" {sum(self.exported.values()):,} counted by OpenTelemetry in"
            f" {len(self.exported)} series; {self.events:,} events of {self.started:,} calls;"
            f" {CALLS_OF_EXECUTION * len(self.executions):,} simulated calls of"
            f" {len(self.executions)} executions"
        )

    def differences(self, ask: Ask) -> Iterator[str]:
        """Yield what the product answers otherwise; all clients have ended."""
        yield from self._of_columns(ask)
        found = _sums(ask, COUNTED, None).get("", 0)
        yield from _compared("points over REST", self.over_rest, found)
        yield from _compared(
            "series of OpenTelemetry",
            {topic: value for topic, value in self.exported.items() if value},
            {topic: value for topic, value in _sums(ask, EXPORTED, "topic").items() if value},
        )
        live = ask("GET", "/api/v1/metrics/live")
        counters = ("started_calls", "ended_calls", "active_calls")
        yield from _compared(
            "started, ended and active calls",
            [self.started, self.ended, self.started - self.ended],
            [live[counter] for counter in counters],
        )
        yield from _compared(
            "simulated calls",
            dict.fromkeys(self.executions, CALLS_OF_EXECUTION),
            dict(_simulated(ask)),
        )

    def _of_columns(self, ask: Ask) -> Iterator[str]:
        found = _points(ask)
        left = {each: count - self.deleted[each] for each, count in self.columns.items()}
        for company in self.unsure & found.keys():
            if found[company] > left.get(company, 0):
                yield f"points of {company}: {left.get(company, 0)} at most, {found[company]} are"
        yield from _compared(
            "points as columns, by company",
            {each: count for each, count in left.items() if count and each not in self.unsure},
            {each: count for each, count in found.items() if each not in self.unsure},
        )


def _compared(what: str, acknowledged: Any, found: Any) -> Iterator[str]:
    if acknowledged == found:
        return
    if isinstance(acknowledged, dict):
        wrong = {
            key: (acknowledged.get(key), found.get(key))
            for key in sorted(acknowledged.keys() | found.keys())
            if acknowledged.get(key) != found.get(key)
        }
        yield f"{what}: {len(wrong)} differ, such as {next(iter(wrong.items()))}"
    else:
        yield f"{what}: {acknowledged} were acknowledged, {found} are there"


def _points(ask: Ask) -> Counter[str]:
    """Return how many points of the data set's metrics there are, by company."""
    metrics = [{"as": name, "metric": name, "function": "count"} for name in METRIC_NAMES]
    body = {**_ALL_TIME, "metrics": metrics, "groupBy": ["company_id"]}
    rows = ask("POST", "/v1/custom-metrics/query", body)["data"]["rows"]
    return Counter({row["labels"]["company_id"]: sum(row["counts"].values()) for row in rows})


def _sums(ask: Ask, metric: str, label: str | None) -> dict[str, float]:
    """Return the sums of a metric by the values of a label; by "" without one."""
    body: dict[str, Any] = {
        **_ALL_TIME,
        "metrics": [{"as": "n", "metric": metric, "function": "sum"}],
    }
    if label is not None:
        body["groupBy"] = [label]
    rows = ask("POST", "/v1/custom-metrics/query", body)["data"]["rows"]
    return {row["labels"].get(label, ""): row["values"]["n"] or 0 for row in rows}


def _simulated(ask: Ask) -> Iterator[tuple[str, int]]:
    """Return how many calls each execution of the run test has."""
    page, pages = 1, 1
    while page <= pages:
        query = {"run_test_name": RUN_TEST, "page": str(page), "limit": str(PAGE)}
        answer = ask("GET", "/sdk/api/v1/simulation/metrics", None, **query)
        answer = answer.get("result", answer)
        pages = answer["total_pages"]
        for each in answer["results"]:
            yield each["execution_id"], each["metrics"]["calls"]["total"]
        page += 1
