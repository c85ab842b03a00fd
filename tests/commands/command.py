"""The real command, as an operator types it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

VUMETER = (sys.executable, "-m", "vumeter_server.cli")


def vumeter(*arguments: str, db: Path | None = None, **environment: str) -> str:
    """Run a command that succeeds; return what it printed."""
    run = try_vumeter(*arguments, db=db, **environment)
    assert run.returncode == 0, run.stderr
    return run.stdout


def try_vumeter(
    *arguments: str, db: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal."""
    return subprocess.run(
        [*VUMETER, *arguments],
        env=_environment(db, environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        # As at a terminal of its own: what runs with a low priority yields to what it stands beside
        # there, and not to all other tests.
        start_new_session=True,
    )


def at_terminal(*arguments: str, db: Path, typed: str = "") -> tuple[int, str]:
    """Run a command at a terminal where `typed` is typed; return its status and the screen."""
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [*VUMETER, *arguments],
        env=_environment(db, {"TERM": "dumb", "COLUMNS": "80"}),
        stdin=side,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    os.write(terminal, typed.encode())
    screen = b""
    try:
        while part := os.read(terminal, 4096):
            screen += part
    except OSError:
        # Linux says so when the last program has left the terminal.
        pass
    finally:
        os.close(terminal)
    return process.wait(timeout=60), screen.decode().replace("\r\n", "\n")


def parsed(text: str) -> Any:
    """Read what a command printed as JSON."""
    return json.loads(text)


def _environment(db: Path | None, environment: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if "VUMETER" not in name}
    return inherited | ({"VUMETER_DB": str(db)} if db else {}) | environment
