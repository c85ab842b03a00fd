"""The choice of the store, by VUMETER_STORE."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from vumeter_server.runtime.clock import Clock
from vumeter_server.runtime.settings import Settings, read_store_password
from vumeter_server.runtime.store_address import SqliteAddress
from vumeter_server.stores.opened import OpenedStores
from vumeter_server.telemetry.instruments import Instruments


@contextlib.asynccontextmanager
async def open_stores(
    settings: Settings,
    clock: Clock,
    instruments: Instruments,
    on_progress: Callable[[int, int], None],
) -> AsyncIterator[OpenedStores]:
    """Open what VUMETER_STORE names.

    Raises DatabaseError or StartError, with one line for the operator.
    """
    address = settings.store_address
    if isinstance(address, SqliteAddress):
        from vumeter_server.stores.on_sqlite import opened_sqlite  # noqa: PLC0415

        async with opened_sqlite(settings, clock, instruments, on_progress) as stores:
            yield stores
    else:
        # Its packages are an extra.
        from vumeter_server.stores.packages import require_packages  # noqa: PLC0415

        require_packages()
        from vumeter_server.stores.on_clickhouse import opened_cluster  # noqa: PLC0415

        password = read_store_password(settings)
        async with opened_cluster(settings, address, password, clock, instruments) as stores:
            yield stores
