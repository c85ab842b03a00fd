"""`vumeter simulation gate` between executions that a test records."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from tests.simulation.conftest import PATHS, Organization

from vumeter_server import cli

RUN_TEST = "Nightly"


def execution_id(number: int) -> str:
    return f"5819e158-0000-4000-8000-{number:012}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Gating:
    """An organization, and the command as one of its pipelines runs it."""

    organization: Organization
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def record(
        self, number: int, calls: Sequence[dict[str, Any]], *, run_test: str = RUN_TEST, **said: Any
    ) -> None:
        """Record an execution that is newer than those with smaller numbers, and its calls."""
        started = {"started_at": f"2025-11-{number:02}T02:00:00Z"}
        self.organization.record(
            f"{PATHS}/executions",
            {"execution_id": execution_id(number), "run_test_name": run_test, **started, **said},
        )
        numbered = [
            {
                "call_execution_id": f"5af9e484-0000-4000-{number:04}-{place:012}",
                "execution_id": execution_id(number),
                **call,
            }
            for place, call in enumerate(calls)
        ]
        self.organization.record(f"{PATHS}/calls", {"calls": numbered})

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run the command; return its status, what it printed, and what it said on stderr."""
        key = self.organization.key
        self.monkeypatch.setenv("VUMETER_API_KEY", key.key_id)
        self.monkeypatch.setenv("VUMETER_SECRET_KEY", key.secret)
        command = ["vumeter", "simulation", "gate", f"--target={self.organization.target}"]
        self.monkeypatch.setattr(sys, "argv", [*command, *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = self.capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    def judge(self, *arguments: str) -> dict[str, Any]:
        """Run the command on the newest execution of RUN_TEST; return its JSON with `exit`."""
        asked = (f"--run-test={RUN_TEST}", "--baseline=previous", "--format=json", *arguments)
        status, printed, said = self.run(*asked)
        assert said == ""
        return {**orjson.loads(printed), "exit": status}
