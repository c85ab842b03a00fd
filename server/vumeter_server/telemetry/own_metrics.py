"""The own metrics of one server process, put together and shown."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import structlog

from vumeter_server.runtime.addresses import Address, check_free, ip_of
from vumeter_server.runtime.settings import Settings
from vumeter_server.telemetry.exposition import Gathering, ProcessExposition, Source
from vumeter_server.telemetry.instruments import Instruments
from vumeter_server.telemetry.readings import Gauge, Read, Readings
from vumeter_server.telemetry.scrape_server import PATH, Scrape, ScrapeServer, at_socket

_log = structlog.get_logger(__name__)


def versions(storage: Mapping[str, str]) -> dict[str, str]:
    """Return what runs here; `storage` is the version of the storage by its label."""
    return {
        "version": metadata.version("vumeter"),
        "python_version": platform.python_version(),
        **storage,
        "grpc_version": metadata.version("grpcio"),
    }


def process_exposition(
    instruments: Instruments,
    read: Mapping[Gauge, Read],
    more: Sequence[Callable[[bool], str]],
    storage: Mapping[str, str],
) -> ProcessExposition:
    """Return the metrics of this process: counted, read at the scrape, and written by families.

    `storage` is the version of the storage by its label.
    """
    instruments.registry.register(Readings(read, versions(storage)))
    return ProcessExposition(instruments.registry, more)


def show(settings: Settings, source: Source) -> ScrapeServer | None:
    """Show the metrics of this process, to `vumeter up` or on the port; None if they are off.

    Raises StartError if the port is taken.
    """
    if settings.metrics_socket:

        def scrape(accept: str) -> tuple[str, str]:
            return source(accept), "text/plain; charset=utf-8"

        return ScrapeServer.at_socket(Path(settings.metrics_socket), scrape)
    server = show_on_port(settings, Gathering({settings.worker: source}).scrape)
    if server is not None:
        _log.info("metrics", url=f"http://{server.address.from_here}{PATH}")
    return server


def show_all(settings: Settings, sockets: Mapping[int, Path]) -> ScrapeServer | None:
    """Show the metrics of several processes, by their sockets, on the port; None if off."""
    sources = {worker: at_socket(path) for worker, path in sockets.items()}
    return show_on_port(settings, Gathering(sources).scrape)


def show_on_port(settings: Settings, scrape: Scrape) -> ScrapeServer | None:
    """Answer scrapes on the port that the settings name; None if they are off."""
    listen = metrics_address(settings)
    if listen is None:
        return None
    check_free(listen, "Own metrics (VUMETER_METRICS_PORT)")
    return ScrapeServer.at_address(listen, scrape)


def metrics_address(settings: Settings) -> Address | None:
    """Return where the settings put own metrics; None if they are off.

    Raises StartError if the host is unknown.
    """
    port = settings.metrics_port_or_any
    return Address(host=ip_of(settings.metrics_host), port=port) if port is not None else None
