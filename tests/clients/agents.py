"""Agents that record with the client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.clients.conftest import Organization

from vumeter_client import Recorder

CLIENT = Path(__file__).resolve().parent.parent.parent / "clients" / "python"


def outcome(recorder: Recorder) -> tuple[int, int, int, int, int]:
    """Return recorded, sent, dropped, rejected and pending, after checking that they add up."""
    stats = recorder.stats
    parts = (stats.sent, stats.dropped, stats.rejected, stats.pending)
    assert stats.recorded == sum(parts)
    return (stats.recorded, *parts)


def run_agent(program: Path, organization: Organization) -> str:
    """Run a program that records; return what it printed."""
    done = run([sys.executable, "-W", "error", str(program)], organization)
    return done.stdout + done.stderr


def run(command: list[str], organization: Organization) -> subprocess.CompletedProcess[str]:
    """Run a program that finds the client and the server; it has to succeed."""
    done = subprocess.run(
        command,
        env={
            **os.environ,
            "PYTHONPATH": str(CLIENT),
            "VUMETER_URL": organization.url,
            "VUMETER_KEY": organization.bearer,
        },
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done
