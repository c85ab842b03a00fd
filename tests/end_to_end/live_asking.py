"""Every method of live metrics, asked for one tenant or for all."""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.end_to_end.api import METHODS
from tests.end_to_end.callers import Answer, Caller, bearer

from vumeter_server.access.roles import Role

PATHS = "/api/v1/metrics"
SERVICE = "vumeter.live_metrics.v1.LiveMetricsService"
LIVE = {method.descriptor.name: method for method in METHODS if method.family == "live_metrics"}
OWN, OTHER = "roles_own", "roles_other"
FORBIDDEN = {"code": 7, "message": "Insufficient permissions", "details": []}
RANGE = {"startDate": "2025-04-01", "endDate": "2025-04-02", "step": "1d"}
TYPED_RANGE = {
    "start_time": "2025-04-01T00:00:00Z",
    "end_time": "2025-04-02T00:00:00Z",
    "step": "86400s",
}
_numbers = count(1)

ALL = ""
"""Stands for all tenants together: no tenant is named."""
FREE, BOUND = None, OWN


def events(tenant_id: str) -> list[dict[str, str]]:
    number = next(_numbers)
    return [
        {
            "event_id": f"roles-{number}",
            "type": "started",
            "call_id": f"roles-call-{number}",
            "tenant_id": tenant_id,
            "occurred_at": "2025-04-01T09:00:00Z",
        }
    ]


def typed(recorded: list[dict[str, str]]) -> dict[str, Any]:
    return {
        "events": [
            {
                **{name: text for name, text in each.items() if name != "occurred_at"},
                "type": f"EVENT_TYPE_{each['type'].upper()}",
                "occur_time": each["occurred_at"],
            }
            for each in recorded
        ]
    }


def ask(caller: Caller, name: str, tenant_id: str) -> Answer:
    """Call a live method about a tenant, or about all of them."""
    named = {"tenant_id": tenant_id} if tenant_id else {}
    match name:
        case "PostEvents":
            return caller.post(f"{PATHS}/events", {"events": events(tenant_id or OWN)})
        case "GetGlobalMetrics":
            return caller.get(f"{PATHS}/live")
        case "GetTenantMetrics":
            return caller.get(f"{PATHS}/live/{tenant_id}")
        case "GetCapacityDebug":
            return caller.get(f"{PATHS}/capacity/debug")
        case "GetTenants":
            return caller.get(f"{PATHS}/tenants")
        case "GetMetricsHistory":
            return caller.get(f"{PATHS}/history", **RANGE, **named)
        case "WatchMetrics":
            return first_of_watch(caller, named)
        case "RecordEvents":
            return caller.rpc(f"{SERVICE}/RecordEvents", typed(events(tenant_id or OWN)))
        case "StreamEvents":
            return answer_of_batch(
                caller.rpc(f"{SERVICE}/StreamEvents", [typed(events(tenant_id or OWN))])
            )
        case "GetHistory":
            return caller.rpc(f"{SERVICE}/GetHistory", {**TYPED_RANGE, **named})
        case "WatchLiveMetrics":
            return caller.rpc(f"{SERVICE}/WatchLiveMetrics", named, at_most=1)
        case "ExportEvents":
            return caller.rpc(f"{SERVICE}/ExportEvents", named, at_most=1)
        case "GetLiveMetrics" | "SetTenantLimit":
            return caller.rpc(f"{SERVICE}/{name}", named)
        case "GetCapacity" | "ListTenants":
            return caller.rpc(f"{SERVICE}/{name}", {})
    raise AssertionError(f"{name} is new: say here how it is asked")


def first_of_watch(caller: Caller, query: dict[str, str]) -> Answer:
    with caller.session.get(
        f"{caller.stack.rest_url}{PATHS}/watch",
        params=query,
        headers=dict(caller.credentials),
        stream=True,
        timeout=20,
    ) as response:
        if response.ok:
            return Answer(code=0, status=200, body=next(response.iter_lines()), headers={})
        body = response.json()
        return Answer(code=body["code"], status=response.status_code, body=body, headers={})


def answer_of_batch(answer: Answer) -> Answer:
    """The refusal of a batch of a stream in the form of any other."""
    if answer.code or "error" not in answer.body[0]:
        return answer
    error = {"details": [], **answer.body[0]["error"]}
    return Answer(code=error["code"], body=error, headers={})


READS = {"operator"}
RECORDS = {"reporter"}


def key(anybody: Caller, role: Role, tenant_id: str | None = FREE) -> Caller:
    return anybody.showing(
        bearer(anybody.stack.make_key("the operator", role, tenant_id=tenant_id))
    )


def is_forbidden(answer: Answer) -> bool:
    return answer.body == FORBIDDEN and answer.status in {0, 403}
