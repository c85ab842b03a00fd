"""An agent in Node with the exporters that npm has, kept under `build/`."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.npm import installed
from tests.otlp.sending import Sender

from vumeter_server.runtime.parent_death import ending_with_parent

PROGRAM = Path(__file__).resolve().parent / "node"


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
        folder = installed(PROGRAM, "node-exporters")
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
