"""The rows of the table `simulation`: what an entry records, as it is inserted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from vumeter_server.simulation.model import CallReport, ExecutionReport

TABLE: Final = "simulation"
POSITION, RUN_TEST, EXECUTION, CALL = range(4)
"""What a row is of."""

EXECUTION_FIELDS: Final = (
    "status",
    "started_at",
    "completed_at",
    "total_calls",
    "completed_calls",
    "failed_calls",
)
CALL_FIELDS: Final = (
    "status",
    "numbers",
    "customer_latency_metrics",
    "customer_cost_breakdown",
)

_TYPES: Final[Mapping[str, Any]] = {
    "organization": pa.int64(),
    "kind": pa.int64(),
    "execution": pa.string(),
    "call": pa.string(),
    "key": pa.string(),
    "position": pa.int64(),
    "first": pa.int64(),
    "is_deleted": pa.uint8(),
    "name": pa.string(),
    "status": pa.string(),
    "started_at": pa.int64(),
    "completed_at": pa.int64(),
    "total_calls": pa.int64(),
    "completed_calls": pa.int64(),
    "failed_calls": pa.int64(),
    "customer_latency_metrics": pa.string(),
    "customer_cost_breakdown": pa.string(),
    "numbers": pa.list_(pa.float64()),
}
_ABSENT: Final[Mapping[str, Any]] = {
    "execution": "",
    "call": "",
    "key": "",
    "position": 0,
    "first": 0,
    "is_deleted": 0,
    "name": "",
    "status": "",
    "numbers": (),
}


@dataclass(kw_only=True, slots=True)
class SimulationEntry:
    """What is recorded for an organization as its entry `seq`."""

    organization_id: int
    seq: int
    _rows: list[Mapping[str, Any]] = field(default_factory=list)

    def add_run_test(self, name: str) -> None:
        """Record a run test that there is not."""
        self._rows.append({"kind": RUN_TEST, "key": name, "first": self.seq})

    def delete_run_test(self, name: str) -> None:
        """Delete a run test."""
        self._rows.append({"kind": RUN_TEST, "key": name, "is_deleted": 1})

    def add_execution(self, report: ExecutionReport, first: int | None) -> None:
        """Record an execution, `first` None if it is new."""
        self._rows.append(
            {
                "kind": EXECUTION,
                "execution": report.execution_id,
                "first": self.seq if first is None else first,
                "name": report.run_test_name,
                **{name: getattr(report, name) for name in EXECUTION_FIELDS},
            }
        )

    def delete_execution(self, execution_id: str) -> None:
        """Delete an execution."""
        self._rows.append({"kind": EXECUTION, "execution": execution_id, "is_deleted": 1})

    def add_calls(self, reports: Sequence[CallReport], firsts: Mapping[str, int]) -> None:
        """Record calls, with the first entries of their executions; the last report of a call."""
        last = {report.call_execution_id: report for report in reports}
        self._rows.extend(
            {
                "kind": CALL,
                "execution": report.execution_id,
                "call": report.call_execution_id,
                "first": firsts[report.execution_id],
                **{name: getattr(report, name) for name in CALL_FIELDS},
            }
            for report in last.values()
        )

    def block(self) -> pa.Table:
        """Return all rows, the position among them."""
        rows = [{"kind": POSITION, "position": self.seq}, *self._rows]
        return pa.table(
            {
                name: pa.array(
                    [self.organization_id] * len(rows)
                    if name == "organization"
                    else [row.get(name, _ABSENT.get(name)) for row in rows],
                    kind,
                )
                for name, kind in _TYPES.items()
            }
        )
