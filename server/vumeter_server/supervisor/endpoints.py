"""Where a started product answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vumeter_server.runtime.addresses import Address


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoints:
    """Where a started product answers.

    `servers` are the gRPC ports of the server processes, the one that writes first; `metrics` is
    where own metrics are, None if they are off.
    """

    rest: Address | None
    servers: Sequence[Address]
    metrics: Address | None = None
    inside: str
    """Where a process of this user takes gRPC without TLS, as a target of gRPC."""
    encrypted: bool = False

    @property
    def grpc(self) -> Address:
        """The gRPC port that the settings name."""
        return self.servers[0]

    @property
    def metrics_url(self) -> str:
        """Where Prometheus scrapes own metrics, as reached from this machine; empty if off."""
        return f"http://{self.metrics.from_here}/metrics" if self.metrics is not None else ""

    @property
    def rest_url(self) -> str:
        """The base URL of the REST API, as reached from this machine."""
        scheme = "https" if self.encrypted else "http"
        return f"{scheme}://{self.rest.from_here}" if self.rest is not None else ""

    @property
    def text(self) -> str:
        """The addresses, a line each."""
        lines = [
            f"REST  {self.rest_url}  (gRPC and gRPC-Web too)",
            f"gRPC  {self.grpc.from_here}",
        ]
        if self.metrics_url:
            lines.append(f"own metrics  {self.metrics_url}  (Prometheus)")
        return "\n".join(lines)
