"""An agent in Node with the exporters that npm has, kept under `build/`."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from tests.otlp.sending import Sender

from vumeter_server.runtime.parent_death import ending_with_parent

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = Path(__file__).resolve().parent / "node"
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")
"""What npm says where no registry can be reached."""


@cache
def installed() -> Path:
    """Return a folder with the program and what its lock file pins.

    It is made once for each content of the lock file. Without Node or a registry, the test that
    asks for it is skipped.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not installed")
    lock = (PROGRAM / "package-lock.json").read_bytes()
    version = subprocess.run(["node", "--version"], capture_output=True, check=True, timeout=60)
    made_of = hashlib.sha256(lock + version.stdout).hexdigest()[:16]
    folder = ROOT / "build" / "node-exporters"
    ready = folder / "ready"
    if not (ready.exists() and ready.read_text() == made_of):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(PROGRAM, folder, ignore=shutil.ignore_patterns("node_modules"))
        done = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        if done.returncode and any(each in done.stderr for each in UNREACHABLE):
            pytest.skip("the exporters cannot be installed: no npm registry can be reached")
        assert done.returncode == 0, done.stderr
        ready.write_text(made_of)
    shutil.copy(PROGRAM / "agent.mjs", folder)
    return folder


class NodeAgent:
    """A process of Node that measures and exports when it is told."""

    def __init__(
        self,
        sender: Sender,
        transport: str = "proto",
        *,
        temporality: str = "CUMULATIVE",
        target: str | None = None,
        compression: str = "none",
        timeout_ms: int = 20_000,
        resource: Mapping[str, str] | None = None,
    ) -> None:
        """Start it; `transport` is `grpc`, `http` (JSON) or `proto`, through Envoy by default."""
        stack = sender.stack
        given = {
            "transport": transport,
            "url": f"http://{target or stack.edge_target}"
            + ("" if transport == "grpc" else "/v1/metrics"),
            "headers": sender.headers,
            "temporality": temporality,
            "compression": compression,
            "timeout": timeout_ms,
            "resource": dict(resource or {}),
        }
        node = shutil.which("node")
        folder = installed()
        assert node is not None
        self._process = subprocess.Popen(
            ending_with_parent([node, str(folder / "agent.mjs"), json.dumps(given)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = threading.Lock()

    def __enter__(self) -> NodeAgent:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def measure(self, *measured: tuple[str, float] | tuple[str, float, Mapping[str, str]]) -> None:
        assert self._ask({"measured": measured}) == []

    def export(self) -> list[str]:
        """Export what was measured; return what the SDK logged."""
        return self._ask({"export": True})

    def _ask(self, asked: Mapping[str, Any]) -> list[str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        assert line, "the agent ended"
        said: list[str] = json.loads(line)
        return said
