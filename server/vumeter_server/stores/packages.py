"""Whether the packages are there that a store needs."""

from __future__ import annotations

from importlib.util import find_spec

from vumeter_server.runtime.start_error import StartError


def require_packages() -> None:
    """Raise StartError if a package of `vumeter[clickhouse]` is missing."""
    for package in ("clickhouse_connect", "aiohttp", "pyarrow"):
        if find_spec(package) is None:
            raise StartError(
                "VUMETER_STORE: ClickHouse needs more packages: pip install 'vumeter[clickhouse]'"
            )
