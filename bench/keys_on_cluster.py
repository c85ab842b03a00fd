"""`python -m bench.keys_on_cluster NAME...`: an owner's key of each organization, a line each.

It runs where the product does, on what VUMETER_STORE names: a command for each would take seconds.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator

from vumeter_server.access.clickhouse.administration import ClickHouseKeyAdministration
from vumeter_server.access.roles import Role
from vumeter_server.clickhouse import ClickHouse
from vumeter_server.clickhouse.blocking import BlockingClickHouse
from vumeter_server.clickhouse.opening import opened_clickhouse
from vumeter_server.errors import Unavailable
from vumeter_server.runtime.actors import by_command
from vumeter_server.runtime.store_address import ClickHouseAddress, parse_store_address

TRIES = 5


def main(names: list[str]) -> None:
    """Make them."""
    address = parse_store_address(os.environ["VUMETER_STORE"])
    if not isinstance(address, ClickHouseAddress):
        raise TypeError("VUMETER_STORE names no cluster")

    @contextlib.asynccontextmanager
    async def opening() -> AsyncIterator[ClickHouse]:
        async with opened_clickhouse(address, "") as clickhouse:
            yield clickhouse

    administration = ClickHouseKeyAdministration(BlockingClickHouse(opening))
    with by_command("bench"):
        for name in names:
            sys.stdout.write(f"{_bearer_of_new_key(administration, name)}\n")


def _bearer_of_new_key(administration: ClickHouseKeyAdministration, name: str) -> str:
    # Beside recording the cluster may have no time for a moment; a key too many does no harm.
    for left in reversed(range(TRIES)):
        try:
            return administration.create_key(name, Role.OWNER, None).bearer
        except Unavailable:
            if not left:
                raise
    raise AssertionError


if __name__ == "__main__":
    main(sys.argv[1:])
