"""Organizations, keys and limits as commands change them, in whichever store they are."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from vumeter_server.access.sqlite.limits import SqliteLimitAdministration
from vumeter_server.access.sqlite.store import SqliteKeyAdministration
from vumeter_server.access.store import KeyAdministration, LimitAdministration
from vumeter_server.commands.database import opened, store_address
from vumeter_server.errors import Unavailable
from vumeter_server.runtime.actors import by_command
from vumeter_server.runtime.settings import store_password
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.store_address import ClickHouseAddress


@dataclass(frozen=True, kw_only=True, slots=True)
class Administration:
    """What changes organizations and keys, and what changes limits."""

    keys: KeyAdministration
    limits: LimitAdministration


@contextlib.contextmanager
def opened_administration(
    db: Path | None, *, create: bool = False, hint: str = ""
) -> Iterator[Administration]:
    """Open the store that `db`, VUMETER_STORE or VUMETER_DB names; see `database.opened`."""
    address = store_address(db)
    if isinstance(address, ClickHouseAddress):
        with _on_cluster(address) as administration:
            yield administration
    else:
        with opened(db, create=create, hint=hint) as database:
            yield Administration(
                keys=SqliteKeyAdministration(database), limits=SqliteLimitAdministration(database)
            )


@contextlib.contextmanager
def _on_cluster(address: ClickHouseAddress) -> Iterator[Administration]:
    from vumeter_server.runtime.logs import configure_command_logs  # noqa: PLC0415
    from vumeter_server.stores.packages import require_packages  # noqa: PLC0415

    try:
        require_packages()
        configure_command_logs()
        # Loaded for those who have a cluster.
        from vumeter_server.access.clickhouse.administration import (  # noqa: PLC0415
            ClickHouseKeyAdministration,
            ClickHouseLimitAdministration,
        )
        from vumeter_server.clickhouse import ClickHouse  # noqa: PLC0415
        from vumeter_server.clickhouse.blocking import BlockingClickHouse  # noqa: PLC0415
        from vumeter_server.clickhouse.opening import opened_clickhouse  # noqa: PLC0415

        file = os.environ.get("VUMETER_STORE_PASSWORD_FILE")
        password = store_password(
            os.environ.get("VUMETER_STORE_PASSWORD"), Path(file) if file else None
        )

        @contextlib.asynccontextmanager
        async def opening() -> AsyncIterator[ClickHouse]:
            async with opened_clickhouse(address, password) as clickhouse:
                yield clickhouse

        cluster = BlockingClickHouse(opening)
        with by_command(click.get_current_context().command_path):
            yield Administration(
                keys=ClickHouseKeyAdministration(cluster),
                limits=ClickHouseLimitAdministration(cluster),
            )
    except StartError as error:
        raise click.ClickException(str(error)) from error
    except Unavailable as error:
        raise click.ClickException(
            "the cluster does not answer, or not in time; what the command asked for may be done"
        ) from error
