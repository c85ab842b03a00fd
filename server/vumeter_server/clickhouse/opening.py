"""Opening the store that VUMETER_STORE names: signing in, and making its tables."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from vumeter_server.clickhouse.failures import ClickHouseError, SignInRefused
from vumeter_server.clickhouse.http import QUERY_SECONDS, HttpClickHouse
from vumeter_server.clickhouse.migrations.history import migrate
from vumeter_server.errors import DeadlineExceeded, Unavailable
from vumeter_server.runtime.start_error import StartError
from vumeter_server.runtime.store_address import ClickHouseAddress

CLUSTER_NODES: Final = (
    "SELECT count() AS nodes FROM system.clusters WHERE cluster = {cluster:String}"
)


@contextlib.asynccontextmanager
async def opened_clickhouse(
    address: ClickHouseAddress, password: str, *, query_seconds: float = QUERY_SECONDS
) -> AsyncIterator[HttpClickHouse]:
    """Open a store, with the tables of this version.

    Raises StartError, with one line for the operator, if nobody answers, the user is not let in,
    the cluster is not as it was described, or the tables cannot be made.
    """
    clickhouse = HttpClickHouse.at(address, password, query_seconds)
    try:
        await _check(clickhouse, address)
        await migrate(clickhouse)
        yield clickhouse
    finally:
        await clickhouse.close()


async def _check(clickhouse: HttpClickHouse, address: ClickHouseAddress) -> None:
    try:
        found = await clickhouse.query(CLUSTER_NODES, {"cluster": address.cluster})
    except SignInRefused as error:
        raise StartError(
            f"VUMETER_STORE: {clickhouse} refuses user {address.user} or the password"
        ) from error
    except Unavailable as error:
        raise StartError(
            f"VUMETER_STORE: none of {clickhouse} answers; the log says why"
        ) from error
    except DeadlineExceeded as error:
        raise StartError(f"VUMETER_STORE: {clickhouse} does not answer in time") from error
    except ClickHouseError as error:
        raise StartError(f"VUMETER_STORE: {clickhouse} cannot be asked: {error}") from error
    if problem := cluster_problem(address, found.column("nodes")[0].as_py()):
        raise StartError(f"VUMETER_STORE: {problem}")


def cluster_problem(address: ClickHouseAddress, nodes: int) -> str:
    """Return how `address` differs from the cluster that a node knows, "" if it does not.

    `nodes` is what CLUSTER_NODES answered there.
    """
    if address.cluster and not nodes:
        return f"the nodes know no cluster {address.cluster}"
    if address.cluster and not address.on_cluster and nodes != len(address.hosts):
        return (
            f"names {len(address.hosts)} of the {nodes} nodes of the cluster {address.cluster};"
            " without on_cluster=true it has to name all of them"
        )
    return ""
