"""Q1 to Q13 as requests over REST."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import requests

from bench.asks import Ask, Kind
from bench.dataset import DAY_US
from bench.functions import CONVERSION, KINDS, PERCENTS, TOP
from bench.stack import PATHS, Stack

_FUNCTIONS = ("mean", "min", "max", "count")


def request_of(stack: Stack, ask: Ask) -> requests.Request:
    """Return the request of an ask."""
    url = f"{stack.rest_url}{PATHS}"
    if ask.kind not in KINDS:
        return requests.Request("GET", url + ask.path(), headers=stack.headers)
    return requests.Request("POST", f"{url}/query", headers=stack.headers, json=_body(ask))


def _body(ask: Ask) -> dict[str, Any]:
    body: dict[str, Any] = {
        "startDate": _instant(ask.start_us),
        "endDate": _instant(ask.end_us),
        "metrics": _metrics(ask),
    }
    if ask.group_by:
        body["groupBy"] = list(ask.group_by)
    if ask.kind is Kind.CONVERSION:
        share = f"{CONVERSION[1]} / {CONVERSION[0]}"
        formula = {"as": "share", "expression": share}
        return body | {"formulas": [formula], "limit": TOP, "other": True}
    return body | {"step": "day" if ask.step_us == DAY_US else f"{ask.step_us // 1_000_000}s"}


def _metrics(ask: Ask) -> list[dict[str, Any]]:
    match ask.kind:
        case Kind.PERCENTILES:
            return [
                {
                    "as": f"p{each}",
                    "metric": ask.metric_name,
                    "function": "percentile",
                    "percentile": each,
                }
                for each in PERCENTS
            ]
        case Kind.FUNCTIONS:
            return [
                {"as": each, "metric": ask.metric_name, "function": each} for each in _FUNCTIONS
            ]
        case Kind.CONVERSION:
            return [{"as": each, "metric": each, "function": "sum"} for each in CONVERSION]
        case _:
            return [{"as": "sessions", "metric": ask.metric_name, "function": "sessions"}]


def _instant(instant_us: int) -> str:
    return datetime.fromtimestamp(instant_us / 1_000_000, UTC).isoformat()
